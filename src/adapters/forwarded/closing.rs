//! `Closing`: how a connection of FastCGI, SCGI or uwsgi comes to its end.

use std::time::{Duration, Instant};

/// How long what nobody reads is taken after the last answer, so that the web server gets that before a reset.
const LINGER: Duration = Duration::from_secs(2);

/// How long an answer that was cut gets to be read before that is said behind it: NGINX drops what it reads together with
/// something that makes no sense.
const BEFORE_SPOILING: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// When the answers that are under way have gone out.
    Soon,
    /// In a way that shows that an answer was cut.
    Cut,
    /// So, too, when nothing is under way on a connection that several requests share. Its web server knows nothing of
    /// that: until then those that it still sends are answered.
    CutOfMany,
    /// What no web server takes for the end of an answer is sent then.
    Spoiling(Instant),
    /// That is on its way, and nothing follows.
    Spoiled,
    /// It is over; what still comes is thrown away, until then.
    Lingering(Instant),
}

impl Closing {
    /// Whether requests that still come are answered.
    pub(super) fn takes_requests(self) -> bool {
        matches!(self, Self::No | Self::CutOfMany)
    }

    pub(super) fn spoiling() -> Self {
        Self::Spoiling(Instant::now() + BEFORE_SPOILING)
    }

    pub(super) fn lingering() -> Self {
        Self::Lingering(Instant::now() + LINGER)
    }
}
