//! The program: where the notes and the static files are, and by which gateway the site is served.

use std::env::var_os;

fn main() -> vestibule::Result<()> {
    let database = var_os("NOTES_DB").unwrap_or_else(|| "notes.sqlite".into());
    let files = var_os("NOTES_STATIC").unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/static").into());
    vestibule::run(notes::site(notes::Notes::open(database)?, files)?)
}
