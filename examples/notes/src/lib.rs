//! A real site: notes, kept in SQLite. `cargo run` serves it at http://127.0.0.1:8000.
//!
//! This file says which pages there are and what is around them; `pages.rs` has their handlers, `form.rs` what these
//! are told, `html.rs` what they show, `notes.rs` the database. `tests/` shows how all of it is tested.

mod errors;
mod form;
mod html;
mod link;
mod notes;
mod own_forms;
mod pages;

use std::path::PathBuf;
use std::sync::Arc;

use vestibule::apps::{Files, Location, Readiness, files, health, redirect, routes};
use vestibule::middleware::{
    AccessLog, Compression, SecurityHeaders, access_log, body_limit, compression, conditional_get, default_header,
    etag, security_headers,
};
use vestibule::{App, Environ, Result, StartResponse, app_fn};

pub use notes::{Note, Notes};

/// What browsers load and send a form to is this site alone.
const CONTENT_POLICY: &str = "default-src 'self'; form-action 'self'; base-uri 'none'";

/// The longest form, in bytes.
pub const LONGEST_FORM: u64 = 64 * 1024;

/// What a handler is: an application that is given the notes too.
type Page = fn(&Notes, Environ, StartResponse) -> Result;

/// The whole site, over a database and a directory of static files.
pub fn site(notes: Notes, static_files: impl Into<PathBuf>) -> Result<App> {
    let notes = Arc::new(notes);
    let page = |page: Page| {
        let notes = Arc::clone(&notes);
        app_fn(move |environ, start_response| page(&notes, environ, start_response))
    };
    let app = routes()
        .get("/", page(pages::list))
        .post("/", page(pages::create))
        .get("/new", page(pages::new))
        .get("/{id}", page(pages::show))
        .post("/{id}", page(pages::update))
        .get("/{id}/edit", page(pages::edit))
        .post("/{id}/delete", page(pages::delete))
        .get("", redirect(308, Location::to("/").keep_query())?) // mounted at /notes, the site is at /notes/
        .nest("/static", files(Files::new(static_files).cache_control("max-age=3600")?)?)
        .nest("/health", health(Readiness::new(true)))
        .into_app()?;

    // The last one is outermost: a request comes up to here from below, and its response goes back down.
    Ok(app
        .wrap(own_forms::only_own_forms)
        .wrap(body_limit(LONGEST_FORM))
        .wrap(errors::error_pages)
        .wrap(default_header("cache-control", "no-cache")?) // keep a page, but ask whether it is still so
        .wrap(etag)
        .wrap(conditional_get)
        .wrap(compression(Compression::new()))
        .wrap(security_headers(SecurityHeaders::new().content_security_policy(CONTENT_POLICY)?))
        .wrap(access_log(AccessLog::combined())))
}
