//! Serves the application of the conformance suite, to be put behind a front end or in front of another client:
//! `cargo run --example conformance -- --http 127.0.0.1:8000`.
//!
//! A test then runs `conformance::run(&Http1::tcp(address), mount)` against the front end, with `Http1::without` for what
//! that cannot do. By hand: `curl -H 'x-conformance: the-environ-describes-the-request' 'http://127.0.0.1:8000/a%20b?c'`.

use vestibule::Result;
use vestibule::testing::conformance::{application, cases};

fn main() -> Result<()> {
    eprintln!("{} cases; the header x-conformance picks one:", cases().len());
    for case in cases() {
        eprintln!("  {:<56}{}", case.name(), case.rules().join(" "));
    }
    vestibule::run(application())
}
