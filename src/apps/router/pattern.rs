//! Patterns of routes: as they are written, and as the tree of routes compares them.

use std::borrow::Cow;

use crate::environ::{decode, encode, is_plain};

/// The most parameters that a pattern has. The tree has names for 25.
const MAX_PARAMETERS: usize = 20;

/// A pattern that was found to be one.
#[derive(Debug)]
pub(super) struct Pattern {
    /// For the tree: what is literal is in the form of [`canonical`].
    pub(super) canonical: String,
    pub(super) parameters: Vec<Parameter>,
}

/// Where a parameter is in a path.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    segment: usize,
    /// It reaches to the end.
    is_rest: bool,
}

impl Pattern {
    /// Reads a pattern; the text of what is wrong with it follows its name in a message.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pattern = Self { canonical: String::new(), parameters: Vec::new() };
        if !(text.is_empty() || text.starts_with('/')) {
            return Err("does not begin with a slash".to_owned());
        }
        for (number, segment) in text.split('/').skip(1).enumerate() {
            if pattern.parameters.last().is_some_and(|last| last.is_rest) {
                return Err("goes on behind its `{*..}`, which takes all that follows".to_owned());
            }
            pattern.canonical.push('/');
            match segment.strip_prefix('{').filter(|rest| !rest.starts_with('{')) {
                Some(parameter) => pattern.add(parameter, number)?,
                None => pattern.canonical.push_str(&encoded(&decode(&unescaped(literal(segment)?)?))),
            }
        }
        Ok(pattern)
    }

    /// Adds what follows the `{`.
    fn add(&mut self, parameter: &str, segment: usize) -> Result<(), String> {
        let Some(name) = parameter.strip_suffix('}') else { return Err(NO_PARAMETER.to_owned()) };
        let (name, is_rest) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
        if name.contains(['{', '}']) {
            return Err(NO_PARAMETER.to_owned());
        }
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err(format!("has a parameter {name:?}: a name is of letters, digits, `_` and `-`"));
        }
        if self.parameters.iter().any(|other| other.name == name) {
            return Err(format!("has two parameters of the name `{name}`"));
        }
        if self.parameters.len() == MAX_PARAMETERS {
            return Err(format!("has more than {MAX_PARAMETERS} parameters"));
        }
        self.canonical.push_str(if is_rest { "{*" } else { "{" });
        self.canonical.push_str(name);
        self.canonical.push('}');
        self.parameters.push(Parameter { name: name.to_owned(), segment, is_rest });
        Ok(())
    }

    /// Whether it takes all that follows.
    pub(super) fn has_rest(&self) -> bool {
        self.parameters.last().is_some_and(|last| last.is_rest)
    }
}

const NO_PARAMETER: &str = "has a brace that is no `{name}` or `{*name}`: a parameter is a whole segment, \
                            and a brace that is meant is written twice";

/// A segment that is literal and can be meant so.
///
/// A path has no `?` and no `#`, and where a segment begins with `:`, `*` or `<` a parameter of another router was meant:
/// such a route would be a 404 that nobody understands.
fn literal(segment: &str) -> Result<&str, String> {
    if let Some(sign) = segment.chars().find(|sign| matches!(sign, '?' | '#')) {
        return Err(format!("has a `{sign}`, which ends a path: the query is not matched"));
    }
    match segment.chars().next() {
        Some(sign @ (':' | '*' | '<')) => Err(format!(
            "has a segment {segment:?}: a parameter is `{{name}}`, the rest `{{*name}}`, and a `{sign}` that is meant \
             `%{:02X}`",
            u32::from(sign)
        )),
        _ => Ok(segment),
    }
}

/// Braces that were written twice, once.
fn unescaped(segment: &str) -> Result<Cow<'_, str>, String> {
    if !segment.contains(['{', '}']) {
        return Ok(Cow::Borrowed(segment));
    }
    let mut literal = String::new();
    let mut characters = segment.chars();
    while let Some(character) = characters.next() {
        if matches!(character, '{' | '}') && characters.next() != Some(character) {
            return Err(NO_PARAMETER.to_owned());
        }
        literal.push(character);
    }
    Ok(Cow::Owned(literal))
}

impl Parameter {
    /// The parameter in a path that the pattern fits, as it was sent.
    pub(super) fn of<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut rest = path.strip_prefix('/')?;
        for _ in 0..self.segment {
            rest = rest.split_once('/')?.1;
        }
        if self.is_rest { Some(rest) } else { rest.split('/').next() }
    }
}

/// A path in the one form of all paths whose segments are the same when they are decoded. Most have it already.
pub(super) fn canonical(path: &str) -> Cow<'_, str> {
    // Without a branch for each byte: this is done to every request.
    if path.bytes().fold(true, |plain, byte| plain & PLAIN[usize::from(byte)]) {
        return Cow::Borrowed(path);
    }
    let segments: Vec<String> = path.split('/').map(|segment| encoded(&decode(segment))).collect();
    Cow::Owned(segments.join("/"))
}

/// Whether a byte stands in a canonical path as it is.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = is_plain(byte as u8);
        byte += 1;
    }
    plain
};

/// A segment, encoded: a slash in it is one that does not divide.
fn encoded(segment: &[u8]) -> String {
    encode(segment).replace('/', "%2F")
}

/// The first so many segments of a path, in bytes.
pub(super) fn bytes_of(path: &str, segments: usize) -> usize {
    path.match_indices('/').nth(segments).map_or(path.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_canonical_when_its_segments_are_decoded_and_encoded_again() {
        for (path, form) in [
            ("/a/b", "/a/b"),
            ("/%61/b", "/a/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/{x}|\"", "/%7Bx%7D%7C%22"),
            ("/%zz%", "/%25zz%25"),
            ("/%FF%00", "/%FF%00"),
            ("//", "//"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(canonical(path), form, "{path}");
            assert_eq!(canonical(form), form, "{path}: once is enough");
        }
    }

    #[test]
    fn segments_are_counted_in_bytes() {
        for (segments, bytes) in [(0, 0), (1, 5), (2, 9), (3, 10), (4, 10)] {
            assert_eq!(bytes_of("/a%2F/bcd/", segments), bytes, "{segments}");
        }
    }
}
