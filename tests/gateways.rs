//! FastCGI, SCGI, uwsgi and CGI as web servers meet them: over real sockets, and in real processes.
#![cfg(all(feature = "http", feature = "cgi", feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "gateways/serving.rs"]
#[macro_use]
mod serving;

#[path = "gateways/bodies.rs"]
mod bodies;
#[path = "gateways/client.rs"]
mod client;
#[path = "gateways/complaints.rs"]
mod complaints;
#[path = "harness/cut.rs"]
mod cut;
#[path = "gateways/fastcgi.rs"]
mod fastcgi;
#[path = "gateways/leaving.rs"]
mod leaving;
#[path = "gateways/limits.rs"]
mod limits;
#[path = "gateways/parity.rs"]
mod parity;
#[path = "gateways/processes.rs"]
mod processes;
#[path = "harness/program.rs"]
mod program;
#[path = "gateways/rows.rs"]
mod rows;
#[path = "gateways/starting.rs"]
mod starting;
#[path = "gateways/stopping.rs"]
mod stopping;
#[path = "gateways/systemd.rs"]
mod systemd;
#[path = "codecs/web_server.rs"]
mod web_server;
