//! Forms, as browsers send them: what a visitor wants a note to be, and what is looked for.

use vestibule::{Environ, Error, Result, header};

use crate::LONGEST_FORM;

/// What stands in the fields of the form for a note.
#[derive(Debug, Default)]
pub struct Draft {
    pub title: String,
    pub text: String,
}

impl Draft {
    /// Reads the form; one that is too long is a 413, and anything else than a form a 415.
    pub fn read(environ: &mut Environ) -> Result<Self> {
        let content_type = environ.content_type().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Error::with_status(415, format!("{} {media_type:?} is no form", header::CONTENT_TYPE)));
        }
        let form = environ.input_mut().read_bytes(LONGEST_FORM)?;
        Ok(Self { title: field(&form, "title").trim().to_owned(), text: field(&form, "text") })
    }

    /// What is wrong with it, in words for the visitor.
    pub fn fault(&self) -> Option<&'static str> {
        match self.title.chars().count() {
            0 => Some("A note needs a title."),
            1..=200 => None,
            _ => Some("A title has at most 200 letters."),
        }
    }
}

/// The first field of this name; "" where there is none.
pub fn field(form: &[u8], name: &str) -> String {
    let mut fields = form_urlencoded::parse(form);
    fields.find(|(found, _)| found == name).map_or_else(String::new, |(_, value)| value.into_owned())
}
