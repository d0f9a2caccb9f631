//! The bridge to tower, both ways.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "tower/hosted.rs"]
mod hosted;
#[path = "tower/outward.rs"]
mod outward;
#[path = "tower/services.rs"]
mod services;
