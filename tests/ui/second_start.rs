//! A response starts once.
use vestibule::{Environ, Result, StartResponse};

fn twice(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, ())?;
    start_response.start(200, ())?;
    Ok("hello".into())
}

fn main() {
    let _ = vestibule::App::new(twice);
}
