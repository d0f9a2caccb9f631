//! `Aborted`: what those hear of whom a response was for, when it fails after its head.

use crate::error::Error;

/// The response failed after its head, so that it ends as no complete one does.
///
/// Its source is what failed, where that is known; it is in the log already, and is not logged again by a gateway further
/// out.
#[derive(Debug, Default, thiserror::Error)]
#[error("the response was aborted")]
#[non_exhaustive]
pub struct Aborted {
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Aborted {
    pub(super) fn by(failure: Option<Error>) -> Self {
        Self { source: failure.map(Error::into_boxed) }
    }

    /// Whether an error comes from a response that was aborted further inside.
    pub(super) fn is_in(error: &Error) -> bool {
        error.chain().any(|cause| cause.is::<Self>())
    }
}
