//! The notes, in a file of SQLite.
//!
//! SQLite blocks, as a handler may: the server calls handlers on a pool of threads. A connection serves one call at a
//! time, so each call takes an idle one, or opens another, and puts it back. There are never more than threads. Who
//! finds the file locked, by another thread or another process, waits for up to 5 seconds.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use vestibule::{Error, Result};

use crate::form::Draft;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS notes
    (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, text TEXT NOT NULL)";

/// SQLite's `lower` knows the letters of ASCII alone.
const SEARCH: &str = "SELECT id, title FROM notes
    WHERE instr(lower(title || char(10) || text), lower(?1)) ORDER BY id DESC LIMIT 100";

/// A database; all calls may block.
#[derive(Debug)]
pub struct Notes {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// A note that is in the database.
#[derive(Debug)]
pub struct Note {
    pub id: i64,
    pub title: String,
    pub text: String,
}

impl Notes {
    /// Opens the database, and makes it where there is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let notes = Self { path: path.into(), idle: Mutex::default() };
        notes.with(|connection| connection.execute_batch(TABLE))?;
        Ok(notes)
    }

    /// The latest notes, at most 100, that have these words in their title or text; without their texts.
    pub fn search(&self, words: &str) -> Result<Vec<Note>> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(SEARCH)?;
            let found = query
                .query_map([words], |row| Ok(Note { id: row.get(0)?, title: row.get(1)?, text: String::new() }))?;
            found.collect()
        })
    }

    /// A note; a 404 where there is none, as for the two below.
    pub fn find(&self, id: i64) -> Result<Note> {
        let found = self.with(|connection| {
            let mut query = connection.prepare_cached("SELECT title, text FROM notes WHERE id = ?1")?;
            query.query_row([id], |row| Ok(Note { id, title: row.get(0)?, text: row.get(1)? })).optional()
        })?;
        found.ok_or_else(|| no_note(id))
    }

    /// Adds a note, and tells its number.
    pub fn create(&self, draft: &Draft) -> Result<i64> {
        self.with(|connection| {
            connection.execute("INSERT INTO notes (title, text) VALUES (?1, ?2)", [&draft.title, &draft.text])?;
            Ok(connection.last_insert_rowid())
        })
    }

    pub fn update(&self, id: i64, draft: &Draft) -> Result<()> {
        let sql = "UPDATE notes SET title = ?2, text = ?3 WHERE id = ?1";
        let changed = self.with(|connection| connection.execute(sql, params![id, draft.title, draft.text]))?;
        if changed == 1 { Ok(()) } else { Err(no_note(id)) }
    }

    pub fn delete(&self, id: i64) -> Result<()> {
        let deleted = self.with(|connection| connection.execute("DELETE FROM notes WHERE id = ?1", [id]))?;
        if deleted == 1 { Ok(()) } else { Err(no_note(id)) }
    }

    /// Asks the database on a connection that nobody else has meanwhile.
    fn with<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let connection = taken.map_or_else(|| Connection::open(&self.path), Ok)?;
        let answer = ask(&connection);
        idle().push(connection);
        Ok(answer?)
    }
}

fn no_note(id: i64) -> Error {
    Error::with_status(404, format!("there is no note {id}"))
}
