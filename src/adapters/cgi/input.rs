//! The request body, from standard input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use crate::adapters::gateway::BodyLength;
use crate::input::Input;

/// As many bytes as were announced and no more: RFC 3875, section 4.2, forbids to read on. Or all, to the end.
pub(super) fn of(body: BodyLength) -> Input {
    match body {
        BodyLength::Nothing => Input::empty(),
        BodyLength::Known(length) => match unbuffered() {
            Ok(stdin) => Input::reader(stdin.take(length)).with_length(length),
            Err(_) => Input::reader(io::stdin().take(length)).with_length(length),
        },
        BodyLength::Unknown => Input::reader(io::stdin()),
    }
}

/// `io::stdin` reads ahead, beyond what it is asked for.
fn unbuffered() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}
