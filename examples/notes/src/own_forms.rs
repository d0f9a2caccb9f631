//! A middleware of the site's own: what changes notes has to come from a form of this site.

use vestibule::http::{HeaderMap, Method};
use vestibule::{App, Error, app_fn};

/// Refuses with 403 what another site has a browser send here, with the rights of whoever sits before it (CSRF).
///
/// Browsers say where a request comes from by Sec-Fetch-Site, and those from before 2023 by Origin. Who says neither is
/// no browser, and nobody else's rights are with it.
pub fn only_own_forms(inner: App) -> App {
    app_fn(move |environ, start_response| {
        let changes_nothing = matches!(*environ.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        match changes_nothing || comes_from_here(environ.headers()) {
            true => inner.call(environ, start_response),
            false => Err(Error::with_status(403, "a form of another site")),
        }
    })
}

fn comes_from_here(headers: &HeaderMap) -> bool {
    // One that is no text is there all the same.
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").is_some_and(|(_, host)| Some(host) == text("host")),
        (None, None) => true,
    }
}
