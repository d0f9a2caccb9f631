//! What visitors see: functions that return HTML. Every text that is not ours goes through [`Text`].

use std::fmt::{self, Display, Formatter, Write};

use crate::Note;
use crate::form::Draft;
use crate::link::Link;

pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

pub fn list(link: &Link, words: &str, notes: &[Note]) -> String {
    let items: String =
        notes.iter().map(|note| format!("<li><a href=\"{link}/{}\">{}</a>\n", note.id, Text(&note.title))).collect();
    let words = Text(words);
    let search = format!(
        "<form><input type=\"search\" name=\"q\" value=\"{words}\" aria-label=\"Words\">\n\
         <button>Search</button></form>\n"
    );
    let found = if notes.is_empty() { "<p>There are none.\n".to_owned() } else { format!("<ul>\n{items}</ul>\n") };
    layout(link, "Notes", &format!("{search}{found}<p><a href=\"{link}/new\">A new note</a>\n"))
}

pub fn note(link: &Link, note: &Note) -> String {
    let (at, text) = (format!("{link}/{}", note.id), Text(&note.text));
    let delete = format!("<form method=\"post\" action=\"{at}/delete\"><button>Delete</button></form>\n");
    layout(link, &note.title, &format!("<pre>\n{text}</pre>\n<p><a href=\"{at}/edit\">Edit</a>\n{delete}"))
}

/// The form for a new note, or for the one with this number.
pub fn form(link: &Link, id: &str, draft: &Draft, fault: &str) -> String {
    let (title, text) = (Text(&draft.title), Text(&draft.text));
    // A line break behind <textarea> and <pre> is not part of the text, so that one of the text itself needs it.
    let form = format!(
        "<p class=\"fault\">{fault}</p>\n<form method=\"post\" action=\"{link}/{id}\">\n\
         <p><label>Title <input name=\"title\" value=\"{title}\" maxlength=\"200\" required></label>\n\
         <p><label>Text <textarea name=\"text\" rows=\"12\">\n{text}</textarea></label>\n\
         <p><button>Keep it</button>\n</form>\n"
    );
    layout(link, if id.is_empty() { "A new note" } else { "Edit" }, &form)
}

/// What is around each page.
pub fn layout(link: &Link, title: &str, content: &str) -> String {
    let title = Text(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <link rel=\"icon\" href=\"{link}/static/icon.svg\">\n\
         <link rel=\"stylesheet\" href=\"{link}/static/site.css\">\n\
         <nav><a href=\"{link}/\">Notes</a></nav>\n<h1>{title}</h1>\n{content}"
    )
}

/// A text as it stands between tags and in the quotes of an attribute, whatever is in it.
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => f.write_char(other),
        })
    }
}
