//! What an application is told: it answers with its own environ, and masks what is secret in it.
//! `cargo run --example inspect`, then `curl -d tea 'http://127.0.0.1:8000/a%2Fb/c%20d?page=2'`, or a browser.

use vestibule::{Result, apps};

fn main() -> Result<()> {
    vestibule::run(apps::show_environ)
}
