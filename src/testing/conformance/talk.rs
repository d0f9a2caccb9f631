//! `Talk`: what the client's part of a case talks to the application with, and the checks of what comes back.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::wire::Wire;
use super::{Case, Client, Need, Request, Response, kinds};
use crate::error::{Error, Result};

/// The request header that picks a case.
pub(super) const CASE: &str = "x-conformance";
/// The request header under whose value the application makes its notes.
pub(super) const TOKEN: &str = "x-conformance-token";
/// The request header that picks one of the kinds of body.
pub(super) const KIND: &str = "x-conformance-kind";
/// The request header that picks one row of a case's own table.
pub(super) const VARIANT: &str = "x-conformance-variant";

/// How often the client asks for a note that has to come, and how long it waits in between.
const TRIES: u32 = 1500;
/// How often it asks for one that need not come.
const FEW_TRIES: u32 = 15;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// One case, as its client sees it: where to send what, and what was noted.
pub(super) struct Talk<'a> {
    client: &'a dyn Client,
    mount: &'a str,
    case: &'static Case,
    token: String,
    kind: Option<&'static str>,
    variant: Option<String>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(client: &'a dyn Client, mount: &'a str, case: &'static Case) -> Self {
        Self { client, mount, case, token: fresh_token(), kind: None, variant: None }
    }

    pub(super) fn mount(&self) -> &str {
        self.mount
    }

    pub(super) fn case(&self) -> &'static Case {
        self.case
    }

    pub(super) fn kind(&self) -> &str {
        self.kind.unwrap_or_default()
    }

    pub(super) fn variant(&self) -> &str {
        self.variant.as_deref().unwrap_or_default()
    }

    pub(super) fn supports(&self, need: Need) -> bool {
        self.client.supports(need)
    }

    /// The same with a token of its own, so that notes do not mix.
    pub(super) fn again(&self) -> Self {
        Self { token: fresh_token(), variant: self.variant.clone(), ..*self }
    }

    pub(super) fn with_variant(&self, variant: &str) -> Self {
        Self { variant: Some(variant.to_owned()), ..self.again() }
    }

    /// Checks each row of a case's table.
    pub(super) fn each<'v>(
        &self,
        variants: impl IntoIterator<Item = &'v str>,
        check: impl Fn(&Talk<'_>) -> Result<()>,
    ) -> Result<()> {
        for variant in variants {
            check(&self.with_variant(variant)).map_err(|error| within(variant, &error))?;
        }
        Ok(())
    }

    /// Checks the case with each kind of body.
    pub(super) fn each_kind(&self, check: impl Fn(&Talk<'_>) -> Result<()>) -> Result<()> {
        for (kind, _) in kinds::KINDS {
            let talk = Self { kind: Some(kind), ..self.again() };
            check(&talk).map_err(|error| within(kind, &error))?;
        }
        Ok(())
    }

    pub(super) fn get(&self, path_and_query: &str) -> Request {
        self.request("GET", path_and_query)
    }

    pub(super) fn post(&self, path_and_query: &str) -> Request {
        self.request("POST", path_and_query)
    }

    /// A request below the mount point.
    pub(super) fn request(&self, method: &str, path_and_query: &str) -> Request {
        let target = match path_and_query {
            "*" => "*".to_owned(),
            _ => format!("{}{path_and_query}", self.mount),
        };
        let mut request = Request::new(method, target);
        for (name, value) in self.names() {
            request = request.header(name, value);
        }
        request
    }

    /// The headers by which the application knows what to do.
    pub(super) fn names(&self) -> Vec<(&'static str, &str)> {
        let mut names = vec![(CASE, self.case.name()), (TOKEN, &*self.token)];
        names.extend(self.kind.map(|kind| (KIND, kind)));
        names.extend(self.variant.as_deref().map(|variant| (VARIANT, variant)));
        names
    }

    pub(super) fn send(&self, request: &Request) -> Result<Response> {
        self.client.send(request, &mut |_| ControlFlow::Continue(()))
    }

    /// Sends a request and looks at its body while that arrives.
    pub(super) fn watch(
        &self,
        request: &Request,
        mut look: impl FnMut(&[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Response> {
        let mut failed = None;
        let response = self.client.send(request, &mut |body| match look(body) {
            Ok(flow) => flow,
            Err(error) => {
                failed.get_or_insert(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(response), Err)
    }

    /// Sends a request and leaves as soon as there is any body.
    pub(super) fn leave_at_the_first_block(&self, request: &Request) -> Result<()> {
        let response = self.client.send(request, &mut |_| ControlFlow::Break(()))?;
        expect(!response.complete, || "a client that leaves has no complete response".to_owned())
    }

    /// A connection of its own, for HTTP/1.1 by hand.
    pub(super) fn wire(&self) -> Result<Wire> {
        Ok(Wire::new(self.client.connect()?))
    }

    /// What the application has noted so far.
    pub(super) fn notes(&self) -> Result<Vec<String>> {
        let request = Request::new("GET", format!("{}/", self.mount)).header(CASE, "notes").header(TOKEN, &self.token);
        let response = self.send(&request)?;
        equal("the status of a request for the notes", response.status.as_u16(), 200)?;
        Ok(response.text().lines().map(str::to_owned).collect())
    }

    /// Waits until the application has made a note that begins so, and returns all of them.
    pub(super) fn wait_for(&self, beginning: &str) -> Result<Vec<String>> {
        let found = self.until(TRIES, |notes| has(notes, beginning))?;
        found.map_err(|notes| format!("{beginning:?} was not noted, only {notes:?}").into())
    }

    /// Waits a moment for a note that need not come.
    pub(super) fn look_briefly_for(&self, beginning: &str) -> Result<Option<Vec<String>>> {
        Ok(self.until(FEW_TRIES, |notes| has(notes, beginning))?.ok())
    }

    /// Waits until the notes are as the case wants them.
    pub(super) fn wait_until(&self, holds: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        self.until(TRIES, holds)?.map_err(|notes| format!("these notes came and no more: {notes:?}").into())
    }

    fn until(&self, tries: u32, holds: impl Fn(&[String]) -> bool) -> Result<Result<Vec<String>, Vec<String>>> {
        let mut notes = Vec::new();
        for _ in 0..tries {
            notes = self.notes()?;
            if holds(&notes) {
                return Ok(Ok(notes));
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        Ok(Err(notes))
    }

    /// Waits for the end of the request and returns all that was noted, twice if something came after the end.
    pub(super) fn wait_for_the_end(&self) -> Result<Vec<String>> {
        self.wait_for("finished")?;
        self.notes()
    }

    /// Makes a note for the application, which may be waiting for it.
    pub(super) fn tell(&self, note: &str) -> Result<()> {
        let target = format!("{}/?{note}", self.mount);
        let request = Request::new("GET", target).header(CASE, "tell").header(TOKEN, &self.token);
        equal("the status of a request that makes a note", self.send(&request)?.status.as_u16(), 200)
    }
}

/// Tells the requests of all runs apart, also those of another process to the same server.
fn fresh_token() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An error with the place where it came up.
pub(super) fn within(place: &str, error: &Error) -> Error {
    format!("{place}: {error}").into()
}

pub(super) fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(otherwise().into()),
    }
}

pub(super) fn equal<T: PartialEq<U> + Debug, U: Debug>(what: &str, got: T, wanted: U) -> Result<()> {
    expect(got == wanted, || format!("{what} is {got:?}, not {wanted:?}"))
}

/// A whole response with this status and body.
pub(super) fn whole(response: &Response, status: u16, body: impl AsRef<[u8]>) -> Result<()> {
    equal("the status", response.status.as_u16(), status)?;
    let (got, wanted) = (&*response.body, body.as_ref());
    expect(got == wanted, || match got.len().max(wanted.len()) {
        0..200 => format!("the body is \"{}\", not \"{}\"", got.escape_ascii(), wanted.escape_ascii()),
        _ => format!("the body has {} bytes, not the {} that were wanted, or other ones", got.len(), wanted.len()),
    })?;
    expect(response.complete, || "the response is not complete".to_owned())
}

/// The response that an exchange makes itself for an error.
pub(super) fn error_response(response: &Response, status: u16) -> Result<()> {
    let reason =
        http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    equal("the status", response.status.as_u16(), status)?;
    equal("the text of the error response", response.text().trim_end(), format!("{status} {reason}"))?;
    let content_type = response.header("content-type").unwrap_or_default();
    expect(content_type.starts_with("text/plain"), || format!("its content-type is {content_type:?}"))?;
    expect(response.complete, || "the error response is not complete".to_owned())
}

/// The 500 in place of a response that was started with the header `x-left`: nothing of that one is left.
pub(super) fn replaced(response: &Response) -> Result<()> {
    error_response(response, 500)?;
    equal("x-left", response.header("x-left"), None)
}

/// A response that has begun, and that was aborted so that the client can tell.
pub(super) fn aborted(response: &Response, status: u16, body: impl AsRef<[u8]>) -> Result<()> {
    equal("the status", response.status.as_u16(), status)?;
    let (got, wanted) = (&*response.body, body.as_ref());
    expect(wanted.starts_with(got), || {
        format!("the body is \"{}\", not a part of \"{}\"", got.escape_ascii(), wanted.escape_ascii())
    })?;
    expect(!response.complete, || "the response looks complete".to_owned())
}

fn has(notes: &[String], beginning: &str) -> bool {
    notes.iter().any(|note| note.starts_with(beginning))
}

/// How often a note was made.
pub(super) fn count(notes: &[String], note: &str) -> usize {
    notes.iter().filter(|other| *other == note).count()
}

/// The notes among `of`, in the order in which they were made.
pub(super) fn only<'n>(notes: &'n [String], of: &[&str]) -> Vec<&'n str> {
    notes.iter().map(String::as_str).filter(|note| of.contains(note)).collect()
}
