//! The program: NOTES_DB and NOTES_STATIC say where the notes and the static files are; the command line says by which
//! gateway the site is served, as for every program of `vestibule::run`.

use std::env::var_os;

fn main() -> vestibule::Result<()> {
    let database = var_os("NOTES_DB").unwrap_or_else(|| "notes.sqlite".into());
    let files = var_os("NOTES_STATIC").unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/static").into());
    vestibule::run(notes::site(notes::Notes::open(database)?, files)?)
}
