//! Adapters: what calls applications on behalf of a client.
//!
//! Each runs the one [`Exchange`](crate::Exchange), so an application behaves the same behind all of them. To write
//! another, make an [`Environ`](crate::Environ) of what the client sent, step an exchange, write what it gives, and
//! run the [conformance suite](crate::testing::conformance) over it.

#[cfg(any(feature = "http", feature = "tower"))]
mod clock;
#[cfg(any(feature = "http", feature = "tower"))]
mod frames;
#[cfg(any(feature = "http", feature = "tower"))]
mod message;
#[cfg(any(test, feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod mount;

#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(any(feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod forwarded;
#[cfg(any(feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod gateway;

#[cfg(feature = "cgi")]
pub mod cgi;
#[cfg(feature = "fastcgi")]
pub mod fastcgi;
#[cfg(feature = "scgi")]
pub mod scgi;
#[cfg(feature = "uwsgi")]
pub mod uwsgi;

#[cfg(any(feature = "http", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
pub use crate::server::{Handle, Server};
