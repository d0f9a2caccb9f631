//! What a server with sockets grants its clients: beside what a request may be, counts and times of connections.

use std::time::Duration;

use crate::server::Limits;

/// The limits of a server. Each has a builder method and a line in docs/limits.md.
#[derive(Debug, Clone)]
pub(crate) struct ServerLimits {
    pub(crate) request: Limits,
    /// What one call of the application may ask for at once, in bytes.
    pub(crate) whole_read: u64,
    /// From the first byte of a head to its last, and from the connection to its first request.
    pub(crate) head_timeout: Duration,
    /// Between two requests.
    pub(crate) keep_alive_timeout: Duration,
    /// Without a byte of the request body while somebody waits for it.
    pub(crate) body_timeout: Duration,
    /// Without a byte of the response taken by the client.
    pub(crate) write_timeout: Duration,
    pub(crate) connections: usize,
    /// From the request to stop to the end of what is still running.
    pub(crate) shutdown_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            request: Limits::default(),
            whole_read: 16 * 1024 * 1024,
            head_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connections: 10_000,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}
