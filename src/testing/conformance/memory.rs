//! A client of the test server in memory.

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Version};

use super::{Client, Need, Request, Response, Watch};
use crate::application::Application;
use crate::body::Body;
use crate::error::Result;
use crate::testing::TestServer;

/// Runs the suite in memory, over [`TestServer`].
///
/// ```
/// use vestibule::testing::conformance::{self, Memory};
///
/// # if cfg!(debug_assertions) { // the example is a test of its own in tests/conformance.rs
/// # return;
/// # }
/// conformance::run(&Memory::new(conformance::application(), "/mnt"), "/mnt").assert_passed();
/// ```
#[derive(Debug, Clone)]
pub struct Memory {
    server: TestServer,
    mount: String,
}

impl Memory {
    /// Serves the application below a mount point, or at the root for "".
    pub fn new(application: impl Application, mount: &str) -> Self {
        // Lint is part of the cases, and half of these are faulty by intention.
        let server = TestServer::new(application).without_lint().mounted_at(mount);
        Self { server, mount: mount.to_owned() }
    }
}

impl Client for Memory {
    fn supports(&self, need: Need) -> bool {
        need != Need::Wire
    }

    fn send(&self, request: &Request, watch: Watch<'_>) -> Result<Response> {
        // The test server adds the mount point itself.
        let target = request.target().strip_prefix(&*self.mount).unwrap_or(request.target());
        let mut sent = self.server.request(Method::from_bytes(request.method().as_bytes())?, target);
        for (name, value) in request.headers() {
            sent = sent.header(name, value);
        }
        if request.protocol() == Version::HTTP_10 {
            sent = sent.version(Version::HTTP_10);
        }
        let mut trailers = HeaderMap::new();
        for (name, value) in request.trailers() {
            trailers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        sent = match (request.content_length(), request.is_unknown_length()) {
            (Some(length), _) => {
                let body: Bytes = request.body_blocks().concat().into();
                let sent = sent.body(body);
                if request.leaves_early() { sent.promising(length) } else { sent }
            }
            (None, true) => sent.body_with_trailers(Body::iter(request.body_blocks().to_vec()), trailers),
            (None, false) => sent,
        };
        let mut stream = sent.stream();
        let mut body = Vec::new();
        while let Some(block) = stream.next() {
            body.extend_from_slice(&block);
            if watch(&body).is_break() {
                return Ok(Response { body: body.into(), ..response(&stream.hang_up()) });
            }
        }
        let ended = stream.finish();
        Ok(Response { body: body.into(), ..response(&ended) })
    }
}

fn response(ended: &crate::testing::TestResponse) -> Response {
    Response {
        status: ended.status(),
        reason: ended.reason_phrase().map(str::to_owned),
        headers: ended.headers().clone(),
        body: Bytes::new(),
        trailers: ended.trailers().clone(),
        complete: ended.is_complete(),
        log: ended.errors().to_owned(),
    }
}
