//! What is kept of a request to tell which one it was, where something of it may fail later.

use std::fmt;

use http::Method;
use http::uri::PathAndQuery;

use crate::environ::{Environ, Errors};
use crate::error::escaped;

/// The method and the path, and where to write what is wrong. Nothing is copied of a request that goes well.
pub(super) struct Asked {
    method: Method,
    target: Option<PathAndQuery>,
    errors: Errors,
}

impl Asked {
    pub(super) fn of(environ: &Environ) -> Self {
        Self {
            method: environ.method().clone(),
            target: environ.uri().path_and_query().cloned(),
            errors: environ.errors(),
        }
    }

    /// Writes a line to the environ's stream for errors.
    pub(super) fn log(&self, what: fmt::Arguments<'_>) {
        let path = self.target.as_ref().map_or("/", PathAndQuery::path);
        self.errors.line(format_args!("vestibule: {} {}: {what}", self.method, escaped(path)));
    }
}
