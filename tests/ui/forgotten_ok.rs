//! The body is returned in an `Ok`.
use vestibule::{Environ, Result, StartResponse};

fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, ())?;
    "hello"
}

fn main() {
    let _ = vestibule::App::new(hello);
}
