//! One line on its way: what is known early is written early.

use std::fmt::Write;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderName};

use super::format::{Early, Format, Late, Piece, Unit};
use super::{date, escape};
use crate::environ::Environ;
use crate::head::Head;
use crate::lifecycle::{End, Outcome};
use crate::middleware::User;

/// The line of one request.
#[derive(Default)]
pub(super) struct Line {
    text: String,
    /// Where in the text the late parts belong, in their order.
    gaps: Vec<usize>,
    began: Option<Instant>,
    /// Of the environ, as it was outside.
    user: Option<User>,
    /// Of the head, where that of the application or of a middleware inside was sent.
    head_user: Option<User>,
    remote_user: Option<Vec<u8>>,
    /// What is wanted of the headers of the response, escaped, in the order of the format.
    headers: Vec<String>,
}

impl Line {
    /// Writes what is known of the request.
    pub(super) fn begin(format: &Format, environ: &Environ) -> Self {
        let mut line = Self { text: String::with_capacity(128), began: Some(Instant::now()), ..Self::default() };
        for piece in &format.0 {
            match piece {
                Piece::Text(text) => line.text.push_str(text),
                Piece::Early(early) => write_early(&mut line.text, early, environ),
                Piece::Late(_) => line.gaps.push(line.text.len()),
            }
        }
        if format.wants_user() {
            line.user = environ.extensions().get().cloned();
            line.remote_user = environ.var("REMOTE_USER").map(Into::into);
        }
        line
    }

    /// Notes what is wanted of the head of the response.
    pub(super) fn look_at(&mut self, format: &Format, head: &Head) {
        if let (true, Some(user)) = (format.wants_user(), head.extension::<User>()) {
            self.head_user = Some(user.clone());
        }
        self.headers.clear();
        self.headers.extend(format.response_headers().map(|name| {
            let mut text = String::new();
            header(&mut text, &head.headers, name);
            text
        }));
    }

    /// The whole line.
    pub(super) fn end(self, format: &Format, outcome: &Outcome) -> String {
        let mut line = String::with_capacity(self.text.len() + 64);
        let late = format.0.iter().filter_map(|piece| match piece {
            Piece::Late(late) => Some(late),
            _ => None,
        });
        let (mut written, mut headers) = (0, self.headers.iter());
        for (late, &gap) in late.zip(&self.gaps) {
            line.push_str(&self.text[written..gap]);
            written = gap;
            match late {
                Late::Header(_) => line.push_str(headers.next().map_or("-", String::as_str)),
                late => self.write_late(&mut line, late, outcome),
            }
        }
        line.push_str(&self.text[written..]);
        line
    }

    fn write_late(&self, line: &mut String, late: &Late, outcome: &Outcome) {
        match late {
            Late::User => {
                let inside = self.head_user.as_ref().map(User::name).or(outcome.user.as_deref());
                let user = inside.or(self.user.as_ref().map(User::name)).map(str::as_bytes);
                match user.or(self.remote_user.as_deref()).filter(|user| !user.is_empty()) {
                    Some(user) => escape::push_word(line, user),
                    None => line.push('-'),
                }
            }
            Late::Status => line.push_str(outcome.status().as_str()),
            Late::Bytes { none } => match outcome.body_bytes() {
                0 => line.push_str(none),
                bytes => show(line, bytes),
            },
            Late::Took(unit) => {
                let took = self.began.map(|began| began.elapsed()).unwrap_or_default();
                show(line, unit.of(took));
            }
            Late::Mark => line.push(if outcome.end() == End::Complete { '-' } else { 'X' }),
            Late::Outcome => line.push_str(match outcome.end() {
                End::Complete => "complete",
                End::Disconnected => "client-left",
                End::Failed => "aborted",
                End::TimedOut => "timed-out",
            }),
            // Written by the caller, which knows the order.
            Late::Header(_) => {}
        }
    }
}

fn write_early(line: &mut String, early: &Early, environ: &Environ) {
    let target = |line: &mut String| {
        escape::push(line, environ.raw_path().as_bytes());
        query(line, environ);
    };
    match early {
        Early::Address => match environ.remote_addr() {
            Some(address) => show(line, address.ip()),
            None => line.push('-'),
        },
        Early::Date => date::write(line, date::since_1970(SystemTime::now())),
        Early::Since1970(unit) => show(line, unit.of(date::since_1970(SystemTime::now()))),
        Early::RequestLine => {
            line.push_str(environ.method().as_str());
            line.push(' ');
            target(line);
            line.push(' ');
            line.push_str(environ.server_protocol());
        }
        Early::Method => line.push_str(environ.method().as_str()),
        Early::Path => escape::push(line, environ.raw_path().as_bytes()),
        Early::Query => query(line, environ),
        Early::Protocol => line.push_str(environ.server_protocol()),
        Early::Header(name) => header(line, environ.headers(), name),
        Early::Variable(name) => match environ.var(name) {
            Some(value) => escape::push(line, &value),
            None => line.push('-'),
        },
        Early::ServerName => escape::push(line, environ.server_name().as_bytes()),
        Early::ServerPort => show(line, environ.server_port()),
    }
}

fn query(line: &mut String, environ: &Environ) {
    if !environ.query_string().is_empty() {
        line.push('?');
        escape::push(line, environ.query_string().as_bytes());
    }
}

fn show(line: &mut String, value: impl std::fmt::Display) {
    // A String takes all that is written.
    let _ = write!(line, "{value}");
}

/// The values of a header, or `-` where there is none.
fn header(line: &mut String, headers: &HeaderMap, name: &HeaderName) {
    let mut values = headers.get_all(name).iter();
    match values.next() {
        None => line.push('-'),
        Some(first) => escape::push(line, first.as_bytes()),
    }
    for value in values {
        line.push_str(", ");
        escape::push(line, value.as_bytes());
    }
}

impl Unit {
    fn of(self, duration: std::time::Duration) -> u128 {
        match self {
            Self::Seconds => duration.as_secs().into(),
            Self::Milliseconds => duration.as_millis(),
            Self::Microseconds => duration.as_micros(),
        }
    }
}
