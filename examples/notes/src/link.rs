//! Links to pages of the site, wherever it is mounted.

use std::fmt::{self, Display, Formatter};

use vestibule::Environ;
use vestibule::http::Uri;

use crate::html::Text;

/// What every link begins with, as HTML has it: "" or `/prefix`.
pub struct Link(String);

impl Link {
    pub fn to(environ: &Environ) -> Self {
        let url = environ.application_url().parse().unwrap_or_else(|_| Uri::from_static("/"));
        Self(url.path().trim_end_matches('/').to_owned())
    }

    /// A page of the site, as Location names it.
    pub fn location(&self, page: impl Display) -> String {
        format!("{}/{page}", self.0)
    }
}

impl Display for Link {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Text(&self.0).fmt(f)
    }
}
