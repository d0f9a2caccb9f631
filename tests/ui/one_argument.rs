//! An application takes two arguments; one that takes the environ alone is a handler.
use vestibule::{App, Environ, Result};

fn hello(_environ: Environ) -> Result {
    Ok("hello".into())
}

fn main() {
    let _ = App::new(hello);
}
