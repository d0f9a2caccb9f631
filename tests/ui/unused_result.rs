//! A start may fail, and the `Result` says so.
#![deny(unused_must_use)]
use vestibule::{Environ, Result, StartResponse};

fn careless(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, ());
    Ok("hello".into())
}

fn main() {
    let _ = vestibule::App::new(careless);
}
