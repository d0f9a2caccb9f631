//! What the connections of a server share of its application: the application, the threads, the hook, the limits.

use std::time::Instant;

use http::StatusCode;

use super::{ServerLimits, access_log};
use crate::application::App;
use crate::environ::Environ;
use crate::server::{Begun, Execution, Hook, Place, Pool, begin};

pub(crate) struct Backend {
    pub(crate) app: App,
    pub(crate) place: Place,
    pub(crate) pool: Pool,
    pub(crate) limits: ServerLimits,
    hook: Hook,
    /// Each request gets a line in the access log.
    logs: bool,
}

impl Backend {
    /// The pool, where one is needed, is inside of the runtime that this is called in.
    pub(crate) fn new(app: App, execution: &Execution, hook: Hook, limits: ServerLimits, logs: bool) -> Self {
        Self { app, place: execution.place(), pool: execution.start_pool(), limits, hook, logs }
    }

    /// Now, where the access log is to tell how long a request took.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.logs.then(Instant::now)
    }

    /// Does what the deployer has asked for, and begins the exchange of a request that came at this time.
    ///
    /// # Errors
    ///
    /// The status to answer with, when the deployer's hook has failed.
    #[inline]
    pub(crate) fn begin(
        &self,
        mut environ: Environ,
        place: Place,
        began: Option<Instant>,
    ) -> Result<Begun, StatusCode> {
        if self.limits.whole_read != ServerLimits::default().whole_read {
            environ.input_mut().limit_whole_reads(self.limits.whole_read);
        }
        if let Some(began) = began {
            access_log::log(&mut environ, began);
        }
        self.hook.call(&mut environ, "Server::environ")?;
        Ok(begin(&self.app, environ, place, &self.pool))
    }
}
