//! The format of a line: Apache's directives.

use http::HeaderName;

use crate::error::{Error, Fault, Result};

/// A format that was read.
#[derive(Debug)]
pub(super) struct Format(pub(super) Vec<Piece>);

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// What is known when the request comes.
    Early(Early),
    /// What is known when it has ended.
    Late(Late),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Early {
    Address,
    Date,
    Since1970(Unit),
    RequestLine,
    Method,
    Path,
    Query,
    Protocol,
    Header(HeaderName),
    Variable(String),
    ServerName,
    ServerPort,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Late {
    User,
    Status,
    Bytes { none: &'static str },
    Took(Unit),
    Header(HeaderName),
    Mark,
    Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

impl Format {
    pub(super) fn common() -> Self {
        let early = Piece::Early;
        let text = |text: &str| Piece::Text(text.to_owned());
        Self(vec![
            early(Early::Address),
            text(" - "),
            Piece::Late(Late::User),
            text(" "),
            early(Early::Date),
            text(" \""),
            early(Early::RequestLine),
            text("\" "),
            Piece::Late(Late::Status),
            text(" "),
            Piece::Late(Late::Bytes { none: "-" }),
        ])
    }

    pub(super) fn combined() -> Self {
        let text = |text: &str| Piece::Text(text.to_owned());
        let header = |name| Piece::Early(Early::Header(name));
        let Self(mut pieces) = Self::common();
        pieces.extend([text(" \""), header(http::header::REFERER), text("\" \""), header(http::header::USER_AGENT)]);
        pieces.push(text("\""));
        Self(pieces)
    }

    pub(super) fn parse(format: &str) -> Result<Self> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        let mut rest = format;
        while let Some(percent) = rest.find('%') {
            text.push_str(&rest[..percent]);
            let (directive, after) = directive(&rest[percent + 1..]);
            let read = directive.and_then(|directive| directive.piece());
            match read {
                Err(why) => {
                    let at = format.len() - rest.len() + percent;
                    let shown = &rest[percent..rest.len() - after.len()];
                    return Err(fault(format, at, shown, &why));
                }
                Ok(Piece::Text(more)) => text.push_str(&more),
                Ok(piece) => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(piece);
                }
            }
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self(pieces))
    }

    pub(super) fn wants_user(&self) -> bool {
        self.0.contains(&Piece::Late(Late::User))
    }

    /// Whether a part of the line is known with the head of the response.
    pub(super) fn waits_for_head(&self) -> bool {
        self.wants_user() || self.response_headers().next().is_some()
    }

    pub(super) fn response_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Late(Late::Header(name)) => Some(name),
            _ => None,
        })
    }
}

fn fault(format: &str, at: usize, shown: &str, why: &str) -> Error {
    Fault::Gateway(format!("access log format {format:?}: `{shown}` at byte {at} {why}")).into()
}

/// A percent sign's letter, with what stands between the two.
struct Directive<'a> {
    argument: Option<&'a str>,
    letter: char,
}

/// Reads a directive behind its percent sign; what follows it comes along.
fn directive(text: &str) -> (Result<Directive<'_>, String>, &str) {
    // Apache's choice between the first and the last status of an internal redirect: there is only one here.
    let text = text.strip_prefix(['<', '>']).unwrap_or(text);
    let (argument, text) = match text.strip_prefix('{') {
        None => (None, text),
        Some(inside) => match inside.split_once('}') {
            Some((argument, after)) => (Some(argument), after),
            None => return (Err("has no closing brace".to_owned()), ""),
        },
    };
    let Some(letter) = text.chars().next() else { return (Err("ends the format".to_owned()), "") };
    let after = &text[letter.len_utf8()..];
    match letter {
        '!' | ',' | '0'..='9' => (Err("is a condition on the status, which there is not here".to_owned()), after),
        letter => (Ok(Directive { argument, letter }), after),
    }
}

impl Directive<'_> {
    fn piece(&self) -> Result<Piece, String> {
        let early = |early| Ok(Piece::Early(early));
        let late = |late| Ok(Piece::Late(late));
        let header = |name: &str| HeaderName::try_from(name).map_err(|_| "has no name of a header".to_owned());
        match (self.letter, self.argument) {
            ('%', None) => Ok(Piece::Text("%".to_owned())),
            ('l', None) => Ok(Piece::Text("-".to_owned())),
            ('P', None) => Ok(Piece::Text(std::process::id().to_string())),
            ('h' | 'a', None) => early(Early::Address),
            ('t', None) => early(Early::Date),
            ('t', Some("sec")) => early(Early::Since1970(Unit::Seconds)),
            ('t', Some("msec")) => early(Early::Since1970(Unit::Milliseconds)),
            ('t', Some("usec")) => early(Early::Since1970(Unit::Microseconds)),
            ('r', None) => early(Early::RequestLine),
            ('m', None) => early(Early::Method),
            ('U', None) => early(Early::Path),
            ('q', None) => early(Early::Query),
            ('H', None) => early(Early::Protocol),
            ('v' | 'V', None) => early(Early::ServerName),
            ('p', None) => early(Early::ServerPort),
            ('i', Some(name)) => early(Early::Header(header(name)?)),
            ('e', Some(name)) if !name.is_empty() => early(Early::Variable(name.to_owned())),
            ('u', None) => late(Late::User),
            ('s', None) => late(Late::Status),
            ('b', None) => late(Late::Bytes { none: "-" }),
            ('B', None) => late(Late::Bytes { none: "0" }),
            ('D', None) | ('T', Some("us")) => late(Late::Took(Unit::Microseconds)),
            ('T', Some("ms")) => late(Late::Took(Unit::Milliseconds)),
            ('T', None | Some("s")) => late(Late::Took(Unit::Seconds)),
            ('o', Some(name)) => late(Late::Header(header(name)?)),
            ('X', None) => late(Late::Mark),
            ('X', Some("outcome")) => late(Late::Outcome),
            ('i' | 'o' | 'e', _) => Err("needs a name in braces, as in `%{Referer}i`".to_owned()),
            (_, Some(_)) => Err("is no directive with an argument".to_owned()),
            (_, None) => Err("is no directive".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_two_formats_of_old_are_what_they_are_written_as() {
        let common = Format::parse(r#"%h %l %u %t "%r" %>s %b"#).unwrap();
        assert_eq!(common.0, Format::common().0);
        let combined = Format::parse(r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i""#).unwrap();
        assert_eq!(combined.0, Format::combined().0);
    }

    #[test]
    fn a_fault_says_what_and_where() {
        for (format, why) in [
            ("%h %Q", "`%Q` at byte 3 is no directive"),
            ("a%", "`%` at byte 1 ends the format"),
            ("%{Referer", "`%{Referer` at byte 0 has no closing brace"),
            ("%i", "`%i` at byte 0 needs a name in braces"),
            ("%{a b}i", "`%{a b}i` at byte 0 has no name of a header"),
            ("%{x}h", "`%{x}h` at byte 0 is no directive with an argument"),
            ("%400s", "`%4` at byte 0 is a condition on the status"),
            ("%\u{e9}", "`%\u{e9}` at byte 0 is no directive"),
        ] {
            let error = Format::parse(format).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.is_gateway());
        }
    }

    proptest! {
        #[test]
        fn every_text_is_a_format_or_a_fault(format: String, tail in "[%{}a-zA-Z>!0-9 ]{0,12}") {
            let _ = Format::parse(&format);
            let _ = Format::parse(&tail);
        }
    }
}
