//! The cases, a file for each subject. In each of them stand the application and the client that looks at what comes
//! of it.

mod blocks;
mod end;
mod environ;
mod errors;
mod framing;
mod head;
mod input;
mod leaving;
mod linted;
mod middleware;
mod path;
mod requests;
mod starting;
mod waiting;

use super::Case;

/// All cases, in the order of the specification.
pub(super) fn all() -> Vec<Case> {
    let cases = [
        path::cases(),
        environ::cases(),
        input::cases(),
        starting::cases(),
        head::cases(),
        blocks::cases(),
        framing::cases(),
        errors::cases(),
        end::cases(),
        leaving::cases(),
        waiting::cases(),
        middleware::cases(),
        requests::cases(),
        linted::cases(),
    ];
    cases.into_iter().flatten().collect()
}
