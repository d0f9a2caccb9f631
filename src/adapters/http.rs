//! HTTP/1.1 and HTTP/2, by hyper.
//!
//! [`Server`] listens and serves; [`serve`](crate::serve) and [`run`](crate::run) are its short forms. [`Service`] is
//! an application as a hyper service, for a loop of one's own.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use vestibule::{Execution, adapters::http::Server, app_fn};
//!
//! let app = app_fn(|_environ, start_response| {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok("Hello, world!\n".into())
//! });
//! Server::bind("unix:/run/app.sock")?
//!     .execution(Execution::pool().max(16))
//!     .body_limit(1024 * 1024)
//!     .shutdown_timeout(Duration::from_secs(10))
//!     .run(app)?;
//! # Ok::<(), vestibule::Error>(())
//! ```
//!
//! Each limit is a method and has a default: [`guide::limits`](crate::guide::limits) lists them.
//! [`guide::serving`](crate::guide::serving) is about threads, clients that are slow or leave, proxies and stopping.

mod connection;
mod incoming;
mod link;
mod outgoing;
mod serve;
mod service;
mod streams;

pub use outgoing::Outgoing;
pub use serve::{Server, serve};
pub use service::{Respond, Service};

pub use crate::exchange::Aborted;
pub use crate::server::Handle;
