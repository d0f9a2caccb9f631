//! The exchange, rule by rule, for every kind of body, pulled by threads and by a reactor.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

#[path = "exchange/commit.rs"]
mod commit;
#[path = "exchange/end.rs"]
mod end;
#[path = "exchange/errors.rs"]
mod errors;
#[path = "exchange/framing.rs"]
mod framing;
#[path = "exchange/hang_up.rs"]
mod hang_up;
#[path = "exchange/threads.rs"]
mod threads;

use harness::play::{KINDS, Kind};
use harness::{PULLS, Pull};

/// Every kind of application, run in both ways.
fn all() -> impl Iterator<Item = (Kind, Pull)> {
    KINDS.into_iter().flat_map(|kind| PULLS.into_iter().map(move |pull| (kind, pull)))
}

/// Those whose bodies give one block after the other.
fn stepwise() -> impl Iterator<Item = (Kind, Pull)> {
    all().filter(|(kind, _)| kind.is_stepwise())
}
