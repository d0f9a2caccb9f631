//! A page for each error, in the site's own clothes.

use vestibule::middleware::{ErrorDocuments, error_documents};
use vestibule::{App, Environ, Result, StartResponse, StatusCode};

use crate::html;
use crate::link::Link;

/// Gives a page to what has none: an `Err` or a panic of a handler, a path that leads nowhere, a method that is not for
/// it. Why it was is in the log, and not on the page.
pub fn error_pages(inner: App) -> App {
    inner.wrap(error_documents(ErrorDocuments::new().other_app(page)))
}

/// The page, as an application that is asked in the place of the one that failed.
fn page(environ: Environ, start_response: StartResponse) -> Result {
    let status = environ.var("REDIRECT_STATUS").and_then(|status| StatusCode::from_bytes(&status).ok());
    let status = status.unwrap_or(StatusCode::NOT_FOUND);
    let says = match status.as_u16() {
        403 => "This form is not from here.",
        404 => "There is nothing here.",
        413 => "That is too long for a note.",
        500.. => "That did not work. We were told.",
        _ => "That is not how it is done here.",
    };
    let title = status.canonical_reason().unwrap_or("Error");
    start_response.start(200, [("content-type", html::CONTENT_TYPE)])?;
    Ok(html::layout(&Link::to(&environ), title, &format!("<p>{says}\n")).into())
}
