//! Endpoints: applications that are ready made, and those that pick another one.

#[cfg(feature = "files")]
mod files;

#[cfg(feature = "files")]
pub use files::{Files, files};
