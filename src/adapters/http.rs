//! HTTP/1.1 and HTTP/2, by hyper.
//!
//! [`Server`] listens and serves; [`serve`](crate::serve) and [`run`](crate::run) are its short forms. [`Service`] is
//! an application as a hyper service, for a loop of one's own.

mod connection;
mod incoming;
mod limits;
mod link;
mod outgoing;
mod serve;
mod service;
mod streams;
mod timer;

pub use outgoing::{Aborted, Outgoing};
pub(crate) use serve::run;
pub use serve::{Server, serve};
pub use service::{Respond, Service};

pub use crate::server::Handle;
