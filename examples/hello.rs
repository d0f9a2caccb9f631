//! The smallest application: `cargo run --example hello`, then open http://127.0.0.1:8000.

use vestibule::{Environ, Result, StartResponse};

fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok("Hello, world!\n".into())
}

fn main() -> Result<()> {
    vestibule::run(hello)
}
