//! Serves the application of the conformance suite, for a front end or a client that is to be tested:
//! `cargo run --example conformance -- --http 127.0.0.1:8000`.
//!
//! A test then runs `conformance::run(&Http1::tcp(address), mount)` against the front end, with `Http1::without` for what that
//! cannot do. By hand: `curl -H 'x-conformance: the-environ-describes-the-request' 'http://127.0.0.1:8000/a%20b?c'`.

use vestibule::Result;
use vestibule::testing::conformance;

fn main() -> Result<()> {
    vestibule::run(conformance::application())
}
