//! `body_limit`: N - 1, N and N + 1 bytes, declared and not, read in every way.

use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Bytes, Environ, HeaderMap, Input, app_fn, async_fn, middleware};

use super::passing::passes_everything;

const LIMIT: u64 = 10;

/// Applications that read all of the body, each in its own way, and answer with it.
fn readers() -> Vec<(&'static str, App)> {
    fn blocking(read: fn(&mut Environ) -> vestibule::Result<Vec<u8>>) -> App {
        app_fn(move |mut environ, start_response| {
            let bytes = read(&mut environ)?;
            start_response.start(200, [("content-type", "text/plain")])?;
            Ok(bytes.into())
        })
    }
    vec![
        ("read_bytes", blocking(|environ| Ok(environ.input_mut().read_bytes(1 << 20)?.into()))),
        ("read_text", blocking(|environ| Ok(environ.input_mut().read_text(1 << 20)?.into()))),
        (
            "read_to_end",
            blocking(|environ| {
                let mut bytes = Vec::new();
                environ.input_mut().read_to_end(&mut bytes)?;
                Ok(bytes)
            }),
        ),
        (
            "read",
            blocking(|environ| {
                let (mut bytes, mut some) = (Vec::new(), [0; 3]);
                loop {
                    match environ.input_mut().read(&mut some)? {
                        0 => return Ok(bytes),
                        n => bytes.extend_from_slice(&some[..n]),
                    }
                }
            }),
        ),
        (
            "fill_buf",
            blocking(|environ| {
                let mut bytes = Vec::new();
                while environ.input_mut().read_until(b'-', &mut bytes)? > 0 {}
                Ok(bytes)
            }),
        ),
        (
            "duplicate",
            blocking(|environ| {
                let mut second = environ.duplicate();
                Ok(second.input_mut().read_bytes(1 << 20)?.into())
            }),
        ),
        (
            "stream",
            async_fn(|mut environ, start_response| async move {
                let mut bytes = Vec::new();
                while let Some(block) = environ.input_mut().next().await {
                    bytes.extend_from_slice(&block?);
                }
                start_response.start(200, [("content-type", "text/plain")])?;
                Ok(bytes.into())
            }),
        ),
        (
            "read_bytes_async",
            async_fn(|mut environ, start_response| async move {
                let bytes = environ.input_mut().read_bytes_async(1 << 20).await?;
                start_response.start(200, [("content-type", "text/plain")])?;
                Ok(bytes.into())
            }),
        ),
    ]
}

/// A body of so many bytes in blocks of four, whose length nobody knows.
fn unknown(bytes: usize) -> Input {
    let all = Bytes::from(vec![b'x'; bytes]);
    let blocks: Vec<Bytes> = all.chunks(4).map(|block| all.slice_ref(block)).collect();
    Input::stream(stream::iter(blocks.into_iter().map(Ok)))
}

#[test]
fn body_limit_lets_everything_pass() {
    passes_everything(middleware::body_limit(0));
}

#[test]
fn a_body_up_to_the_limit_is_read_and_a_longer_one_is_413() {
    for (name, app) in readers() {
        let server = TestServer::new(app.wrap(middleware::body_limit(LIMIT)));
        for (length, status) in [(0, 200), (9, 200), (10, 200), (11, 413), (12, 413), (100, 413)] {
            let response = server.post("/").body(vec![b'x'; length]).send();
            assert_eq!(response.status(), status, "{name}: {length} bytes, declared");
            let response = server.post("/").body(unknown(length)).send();
            assert_eq!(response.status(), status, "{name}: {length} bytes, not declared");
            if status == 200 {
                assert_eq!(response.bytes(), vec![b'x'; length], "{name}");
            }
        }
    }
}

#[test]
fn one_that_is_declared_to_be_longer_is_refused_before_the_call_and_not_read() {
    let (calls, pulls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (called, pulled) = (Arc::clone(&calls), Arc::clone(&pulls));
    let app = app_fn(move |_, start_response| {
        called.fetch_add(1, Ordering::SeqCst);
        start_response.start(204, ())?;
        Ok(Body::empty())
    });
    let server = TestServer::new(app.wrap(middleware::body_limit(LIMIT)));
    let blocks = stream::repeat_with(move || {
        pulled.fetch_add(1, Ordering::SeqCst);
        Ok("0123456789ab")
    });
    let response = server.post("/").body(Input::stream(blocks).with_length(11)).send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (413, "413 Payload Too Large\n"));
    assert_eq!((calls.load(Ordering::SeqCst), pulls.load(Ordering::SeqCst)), (0, 0));
    // The declaration counts, also where it is not true of what comes.
    let response = server.post("/").header("content-length", "18446744073709551615").body("x").send();
    assert_eq!(response.status(), 413);
    // And so does the input, where no header tells of it.
    let response = server.post("/").header("content-length", "1").body(vec![b'x'; 11]).allow_lint("E10").send();
    assert_eq!(response.status(), 413);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_body_that_never_ends_is_read_up_to_the_limit() {
    let pulls = Arc::new(AtomicUsize::new(0));
    let pulled = Arc::clone(&pulls);
    let endless = stream::repeat_with(move || {
        pulled.fetch_add(1, Ordering::SeqCst);
        Ok("123")
    });
    let app = app_fn(|mut environ, start_response| {
        let mut bytes = Vec::new();
        let error = loop {
            let mut some = [0; 4];
            match environ.input_mut().read(&mut some) {
                Ok(n) => bytes.extend_from_slice(&some[..n]),
                Err(error) => break vestibule::Error::from(error),
            }
        };
        assert_eq!((bytes.len() as u64, error.status().unwrap().as_u16()), (LIMIT, 413));
        assert!(error.is_client());
        // It stays an error, however often it is asked, and by whoever.
        assert!(environ.input_mut().read(&mut [0; 1]).is_err());
        assert!(environ.duplicate().input_mut().read_bytes(100).is_err());
        start_response.start(200, ())?;
        Ok("handled".into())
    });
    let app = app.wrap(middleware::body_limit(LIMIT));
    assert_eq!(TestServer::new(app).post("/").body(Input::stream(endless)).send().text(), "handled");
    assert_eq!(pulls.load(Ordering::SeqCst), 4);
}

#[test]
fn trailers_and_truncation_are_as_they_were() {
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("7"))]);
    let app = app_fn(|mut environ, start_response| {
        let text = environ.input_mut().read_text(100)?;
        let sum = environ.input().trailers().map(|trailers| trailers["x-sum"].to_str().unwrap().to_owned());
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(format!("{text} {sum:?}").into())
    });
    let server = TestServer::new(app.wrap(middleware::body_limit(LIMIT)));
    let response = server.post("/").body_with_trailers("0123456789", trailers).send();
    assert_eq!(response.text(), "0123456789 Some(\"7\")");
    let response = server.post("/").body("012").promising(10).send();
    assert_eq!(response.status(), 400, "a client that left is another fault");
}

#[test]
fn the_least_of_several_limits_counts() {
    let reader = || readers().swap_remove(0).1;
    for (inner, outer) in [(5, 10), (10, 5)] {
        let app = reader().wrap(middleware::body_limit(inner)).wrap(middleware::body_limit(outer));
        let server = TestServer::new(app);
        assert_eq!(server.post("/").body(unknown(5)).send().status(), 200);
        assert_eq!(server.post("/").body(unknown(6)).send().status(), 413);
        assert_eq!(server.post("/").body(vec![0; 6]).send().status(), 413);
    }
}
