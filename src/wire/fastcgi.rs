//! FastCGI 1.0, the application's side: requests, several at a time, in records over one connection.
//!
//! A [`Decoder`] takes what arrives on a connection apart into [`Event`]s; the functions of [`encode`] write the records
//! that answer. What an adapter owes to the two:
//!
//! - [`Decoder::end`] when the END_REQUEST of an id was written, before its bytes can reach the web server.
//! - A full response of its own to what is refused, with END_REQUEST behind it: front ends mistreat the protocol's own
//!   ways to say no. Apache makes an empty 200 of OVERLOADED and CANT_MPX_CONN, and HAProxy waits for more.
//! - With `keep_conn` unset, to close the connection behind the END_REQUEST; best when [`Decoder::is_idle`], as closing
//!   on unread bytes may cost the end of the response.
//! - Without END_REQUEST to close the connection behind a response that failed midway, so that the client can tell.
//! - Time limits, also from [`Event::Begin`] to [`Event::Params`].
//!
//! ```
//! use bytes::{Buf, Bytes, BytesMut};
//! use vestibule::wire::Output;
//! use vestibule::wire::fastcgi::{Decoder, Event, ProtocolStatus, encode};
//!
//! let mut input = BytesMut::from(
//!     &b"\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\
//!        \x01\x04\x00\x01\x00\x13\x05\x00\x0e\x03REQUEST_METHODGET\0\0\0\0\0\
//!        \x01\x04\x00\x01\x00\x00\x00\x00\
//!        \x01\x05\x00\x01\x00\x00\x00\x00"[..],
//! );
//! let (mut decoder, mut output) = (Decoder::new(), Output::new());
//! while let Some(event) = decoder.decode(&mut input)? {
//!     if let Event::Params { id, params: Ok(params) } = event {
//!         assert_eq!(params.get("REQUEST_METHOD"), Some(&b"GET"[..]));
//!         encode::stdout(&mut output, id, Bytes::from_static(b"Status: 204 No Content\r\n\r\n"));
//!         encode::end_request(&mut output, id, 0, ProtocolStatus::RequestComplete);
//!         decoder.end(id);
//!     }
//! }
//! assert!(decoder.is_idle());
//! assert_eq!(output.remaining(), 8 + 26 + 16);
//! # Ok::<(), vestibule::wire::fastcgi::ConnectionError>(())
//! ```

mod decoder;
pub mod encode;
mod error;
mod event;
pub mod pairs;
mod record;
mod requests;

pub use decoder::Decoder;
pub use error::{ConnectionError, ParamsError};
pub use event::{Event, Refusal, Role};
pub use record::{Header, ProtocolStatus, RecordType, Values};
