//! An environ that travels as an `http` request, and comes back.

use std::net::SocketAddr;

use http::Uri;
use http::request::Parts;

use super::{Beyond, Environ, Errors, Inner, Surroundings, path};
use crate::error::Result;
use crate::input::Input;

impl Environ {
    /// Takes it apart. Who is told of the request's end stays with its exchange.
    pub(crate) fn into_parts(self) -> (Parts, Input, Beyond) {
        let Inner { parts, beyond, input, .. } = *self.0;
        (parts, input, beyond)
    }

    pub(crate) fn from_parts(parts: Parts, input: Input, beyond: Beyond) -> Self {
        Self(Box::new(Inner { parts, beyond, input, record: None }))
    }

    /// Puts a prefix that was taken off the path before SCRIPT_NAME; it is percent-encoded already.
    pub(crate) fn mount(&mut self, prefix: &str) -> Result<()> {
        let (script_name, path_info) = self.raw_path().split_at(self.0.beyond.mounted);
        let (script_name, path_info) = (format!("{prefix}{script_name}"), path_info.to_owned());
        self.set_raw(&script_name, &path_info)
    }
}

impl Beyond {
    /// With this much of the path, in bytes, as SCRIPT_NAME.
    pub(crate) fn mounted_at(mut self, bytes: usize) -> Self {
        self.mounted = bytes;
        self
    }

    pub(crate) fn mounted(&self) -> usize {
        self.mounted
    }

    /// SCRIPT_NAME of this target.
    pub(crate) fn script_name(&self, uri: &Uri) -> String {
        path::lossy(path::decode(&uri.path()[..self.mounted])).into_owned()
    }

    pub(crate) fn remote_addr(&self) -> Option<SocketAddr> {
        self.surroundings()?.remote_addr
    }

    pub(crate) fn var(&self, name: &str) -> Option<&[u8]> {
        self.surroundings()?.vars.iter().find(|(other, _)| other == name).map(|(_, value)| &value[..])
    }

    pub(crate) fn errors(&self) -> Errors {
        self.surroundings().map_or_else(Errors::stderr, |surroundings| surroundings.errors.clone())
    }

    fn surroundings(&self) -> Option<&Surroundings> {
        self.surroundings.as_deref()
    }
}

/// The URI with another path.
pub(crate) fn with_path(uri: &Uri, path: &str) -> Result<Uri> {
    path::with_path(uri, path)
}
