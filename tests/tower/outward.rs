//! An application as a service.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::StreamExt as _;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower::{Service, ServiceExt};
use vestibule::adapters::tower::{AppService, ResponseBody, into_service};
use vestibule::bytes::Bytes;
use vestibule::{Body, Cancellation, End, Execution, Head, app_fn, async_fn};

use super::services::{Inner, Item, Outer, script};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn get() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

async fn ask<B>(service: AppService, request: Request<B>) -> Response<ResponseBody>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Ok(response) = service.oneshot(request).await;
    response
}

async fn text(response: Response<ResponseBody>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

fn echo() -> AppService {
    into_service(app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_bytes(10_000_000)?;
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(body.into())
    }))
}

#[test]
fn a_request_needs_no_host_and_no_server() {
    run(async {
        let response = ask(echo(), get()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain");
    });
}

#[test]
fn bodies_of_all_sizes_are_echoed() {
    run(async {
        for length in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
            let response = ask(echo(), Request::new(Full::new(Bytes::from(vec![b'x'; length])))).await;
            assert_eq!(response.body().size_hint().exact(), Some(length as u64));
            assert_eq!(text(response).await.len(), length);
            let blocks = vec![b'x'; length];
            let blocks: Vec<_> = blocks.chunks(1000).map(|block| Ok::<_, Inner>(Frame::data(block.to_vec()))).collect();
            let blocks = blocks.into_iter().map(|block| block.map(|frame| frame.map_data(Bytes::from)));
            let response = ask(echo(), Request::new(StreamBody::new(futures::stream::iter(blocks)))).await;
            assert_eq!(text(response).await.len(), length);
        }
    });
}

#[test]
fn a_blocking_application_is_called_on_a_pool_that_its_clones_share_and_an_async_one_on_no_thread() {
    let name = || std::thread::current().name().unwrap_or("").to_owned();
    let blocking = into_service(app_fn(move |_, start_response| {
        // Of the runtime that the service is called in.
        tokio::spawn(async {});
        start_response.start(200, ())?;
        Ok(name().into())
    }));
    let nonblocking = into_service(async_fn(move |_, start_response| async move {
        start_response.start(200, ())?;
        Ok(name().into())
    }));
    let here = name();
    run(async {
        for _ in 0..3 {
            assert!(text(ask(blocking.clone(), get()).await).await.starts_with("vestibule-"));
            assert_eq!(text(ask(nonblocking.clone(), get()).await).await, here);
            assert_eq!(text(ask(blocking.clone().execution(Execution::inline()), get()).await).await, here);
        }
    });
}

#[test]
fn settings_for_one_connection_share_the_threads_of_all() {
    let service = into_service(app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        let name = std::thread::current().name().unwrap_or("").to_owned();
        Ok(format!("{name} {:?}", environ.remote_addr().map(|client| client.port())).into())
    }));
    let service = service.execution(Execution::pool().hot(1).max(1));
    run(async {
        let mut threads = std::collections::BTreeSet::new();
        for port in 1..20 {
            let peer = ([127, 0, 0, 1], port).into();
            let of_one = service.clone().environ(move |environ| environ.set_remote_addr(Some(peer)));
            let answer = text(ask(of_one, get()).await).await;
            let (thread, rest) = answer.split_once(' ').unwrap();
            assert_eq!(rest, format!("Some({port})"));
            threads.insert(thread.to_owned());
        }
        assert_eq!(threads.len(), 1, "{threads:?}");
    });
}

#[test]
fn a_failing_body_needs_no_timer_of_its_runtime() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok(Body::try_iter([Ok("some"), Err("a body that fails".into())]))
    });
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let mut request = get();
        *request.version_mut() = http::Version::HTTP_2;
        let body = ask(into_service(app), request).await.into_body();
        assert!(body.collect().await.is_err());
    });
}

#[test]
fn a_full_pool_is_a_503() {
    let (began, has_begun) = mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let kept = Arc::clone(&gate);
    let app = app_fn(move |_, start_response| {
        began.send(()).unwrap();
        drop(kept.lock());
        start_response.start(200, ())?;
        Ok("done".into())
    });
    let service = into_service(app).execution(Execution::pool().max(1).queue(0));
    let held = gate.lock().unwrap();
    run(async {
        let first = tokio::spawn(service.clone().oneshot(get()));
        tokio::task::yield_now().await;
        has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
        let refused = ask(service.clone(), get()).await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &HeaderValue::from_static("1"))
        );
        first.abort();
    });
    drop(held);
    // As soon as the thread is free.
    while run(async { text(ask(service.clone(), get()).await).await }) != "done" {
        std::thread::yield_now();
    }
}

#[test]
fn a_service_outlives_the_runtime_of_its_first_request() {
    let service = echo();
    for _ in 0..3 {
        let response =
            run(async { text(ask(service.clone(), Request::new(Full::new(Bytes::from("tea")))).await).await });
        assert_eq!(response, "tea");
    }
}

#[test]
fn errors_and_panics_before_the_head_are_responses() {
    run(async {
        let fails = into_service(app_fn(|_, _| Err(vestibule::Error::with_status(404, "no tea"))));
        assert_eq!(ask(fails, get()).await.status(), 404);
        let panics = into_service(app_fn(|_, _| panic!("an application that panics")));
        assert_eq!(ask(panics, get()).await.status(), 500);
    });
}

#[test]
fn an_error_after_the_head_ends_the_body_and_keeps_its_source() {
    for blocking in [true, false] {
        let app = move |_environ, start_response: vestibule::StartResponse| {
            start_response.start(200, ())?;
            let blocks = [Ok("some"), Err(vestibule::Error::from(Outer(Inner)))];
            Ok(match blocking {
                true => Body::try_iter(blocks),
                false => Body::stream(futures::stream::iter(blocks)),
            })
        };
        run(async {
            let mut body = ask(into_service(app), get()).await.into_body();
            let first = body.frame().await.unwrap().unwrap();
            assert_eq!(first.into_data().unwrap(), "some");
            let error = body.frame().await.unwrap().unwrap_err();
            assert_eq!(error.to_string(), "the response was aborted");
            let cause = std::error::Error::source(&error).unwrap();
            assert!(cause.is::<Outer>() && cause.source().unwrap().is::<Inner>(), "{cause:?}");
            assert!(body.frame().await.is_none());
        });
    }
}

#[test]
fn what_goes_wrong_with_the_request_body_is_the_clients_fault() {
    run(async {
        // Read ahead, and by an application that reads itself.
        let response = ask(echo(), Request::new(script([Item::Data("some"), Item::Error]))).await;
        assert_eq!(response.status(), 400);
        let reads = into_service(async_fn(|mut environ, start_response| async move {
            let body = environ.input_mut().read_bytes_async(100).await?;
            start_response.start(200, ())?;
            Ok(body.into())
        }));
        let response = ask(reads, Request::new(script([Item::Data("some"), Item::Error]))).await;
        assert_eq!(response.status(), 400);
        // Less than was announced.
        for body in ["hel", ""] {
            let mut request = Request::new(Full::new(Bytes::from(body)));
            *request.method_mut() = http::Method::POST;
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
            assert_eq!(ask(echo(), request).await.status(), 400, "{body}");
        }
    });
}

#[test]
fn trailers_pass_both_ways() {
    let app = async_fn(|mut environ, start_response| async move {
        let body = environ.input_mut().read_text_async(100).await?;
        let trailers = environ.input().trailers().unwrap_or_default();
        start_response.start(200, ())?;
        Ok(Body::stream(futures::stream::iter([Ok(body)])).with_trailers(|| trailers))
    });
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("2"));
    run(async {
        let request = Request::new(script([Item::Data("a"), Item::Data("b"), Item::Trailers(trailers.clone())]));
        let collected = ask(into_service(app), request).await.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "ab");
    });
}

#[test]
fn a_body_is_pulled_when_it_is_asked_for() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&pulled);
    let app = async_fn(move |_, start_response| {
        let counts = Arc::clone(&counts);
        async move {
            start_response.start(200, ())?;
            let blocks = std::iter::repeat_with(move || {
                counts.fetch_add(1, Ordering::SeqCst);
                Ok("block")
            });
            Ok(Body::stream(futures::stream::iter(blocks)))
        }
    });
    run(async {
        let mut body = ask(into_service(app), get()).await.into_body();
        for number in 1..5 {
            body.frame().await.unwrap().unwrap();
            assert_eq!(pulled.load(Ordering::SeqCst), number);
        }
    });
}

#[test]
fn a_body_that_blocks_is_pulled_up_to_a_window_and_waits_there() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&pulled);
    let app = app_fn(move |_, start_response| {
        let counts = Arc::clone(&counts);
        start_response.start(200, ())?;
        Ok(Body::iter(std::iter::repeat_with(move || {
            counts.fetch_add(1, Ordering::SeqCst);
            vec![0; 10_000]
        })))
    });
    run(async {
        let mut body = ask(into_service(app), get()).await.into_body();
        body.frame().await.unwrap().unwrap();
        while pulled.load(Ordering::SeqCst) < 27 {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(Duration::from_millis(20));
        assert!(pulled.load(Ordering::SeqCst) <= 28);
    });
}

#[test]
fn a_caller_that_leaves_cancels_the_request() {
    let (cancellation, finished) = (Arc::new(Mutex::new(None::<Cancellation>)), Arc::new(Mutex::new(None)));
    let (keeps, ends) = (Arc::clone(&cancellation), Arc::clone(&finished));
    let app = app_fn(move |mut environ, start_response| {
        *keeps.lock().unwrap() = Some(environ.cancellation());
        let ends = Arc::clone(&ends);
        environ.on_finished(move |outcome| *ends.lock().unwrap() = Some(outcome.end()));
        start_response.start(200, ())?;
        let some = futures::stream::iter([Ok("some")]);
        Ok(Body::stream(some.chain(futures::stream::pending())))
    });
    run(async {
        let mut body = ask(into_service(app), get()).await.into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        while finished.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(*finished.lock().unwrap(), Some(End::Disconnected));
    assert!(cancellation.lock().unwrap().as_ref().unwrap().is_cancelled());
}

#[test]
fn a_caller_that_leaves_during_the_call_is_told_of() {
    let (began, has_begun) = mpsc::channel();
    let (sees, seen) = mpsc::channel();
    let app = app_fn(move |environ, start_response| {
        let cancellation = environ.cancellation();
        began.send(()).unwrap();
        while !cancellation.is_cancelled() {
            std::thread::yield_now();
        }
        sees.send(()).unwrap();
        start_response.start(200, ())?;
        Ok("nobody waits".into())
    });
    run(async {
        let mut service = into_service(app);
        let mut future = Box::pin(service.call(get()));
        assert!(futures::poll!(&mut future).is_pending());
        has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(future);
        seen.recv_timeout(Duration::from_secs(20)).unwrap();
    });
}

#[test]
fn extensions_cross_the_bridge_both_ways() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mark(&'static str);
    let app = app_fn(|environ, start_response| {
        let mark = environ.extension::<Mark>()?.0;
        let mut head = Head::new(200);
        head.extensions_mut().insert(Mark("response"));
        start_response.send(head)?;
        Ok(mark.into())
    });
    run(async {
        let mut request = get();
        request.extensions_mut().insert(Mark("request"));
        let response = ask(into_service(app), request).await;
        assert_eq!(response.extensions().get(), Some(&Mark("response")));
        assert_eq!(text(response).await, "request");
    });
}

#[test]
fn requests_that_http_forbids_are_refused() {
    run(async {
        for (target, status) in [("/%zz", 400), ("/ok", 200)] {
            let request = Request::builder().uri(target).body(Empty::<Bytes>::new()).unwrap();
            assert_eq!(ask(echo(), request).await.status(), status, "{target}");
        }
        let request = Request::builder().header("host", "a,b").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(ask(echo(), request).await.status(), 400);
    });
}

#[test]
#[should_panic(expected = "\"app\" is no prefix")]
fn a_prefix_begins_with_a_slash() {
    let _ = echo().mounted_at("app");
}

#[test]
fn a_hook_prepares_each_environ_and_may_panic() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(environ.url().into())
    });
    let service = into_service(app).mounted_at("/app").environ(|environ| {
        assert!(environ.path_info() != "/panic", "a hook that panics");
        environ.set_url_scheme(http::uri::Scheme::HTTPS);
    });
    run(async {
        let request =
            |path: &str| Request::builder().uri(path).header("host", "a").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(text(ask(service.clone(), request("/x?y")).await).await, "https://a/app/x?y");
        assert_eq!(ask(service.clone(), request("/panic")).await.status(), 500);
    });
}

/// `axum::serve`, to see what arrives on a wire.
#[test]
fn a_truncated_response_is_seen_as_such_through_axum() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok(Body::try_iter([Ok("some"), Err("a body that fails".into())]))
    });
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback_service(into_service(app));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.await.unwrap();
        serving.abort();
        assert!(answer.contains("\r\n4\r\nsome\r\n") && !answer.contains("0\r\n\r\n"), "{answer:?}");
    });
}
