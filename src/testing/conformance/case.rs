//! `Case`: one thing that a gateway must do, the application that shows it and the client that looks.

use std::fmt;

use super::talk::Talk;
use super::{Client, Need};
use crate::environ::Environ;
use crate::error::Result;
use crate::start_response::StartResponse;

/// One case of the suite: see [`cases`](super::cases).
pub struct Case {
    pub(super) name: &'static str,
    pub(super) rules: &'static [&'static str],
    pub(super) needs: &'static [Need],
    pub(super) application: fn(Environ, StartResponse) -> Result,
    pub(super) client: fn(&Talk<'_>) -> Result<()>,
}

impl Case {
    /// The name, which the request header `x-conformance` picks the case by.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The ids of the rules of docs/spec.md that the case is about.
    pub fn rules(&self) -> &'static [&'static str] {
        self.rules
    }

    /// What the case asks of the gateway and its client.
    pub fn needs(&self) -> &'static [Need] {
        self.needs
    }

    /// The need of the case that is not met.
    pub(super) fn lacks(&self, client: &dyn Client, mount: &str) -> Option<Need> {
        self.needs.iter().copied().find(|need| match need {
            Need::Mount => mount.is_empty(),
            need => !client.supports(*need),
        })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("rules", &self.rules).finish_non_exhaustive()
    }
}
