//! Endpoints: applications that are ready made, and those that pick another one.
//!
//! Each is an [`App`], so it can be wrapped, mounted and nested as any other. What picks another application blocks where
//! one of those that it may pick does: an async one beside a blocking one is called on a thread of the pool, which only
//! makes its future; the reactor awaits that.

mod cascade;
#[cfg(feature = "files")]
mod files;
mod health;
mod redirect;
#[cfg(feature = "router")]
mod router;
mod show_environ;
mod url_map;

pub use cascade::{cascade, cascade_when};
#[cfg(feature = "files")]
pub use files::{Files, files};
pub use health::{Readiness, health};
pub use redirect::{Location, redirect};
#[cfg(feature = "router")]
pub use router::{MatchedRoute, Nested, ParamError, Params, Routes, route, routes};
pub use show_environ::show_environ;
pub use url_map::url_map;

use crate::application::App;
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::start_response::{Name, StartResponse};

/// An endpoint: its name for logs, whether one of those that it calls may block, and what it does.
fn endpoint<F>(name: fn() -> &'static str, may_block: bool, call: F) -> App
where
    F: Fn(Environ, StartResponse) -> Result + Send + Sync + 'static,
{
    App::node(Name::Type(name), may_block, call)
}

/// Answers with `NNN Reason` as text.
fn answer(mut head: Head, start_response: StartResponse) -> Result {
    let (plain, text) = Head::plain(head.status);
    head.headers.extend(plain.headers);
    start_response.send(head)?;
    Ok(text.into())
}
