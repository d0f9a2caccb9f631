//! The request body, from standard input.

use std::io::{self, Read};

use crate::adapters::gateway::BodyLength;
use crate::input::Input;

/// As many bytes as were announced and no more: RFC 3875, section 4.2, forbids to read on. Or all, to the end.
pub(super) fn of(body: BodyLength) -> Input {
    match body {
        BodyLength::Nothing => Input::empty(),
        BodyLength::Known(length) => Input::reader(io::stdin().take(length)).with_length(length),
        BodyLength::Unknown => Input::reader(io::stdin()),
    }
}
