//! Wire: codecs of the protocols that web servers speak with applications, bytes in and events out.
//!
//! For authors of adapters. There is no socket here, no clock and no request: a codec is given the bytes that have
//! arrived, says what they mean, and writes the bytes that answer. The four protocols differ in how they frame the same
//! things, the variables of CGI ([`Params`]), a body, and a response that begins with a head ([`cgi::write_head`]).
//!
//! | protocol | in | out |
//! |---|---|---|
//! | FastCGI | `fastcgi::Decoder` | `fastcgi::encode` |
//! | SCGI | `scgi::decode`, then the body as it is | the head, then the body as it is |
//! | uwsgi | `uwsgi::decode`, then the body as it is | the head, then the body as it is |
//! | CGI | the process environment, standard input | standard output |
//!
//! Whoever reaches such a socket is trusted with what it says of a request, and with nothing else: every length is
//! checked against a limit before memory is taken for it, and each error says whether an answer is still possible.

pub mod cgi;
#[cfg(feature = "fastcgi")]
pub mod fastcgi;
mod output;
mod params;
#[cfg(feature = "scgi")]
pub mod scgi;
#[cfg(feature = "uwsgi")]
pub mod uwsgi;

pub use output::Output;
pub use params::Params;
