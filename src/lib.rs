//! `Fn(Environ, StartResponse) -> Result<Body>`: the gateway interface for Rust.
#![forbid(unsafe_code)]

mod application;
mod body;
mod capture;
mod environ;
mod error;
mod exchange;
mod head;
mod input;
mod lifecycle;
mod run;
#[cfg(feature = "http")]
mod server;
mod start_response;
mod waiting;

pub mod adapters;
pub mod lint;
pub mod middleware;
pub mod testing;

// The public interface is:
#[cfg(feature = "http")]
pub use adapters::http::serve;
pub use application::{App, Application, app_fn, async_fn, async_handler_fn, handler_fn};
pub use body::{Blocks, Body, Sender};
pub use capture::capture;
pub use environ::{Environ, Errors};
pub use error::{Error, Result};
pub use exchange::{CommittedHead, Exchange, HangUp, Step};
pub use head::{Head, IntoHeaders};
pub use input::Input;
pub use lifecycle::{Cancellation, End, Outcome};
pub use run::run;
#[cfg(feature = "http")]
pub use server::Execution;
pub use start_response::{StartResponse, Upgraded};

pub use {bytes, http};
#[doc(no_inline)]
pub use {
    bytes::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
