//! What a deployer has done to each environ before the application gets it.

use std::sync::Arc;

use http::StatusCode;

use crate::environ::{Environ, Errors};
use crate::error::catching;

/// Nothing, where the deployer has asked for nothing.
#[derive(Clone, Default)]
pub(crate) struct Hook(Option<Arc<Change>>);

type Change = dyn Fn(&mut Environ) + Send + Sync;

impl Hook {
    pub(crate) fn new(f: impl Fn(&mut Environ) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(f)))
    }

    /// Does it. `name` is what the deployer has called for that, for the log.
    ///
    /// # Errors
    ///
    /// The status to answer with, when it has panicked.
    #[inline]
    pub(crate) fn call(&self, environ: &mut Environ, name: &str) -> Result<(), StatusCode> {
        match &self.0 {
            None => Ok(()),
            Some(f) => call(&**f, environ, name),
        }
    }
}

/// Apart, since most deployers ask for nothing.
#[inline(never)]
fn call(f: &Change, environ: &mut Environ, name: &str) -> Result<(), StatusCode> {
    catching(|| f(environ)).map_err(|error| {
        Errors::stderr().line(format_args!("vestibule: the hook of {name}: {}", error.one_line()));
        StatusCode::INTERNAL_SERVER_ERROR
    })
}
