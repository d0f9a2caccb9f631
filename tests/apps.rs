//! The endpoints of `apps`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

#[path = "apps/cascade.rs"]
mod cascade;
#[cfg(feature = "files")]
#[path = "apps/files.rs"]
mod files;
#[path = "apps/health.rs"]
mod health;
#[path = "apps/redirect.rs"]
mod redirect;
#[cfg(feature = "router")]
#[path = "apps/router.rs"]
mod router;
#[path = "apps/show_environ.rs"]
mod show_environ;
#[path = "apps/url_map.rs"]
mod url_map;

use harness::play::{KINDS, Kind};
use harness::{PULLS, Pull};
use vestibule::{App, app_fn, async_fn};

/// Every kind of application, run in both ways.
fn all() -> impl Iterator<Item = (Kind, Pull)> {
    KINDS.into_iter().flat_map(|kind| PULLS.into_iter().map(move |pull| (kind, pull)))
}

/// Says its name, and where it sees itself.
fn named(name: &'static str) -> App {
    app_fn(move |environ, start_response| {
        start_response.start(200, ())?;
        Ok(format!("{name} {}|{}|{}", environ.script_name(), environ.path_info(), environ.raw_path()).into())
    })
}

/// One that never blocks.
fn quick(name: &'static str) -> App {
    async_fn(move |_, start_response| async move {
        start_response.start(200, ())?;
        Ok(name.into())
    })
}

/// A GET of this target.
fn get(target: &str) -> http::Request<()> {
    http::Request::get(target).body(()).unwrap()
}
