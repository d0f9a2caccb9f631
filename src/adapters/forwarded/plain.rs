//! What SCGI and uwsgi have in common: one request for each connection, its body as it is, the answer as it is.

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::codec::{Event, Lost, Request};
use crate::wire::cgi::HeadForm;
use crate::wire::{Output, Params};

/// The id of the only request.
const ID: u16 = 1;

/// A connection that carries one request.
#[derive(Debug)]
pub(crate) struct OneRequest {
    state: State,
    form: HeadForm,
}

#[derive(Debug)]
enum State {
    /// Nothing has come.
    Waiting,
    /// The variables are on their way.
    Variables,
    /// So many bytes of the body are still to come.
    Body(u64),
    /// The body is complete; that is to be said.
    BodyEnd,
    /// What comes now belongs to nothing.
    Over,
}

/// The variables of a request, and how long its body is, in bytes.
pub(crate) type Head = (Params, u64);

/// Why the variables cannot be had: the text, and the status, where the web server can be answered.
pub(crate) type Refused = (String, Option<StatusCode>);

impl OneRequest {
    pub(crate) fn new(form: HeadForm) -> Self {
        Self { state: State::Waiting, form }
    }

    /// As [`Codec::decode`](super::Codec::decode), with what takes the variables from the beginning of what has come.
    pub(crate) fn decode(
        &mut self,
        input: &mut BytesMut,
        decode_head: impl FnOnce(&mut BytesMut) -> Result<Option<Head>, Refused>,
    ) -> Result<Option<Event>, Lost> {
        match self.state {
            State::Waiting if input.is_empty() => Ok(None),
            State::Waiting => {
                self.state = State::Variables;
                Ok(Some(Event::Begun { id: ID }))
            }
            State::Variables => {
                let lost = |(text, status): Refused| Lost { text, answer: status.map(|status| (status, self.form)) };
                let Some((params, length)) = decode_head(input).map_err(lost)? else { return Ok(None) };
                self.state = if length == 0 { State::Over } else { State::Body(length) };
                let (params, form) = (Ok(params), self.form);
                Ok(Some(Event::Request(Request { id: ID, params, form, has_body: length > 0, keep: false })))
            }
            State::Body(_) if input.is_empty() => Ok(None),
            State::Body(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let block = input.split_to(length).freeze();
                self.state = match left - length as u64 {
                    0 => State::BodyEnd,
                    left => State::Body(left),
                };
                Ok(Some(Event::Body { id: ID, block }))
            }
            State::BodyEnd => {
                self.state = State::Over;
                Ok(Some(Event::BodyEnd { id: ID }))
            }
            State::Over => {
                input.clear();
                Ok(None)
            }
        }
    }

    pub(crate) fn write(output: &mut Output, block: Bytes) {
        output.push(block);
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Waiting | State::Over)
    }
}
