//! What of a field must not stand in a line as it is.

use std::fmt::Write;

/// Adds bytes of a client to a line: what could end the field or the line, or drive a terminal, is `\xNN`.
pub(super) fn push(line: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        let mut plain = 0;
        for (at, character) in text.char_indices() {
            if !is_plain(character) {
                line.push_str(&text[plain..at]);
                plain = at + character.len_utf8();
                push_hex(line, &text.as_bytes()[at..plain]);
            }
        }
        line.push_str(&text[plain..]);
        push_hex(line, chunk.invalid());
    }
}

/// The same for a field without quotes, which a space would end.
pub(super) fn push_word(line: &mut String, bytes: &[u8]) {
    for (number, word) in bytes.split(|&byte| byte == b' ').enumerate() {
        if number > 0 {
            push_hex(line, b" ");
        }
        push(line, word);
    }
}

fn push_hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A String takes all that is written.
        let _ = write!(line, "\\x{byte:02X}");
    }
}

fn is_plain(character: char) -> bool {
    match character {
        '"' | '\\' => false,
        ' '..='~' => true,
        // The separators of lines and paragraphs, and what turns the direction of the text after it.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        character => !character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut line = String::new();
        push(&mut line, bytes);
        line
    }

    #[test]
    fn control_characters_quotes_and_what_is_not_text_are_hexadecimal() {
        assert_eq!(escaped(b"a b\r\n\x1b[2J\x7f\"\\"), r"a b\x0D\x0A\x1B[2J\x7F\x22\x5C");
        assert_eq!(
            escaped("\u{9b}2J t\u{e9}\u{202e}\u{2028}".as_bytes()),
            "\\xC2\\x9B2J t\u{e9}\\xE2\\x80\\xAE\\xE2\\x80\\xA8"
        );
        assert_eq!(escaped(b"\xff\xc3"), r"\xFF\xC3");
        let mut line = String::new();
        push_word(&mut line, b"a b\" ");
        assert_eq!(line, r"a\x20b\x22\x20");
    }

    proptest! {
        #[test]
        fn a_field_ends_neither_itself_nor_the_line_and_can_be_read_back(bytes: Vec<u8>) {
            let line = escaped(&bytes);
            prop_assert!(!line.contains('"') && !line.chars().any(char::is_control));
            let mut read = Vec::new();
            let mut parts = line.split('\\');
            read.extend_from_slice(parts.next().unwrap().as_bytes());
            for part in parts {
                prop_assert!(part.starts_with('x'));
                read.push(u8::from_str_radix(&part[1..3], 16).unwrap());
                read.extend_from_slice(&part.as_bytes()[3..]);
            }
            prop_assert_eq!(read, bytes);
        }
    }
}
