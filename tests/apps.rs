//! The endpoints of `apps`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

#[cfg(feature = "files")]
#[path = "apps/files.rs"]
mod files;
