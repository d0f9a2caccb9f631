//! `request_id` and `trusted_request_id`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use vestibule::middleware::RequestId;
use vestibule::testing::{TestRequest, TestServer};
use vestibule::{App, HeaderValue, app_fn, middleware};

use super::across::{across, is_shared};

fn is_made(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Answers with the identifier, after a look at all places where an application may find it.
fn echo() -> App {
    app_fn(|environ, start_response| {
        let id = environ.extension::<RequestId>()?.clone();
        let headers: Vec<_> = environ.headers().get_all("x-request-id").iter().collect();
        assert_eq!(headers, [id.as_str()]);
        assert_eq!(environ.var("HTTP_X_REQUEST_ID").as_deref(), Some(id.as_str().as_bytes()));
        assert_eq!(id.to_string(), id.as_str());
        start_response.start(200, [("content-type", "text/plain"), ("x-request-id", "of the application")])?;
        Ok(id.to_string().into())
    })
}

/// Sends the request, and returns the identifier that everybody agrees about.
fn agreed(request: TestRequest) -> String {
    let response = request.send();
    assert_eq!(response.status(), 200, "{}", response.errors());
    let on_response: Vec<_> = response.headers().get_all("x-request-id").iter().collect();
    assert_eq!(on_response, [response.text().as_str()]);
    response.text()
}

#[test]
fn request_ids_are_on_every_answer() {
    let ids: Arc<Mutex<HashSet<String>>> = Arc::default();
    for layer in [is_shared(middleware::request_id()), is_shared(middleware::trusted_request_id())] {
        let ids = Arc::clone(&ids);
        across(layer, move |what, _, seen| {
            let id = seen.header("x-request-id").unwrap();
            assert!(is_made(id), "{what}: {id}");
            assert!(ids.lock().unwrap().insert(id.to_owned()), "{what}: {id} is there twice");
        });
    }
    let broken = app_fn(|_, _| Err("broken".into()));
    let response = TestServer::new(broken.wrap(middleware::request_id())).get("/").send();
    assert!(is_made(response.header("x-request-id").unwrap()));
}

#[test]
fn what_a_client_sends_is_taken_only_where_it_is_trusted() {
    let (own, trusting) = (
        TestServer::new(echo().wrap(middleware::request_id())),
        TestServer::new(echo().wrap(middleware::trusted_request_id())),
    );
    for sent in ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "x".repeat(127).as_str(), "x".repeat(128).as_str(), "~!\"<>"]
    {
        assert!(is_made(&agreed(own.get("/").header("x-request-id", sent))), "{sent}");
        assert_eq!(agreed(trusting.get("/").header("x-request-id", sent)), sent);
    }
    for sent in ["", "x".repeat(129).as_str(), "a b", "a\tb", "é"] {
        let value = HeaderValue::from_bytes(sent.as_bytes()).unwrap();
        assert!(is_made(&agreed(trusting.get("/").header("x-request-id", value))), "{sent:?}");
    }
    let twice = trusting.get("/").header("x-request-id", "a").header("x-request-id", "a");
    assert!(is_made(&agreed(twice)), "of two nobody knows which is right");
}

#[test]
fn identifiers_of_many_threads_and_factories_differ() {
    let servers = [(); 3].map(|()| TestServer::new(echo().wrap(middleware::request_id())));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let servers = servers.clone();
            std::thread::spawn(move || {
                let requests = servers.iter().flat_map(|server| (0..100).map(|_| server.get("/")));
                requests.map(agreed).collect::<Vec<_>>()
            })
        })
        .collect();
    let ids: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (1200, 1200));
}

#[test]
fn an_application_without_the_middleware_is_told_what_is_missing() {
    let response = TestServer::new(echo()).get("/").send();
    assert_eq!(response.status(), 500);
    assert!(response.errors().contains("RequestId"), "{}", response.errors());
}

proptest! {
    #[test]
    fn whatever_is_sent_the_identifier_is_visible_ascii_and_short(sent in proptest::collection::vec(any::<u8>(), 0..200)) {
        let server = TestServer::new(echo().wrap(middleware::trusted_request_id()));
        let request = server.get("/");
        let (request, is_sent) = match HeaderValue::from_bytes(&sent) {
            Ok(value) => (request.header("x-request-id", value), true),
            Err(_) => (request, false),
        };
        let id = agreed(request);
        let is_valid = (1..=128).contains(&sent.len()) && sent.iter().all(u8::is_ascii_graphic);
        prop_assert_eq!(is_sent && is_valid, id.as_bytes() == sent);
        prop_assert!(id.bytes().all(|byte| byte.is_ascii_graphic()) && (1..=128).contains(&id.len()));
    }
}
