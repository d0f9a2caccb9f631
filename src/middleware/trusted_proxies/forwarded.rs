//! Forwarded, RFC 7239: read from left to right, each byte once.

use std::borrow::Cow;

/// What one proxy has added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// All of it, as it was written.
    pub(super) text: &'a [u8],
    pub(super) node: Option<Cow<'a, [u8]>>,
    pub(super) proto: Option<Cow<'a, [u8]>>,
    pub(super) host: Option<Cow<'a, [u8]>>,
}

/// The elements of one header line; `None` where it is malformed.
///
/// `Forwarded = 1#forwarded-element`, and an element is pairs of a token and a token or quoted string, with semicolons
/// between them. Spaces around commas and semicolons are allowed, and so are colons and brackets in what is not quoted:
/// many proxies write addresses so. A parameter that an element has twice is malformed (section 4).
pub(super) fn parse(line: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut reader = Reader { line, at: 0 };
    let mut elements = Vec::new();
    loop {
        reader.skip_spaces();
        let begin = reader.at;
        let mut element = reader.element()?;
        element.text = line[begin..reader.at].trim_ascii_end();
        if !element.text.is_empty() {
            elements.push(element);
        }
        match reader.next() {
            None => return Some(elements),
            Some(b',') => {}
            Some(_) => return None,
        }
    }
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let begin = self.at;
        while self.peek().is_some_and(&is_part) {
            self.at += 1;
        }
        &self.line[begin..self.at]
    }

    fn skip_spaces(&mut self) {
        self.take_while(|byte| byte == b' ' || byte == b'\t');
    }

    /// Pairs up to a comma or the end, neither of which is taken.
    fn element(&mut self) -> Option<Element<'a>> {
        let mut element = Element::default();
        loop {
            self.skip_spaces();
            match self.peek() {
                None | Some(b',') => return Some(element),
                Some(b';') => {}
                Some(_) => self.pair(&mut element)?,
            }
            self.skip_spaces();
            match self.peek() {
                None | Some(b',') => return Some(element),
                Some(b';') => self.at += 1,
                Some(_) => return None,
            }
        }
    }

    fn pair(&mut self, element: &mut Element<'a>) -> Option<()> {
        let name = self.take_while(is_token);
        if name.is_empty() || self.next() != Some(b'=') {
            return None;
        }
        let value = self.value()?;
        let known = match name {
            name if name.eq_ignore_ascii_case(b"for") => &mut element.node,
            name if name.eq_ignore_ascii_case(b"proto") => &mut element.proto,
            name if name.eq_ignore_ascii_case(b"host") => &mut element.host,
            _ => return Some(()),
        };
        match known.replace(value) {
            None => Some(()),
            Some(_) => None,
        }
    }

    fn value(&mut self) -> Option<Cow<'a, [u8]>> {
        if self.peek() == Some(b'"') {
            self.at += 1;
            return self.quoted();
        }
        let value = self.take_while(|byte| is_token(byte) || b":[]".contains(&byte));
        (!value.is_empty()).then_some(Cow::Borrowed(value))
    }

    /// The rest of a quoted string, RFC 9110, section 5.6.4.
    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let plain = self.take_while(|byte| byte != b'"' && byte != b'\\');
        let mut value = Cow::Borrowed(plain);
        loop {
            match self.next()? {
                b'"' => return Some(value),
                b'\\' => value.to_mut().push(self.next()?),
                byte => value.to_mut().push(byte),
            }
        }
    }
}

/// RFC 9110, section 5.6.2: `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Option<Vec<[Option<String>; 3]>> {
        let text = |value: Option<Cow<'_, [u8]>>| value.map(|value| String::from_utf8(value.into_owned()).unwrap());
        let elements = parse(line.as_bytes())?;
        Some(
            elements.into_iter().map(|element| [text(element.node), text(element.proto), text(element.host)]).collect(),
        )
    }

    fn element(node: &str, proto: &str, host: &str) -> [Option<String>; 3] {
        [node, proto, host].map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    #[test]
    fn elements_and_their_pairs_are_told_apart() {
        assert_eq!(read("for=192.0.2.1;proto=http;by=203.0.113.43"), Some(vec![element("192.0.2.1", "http", "")]));
        assert_eq!(
            read(r#"For="[2001:db8:cafe::17]:4711" , for=_hidden; host=a.example"#),
            Some(vec![element("[2001:db8:cafe::17]:4711", "", ""), element("_hidden", "", "a.example")])
        );
        assert_eq!(read(r#"for=1;host="a;proto=https""#), Some(vec![element("1", "", "a;proto=https")]));
        assert_eq!(
            read(r#"for="a, for=b\"\\", for=c"#),
            Some(vec![element("a, for=b\"\\", "", ""), element("c", "", "")])
        );
        assert_eq!(read("for=192.0.2.1:80"), Some(vec![element("192.0.2.1:80", "", "")]));
        assert_eq!(read(", ,for=a,,;;proto=b;, "), Some(vec![element("a", "", ""), element("", "b", "")]));
        assert_eq!(read("x=y;secret=\"\""), Some(vec![element("", "", "")]));
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn what_is_malformed_is_not_guessed_at() {
        for line in [
            "for",
            "for=",
            "=a",
            "for =a",
            "for= a",
            "for=\"a",
            "for=\"a\\",
            "for=\"a\"b",
            "for=a b",
            "for=a;for=b",
            "for=a;FOR=b",
            "for=\"a\";proto=\"",
            "for=a\u{0}",
            "for=a/b",
            "for=\u{e9}",
            "for=a\"b\"",
            "\"for\"=a",
            "for=(a)",
            "for=a;proto=http;proto=https",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_read_or_malformed(line: Vec<u8>, likely in "[a-z=;,\" \\\\:\\[\\]_.]{0,40}") {
            let _ = parse(&line);
            let _ = parse(likely.as_bytes());
        }

        #[test]
        fn what_is_quoted_stays_in_its_value(values in prop::collection::vec("[ -~]{0,12}", 1..5)) {
            let quoted = |value: &String| format!("for=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            let line = values.iter().map(quoted).collect::<Vec<_>>().join(", ");
            let expected: Vec<_> = values.iter().map(|value| [Some(value.clone()), None, None]).collect();
            prop_assert_eq!(read(&line), Some(expected));
        }

        #[test]
        fn an_element_that_is_appended_is_the_last_one_or_the_line_is_malformed(line in "[a-z=;,\" \\\\]{0,30}") {
            if let Some(elements) = read(&format!("{line}, for=proxy")) {
                prop_assert_eq!(elements.last(), Some(&element("proxy", "", "")));
            }
        }
    }
}
