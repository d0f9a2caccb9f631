//! The codecs of `wire`, as properties: whatever is meant survives the wire, however it is cut, and nothing that
//! arrives makes them panic or take more memory than their limits say.
#![cfg(all(feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "codecs/fastcgi.rs"]
mod fastcgi;
#[path = "codecs/head.rs"]
mod head;
#[path = "codecs/packets.rs"]
mod packets;
#[path = "codecs/responses.rs"]
mod responses;
#[path = "codecs/web_server.rs"]
mod web_server;
