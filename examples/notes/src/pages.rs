//! The handlers: each looks at the request, asks the notes, and answers with a page or sends the browser to one.

use vestibule::apps::Params;
use vestibule::{Environ, Result, StartResponse};

use crate::Notes;
use crate::form::{Draft, field};
use crate::html;
use crate::link::Link;

pub fn list(notes: &Notes, environ: Environ, start_response: StartResponse) -> Result {
    let words = field(environ.query_string().as_bytes(), "q");
    let found = notes.search(&words)?;
    page(200, html::list(&Link::to(&environ), &words, &found), start_response)
}

pub fn show(notes: &Notes, environ: Environ, start_response: StartResponse) -> Result {
    let note = notes.find(id(&environ)?)?;
    page(200, html::note(&Link::to(&environ), &note), start_response)
}

pub fn new(_: &Notes, environ: Environ, start_response: StartResponse) -> Result {
    page(200, html::form(&Link::to(&environ), "", &Draft::default(), ""), start_response)
}

pub fn create(notes: &Notes, mut environ: Environ, start_response: StartResponse) -> Result {
    let draft = Draft::read(&mut environ)?;
    let link = Link::to(&environ);
    if let Some(fault) = draft.fault() {
        return page(422, html::form(&link, "", &draft, fault), start_response);
    }
    let id = notes.create(&draft)?;
    see(&link.location(id), start_response)
}

pub fn edit(notes: &Notes, environ: Environ, start_response: StartResponse) -> Result {
    let note = notes.find(id(&environ)?)?;
    let draft = Draft { title: note.title, text: note.text };
    page(200, html::form(&Link::to(&environ), &note.id.to_string(), &draft, ""), start_response)
}

pub fn update(notes: &Notes, mut environ: Environ, start_response: StartResponse) -> Result {
    let id = id(&environ)?;
    let draft = Draft::read(&mut environ)?;
    let link = Link::to(&environ);
    if let Some(fault) = draft.fault() {
        return page(422, html::form(&link, &id.to_string(), &draft, fault), start_response);
    }
    notes.update(id, &draft)?;
    see(&link.location(id), start_response)
}

pub fn delete(notes: &Notes, environ: Environ, start_response: StartResponse) -> Result {
    notes.delete(id(&environ)?)?;
    see(&Link::to(&environ).location(""), start_response)
}

/// The note that the path is about; a 404 where it is no number.
fn id(environ: &Environ) -> Result<i64> {
    Params::of(environ).get("id")
}

fn page(status: u16, html: String, start_response: StartResponse) -> Result {
    start_response.start(status, [("content-type", html::CONTENT_TYPE)])?;
    Ok(html.into())
}

/// Sends the browser to a page by GET, so that reloading it sends no form again.
fn see(location: &str, start_response: StartResponse) -> Result {
    start_response.start(303, [("location", location)])?;
    Ok(().into())
}
