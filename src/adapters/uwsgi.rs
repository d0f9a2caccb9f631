//! uwsgi, the protocol of uWSGI, as NGINX, Apache and lighttpd speak it.
//!
//! [`Server`] has the execution, the limits and the graceful stop of [`adapters::http`](super::http). The protocol has one
//! request for each connection, which costs more than a connection that is kept: see [`fastcgi`](super::fastcgi). Of the
//! packets that uWSGI knows, only requests are taken; the others, by which uWSGI can be made to run code, end the
//! connection.
//!
//! ```no_run
//! use vestibule::{adapters::uwsgi::Server, app_fn};
//!
//! let app = app_fn(|environ, start_response| {
//!     start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(format!("hello from {}\n", environ.script_name()).into())
//! });
//! // `uwsgi_pass unix:/run/app/app.sock;` in NGINX.
//! Server::bind("unix:/run/app/app.sock")?.run(app)?;
//! # Ok::<(), vestibule::Error>(())
//! ```

use bytes::{Bytes, BytesMut};

use super::forwarded::{Codec, Event, Forwarded, Lost, OneRequest, max_params};
use crate::server::{self, ServerLimits};
use crate::wire::cgi::{ContentLength, HeadForm};
use crate::wire::{Output, uwsgi};

pub use crate::server::Handle;

/// A server of uwsgi.
pub type Server = server::Server<Forwarded<Uwsgi>>;

/// What a connection of it remembers.
#[derive(Debug)]
pub struct Uwsgi {
    request: OneRequest,
    max_params: usize,
}

impl Codec for Uwsgi {
    const NAME: &'static str = "uwsgi";

    fn new(limits: &ServerLimits) -> Self {
        // The variables repeat the path several times, and have names of their own.
        Self { request: OneRequest::new(HeadForm::Http), max_params: max_params(limits) }
    }

    fn decode(&mut self, input: &mut BytesMut, _output: &mut Output) -> Result<Option<Event>, Lost> {
        let max_params = self.max_params;
        self.request.decode(input, |input| match uwsgi::decode(input, max_params) {
            Ok(None) => Ok(None),
            // A length that makes no sense is refused where the variables are read.
            Ok(Some(params)) => {
                let length = match ContentLength::parse(params.get("CONTENT_LENGTH")) {
                    Ok(ContentLength::Known(length)) => length,
                    _ => 0,
                };
                Ok(Some((params, length)))
            }
            Err(error) => Err((error.to_string(), error.status())),
        })
    }

    fn write(&self, output: &mut Output, _id: u16, block: Bytes) {
        OneRequest::write(output, block);
    }

    fn end(&mut self, _output: &mut Output, _id: u16) {}

    fn is_idle(&self) -> bool {
        self.request.is_idle()
    }
}
