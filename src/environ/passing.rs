//! An environ that travels as an `http` request, and comes back.

use http::request::Parts;

use super::{Beyond, Environ, Inner};
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
}

impl Beyond {
    /// No gateway has said anything, and nothing is mounted.
    pub(crate) fn is_nothing(&self) -> bool {
        self.mounted == 0 && self.surroundings.is_none()
    }

    /// How many bytes of the raw path are SCRIPT_NAME.
    pub(crate) fn mounted(&self) -> usize {
        self.mounted
    }

    pub(crate) fn mounted_at(self, bytes: usize) -> Self {
        Self { mounted: bytes, ..self }
    }
}
