//! A service as an application.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Extension, Router};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use tower::{ServiceBuilder, service_fn};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use vestibule::adapters::tower::{RequestBody, RequestContext, from_service, from_service_within, into_service};
use vestibule::bytes::Bytes;
use vestibule::testing::{TestResponse, TestServer};
use vestibule::{App, Body, Error, Input, app_fn, async_fn, middleware};

use super::services::{Boxed, Broken, Item, Script, Strict, script};

/// An application of a service that answers each request with what this gives.
fn answering<B>(answer: impl Fn() -> Response<B> + Clone + Send + 'static) -> App
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Boxed>,
{
    from_service(service_fn(move |_request: Request<RequestBody>| {
        let response = answer();
        async move { Ok::<_, Infallible>(response) }
    }))
}

fn ask(app: App) -> TestResponse {
    TestServer::new(app).without_lint().get("/").send()
}

#[test]
fn what_a_service_answers_arrives() {
    let app = answering(|| {
        let mut response = Response::new("hello".to_owned());
        *response.status_mut() = http::StatusCode::CREATED;
        response.headers_mut().append("x-a", HeaderValue::from_static("1"));
        response.headers_mut().append("x-a", HeaderValue::from_static("2"));
        response
    });
    assert!(!app.may_block());
    let response = ask(app);
    assert_eq!((response.status().as_u16(), response.text().as_str()), (201, "hello"));
    assert_eq!(response.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(response.header("content-length"), Some("5"));
}

#[test]
fn a_clone_is_called_when_it_is_ready_and_once() {
    let server = TestServer::new(from_service(Strict::new()));
    for _ in 0..3 {
        assert_eq!(server.get("/").send().text(), "ready");
    }
}

#[test]
fn who_is_never_ready_is_a_503() {
    let response = ask(from_service_within(Duration::from_millis(20), Broken::NeverReady));
    assert_eq!(response.status(), 503);
    assert_eq!(response.header("retry-after"), Some("1"));
}

#[test]
fn who_is_not_ready_yet_is_waited_for() {
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let released = Arc::new(Mutex::new(Some(released)));
    let inside = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counts, highest) = (Arc::clone(&inside), Arc::clone(&most));
    let service = service_fn(move |_request: Request<RequestBody>| {
        let (counts, highest) = (Arc::clone(&counts), Arc::clone(&highest));
        let released = released.lock().unwrap().take();
        async move {
            highest.fetch_max(counts.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            if let Some(released) = released {
                released.await.unwrap();
            }
            counts.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Response::new("done".to_owned()))
        }
    });
    let limited = ServiceBuilder::new().layer(tower::limit::GlobalConcurrencyLimitLayer::new(1)).service(service);
    let server = TestServer::new(from_service(limited));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| server.get("/").send().text());
        while inside.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let second = scope.spawn(|| server.get("/").send().text());
        release.send(()).unwrap();
        assert_eq!((first.join().unwrap().as_str(), second.join().unwrap().as_str()), ("done", "done"));
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn errors_before_the_head_are_a_500_and_keep_their_source() {
    for broken in [Broken::ErrorInReady, Broken::ErrorInFuture] {
        let response = ask(from_service(broken));
        assert_eq!(response.status(), 500, "{broken:?}");
        assert!(response.errors().contains("the outer error: the inner error"), "{}", response.errors());
        assert_eq!(response.text(), "500 Internal Server Error\n");
    }
}

#[test]
fn panics_before_the_head_are_a_500() {
    for broken in [Broken::PanicInReady, Broken::PanicInCall, Broken::PanicInFuture] {
        let server = TestServer::new(from_service(broken)).without_lint();
        for _ in 0..2 {
            let response = server.get("/").send();
            assert_eq!(response.status(), 500, "{broken:?}");
            assert!(response.errors().contains("a service that panics"), "{}", response.errors());
        }
    }
}

#[test]
fn an_error_of_a_service_may_name_its_status() {
    let service = service_fn(|_request: Request<RequestBody>| async {
        Err::<Response<String>, _>(Error::with_status(418, "short and stout").into_boxed())
    });
    assert_eq!(ask(from_service(service)).status(), 418);
}

#[test]
fn a_body_that_fails_first_is_a_500_and_later_is_aborted() {
    let failures: [fn() -> Item; 2] = [|| Item::Error, || Item::Panic];
    for first in failures {
        let response = ask(answering(move || Response::new(script([first()]))));
        assert_eq!(response.status(), 500);
        let response = ask(answering(move || Response::new(script([Item::Data("some"), first()]))));
        assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "some"));
        assert!(!response.is_complete());
        assert!(response.errors().contains("the inner error") || response.errors().contains("panics"));
    }
}

#[test]
fn a_body_that_is_longer_or_shorter_than_its_length_is_never_taken_for_whole() {
    let declared = |items: fn() -> Vec<Item>| {
        answering(move || {
            let mut response = Response::new(script(items()));
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
            response
        })
    };
    let longer = ask(declared(|| vec![Item::Data("hell"), Item::Data("o, all")]));
    assert_eq!((longer.text().as_str(), longer.is_complete()), ("hello", true));
    assert!(longer.errors().contains("longer than its content-length"), "{}", longer.errors());
    let shorter = ask(declared(|| vec![Item::Data("he"), Item::Data("l")]));
    assert_eq!((shorter.text().as_str(), shorter.is_complete()), ("hel", false));
    // The head and the length that the body itself knows.
    let differs = ask(answering(|| {
        let mut response = Response::new("hello".to_owned());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("4"));
        response
    }));
    assert_eq!(differs.status(), 500);
    // A hint that lies.
    let lies = ask(answering(|| Response::new(Script { length: Some(5), ..script([Item::Data("hel")]) })));
    assert_eq!((lies.text().as_str(), lies.is_complete()), ("hel", false));
}

#[test]
fn interim_statuses_are_no_responses() {
    let with = |status: u16| {
        ask(answering(move || {
            let mut response = Response::new(String::new());
            *response.status_mut() = status.try_into().unwrap();
            response
        }))
    };
    assert_eq!(with(101).status(), 501);
    assert_eq!(with(103).status(), 500);
}

#[test]
fn headers_of_a_connection_are_left_out() {
    let response = ask(answering(|| {
        let mut response = Response::new("hello".to_owned());
        for (name, value) in [
            ("connection", "keep-alive, X-Mine"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-yours", "2"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }));
    assert_eq!(response.status(), 200);
    let mut names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-yours"]);
}

#[test]
fn blocks_are_pulled_one_by_one_and_trailers_follow() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&pulled);
    let app = answering(move || {
        let counts = Arc::clone(&counts);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("3"));
        let frames = ["a", "b", "c"].map(|text| http_body::Frame::data(Bytes::from_static(text.as_bytes())));
        let frames = frames.into_iter().chain([http_body::Frame::trailers(trailers)]).inspect(move |_| {
            counts.fetch_add(1, Ordering::SeqCst);
        });
        Response::new(StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Infallible>))))
    });
    let mut stream = TestServer::new(app).without_lint().get("/").stream();
    // The first was looked at with the head, in case it is the whole.
    assert_eq!(pulled.load(Ordering::SeqCst), 1);
    assert_eq!(stream.next().unwrap(), "a");
    assert_eq!(stream.next().unwrap(), "b");
    assert_eq!(pulled.load(Ordering::SeqCst), 2);
    let response = stream.finish();
    assert!(response.is_complete());
    assert_eq!(response.trailers().get("x-sum").unwrap(), "3");
}

#[test]
fn a_client_that_leaves_drops_the_future_or_the_body() {
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let guard = Arc::clone(&dropped);
    let body = answering(move || {
        let guard = Counts(Arc::clone(&guard));
        let items = script([Item::Data("some"), Item::Never]).map_frame(move |frame| {
            let _stays = &guard;
            frame
        });
        Response::new(items)
    });
    let mut stream = TestServer::new(body).without_lint().get("/").stream();
    assert_eq!(stream.next().unwrap(), "some");
    let response = stream.hang_up();
    assert!(!response.is_complete());
    assert_eq!(dropped.load(Ordering::SeqCst), 1);

    let guard = Arc::clone(&dropped);
    let future = from_service(service_fn(move |_request: Request<RequestBody>| {
        let guard = Counts(Arc::clone(&guard));
        async move {
            let _stays = guard;
            pending::<Result<Response<String>, Infallible>>().await
        }
    }));
    let mut exchange = vestibule::Exchange::new(&future, http::Request::new(()).into());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(exchange.poll_step(&mut context, false).is_pending());
    drop(exchange);
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

#[test]
fn a_service_reads_the_body_of_a_request_with_its_length_and_its_trailers() {
    let service = service_fn(|request: Request<RequestBody>| async move {
        let length = http_body::Body::size_hint(request.body()).exact();
        let collected = request.into_body().collect().await?;
        let sum = collected.trailers().and_then(|trailers| trailers.get("x-sum")).cloned();
        Ok::<_, Boxed>(Response::new(format!("{length:?} {:?} {sum:?}", collected.to_bytes())))
    });
    let server = TestServer::new(from_service(service));
    assert_eq!(server.get("/").send().text(), "Some(0) b\"\" None");
    assert_eq!(server.post("/").body("hello").send().text(), "Some(5) b\"hello\" None");
    let blocks = ["a", "b"].map(|block| Ok(Bytes::from(block)));
    let streamed = Input::stream(futures::stream::iter(blocks));
    assert_eq!(server.post("/").body(streamed).send().text(), "None b\"ab\" None");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("2"));
    let with_trailers = Body::iter(["a", "b"]).with_trailers(|| trailers);
    assert_eq!(server.post("/").body(with_trailers).send().text(), "None b\"ab\" Some(\"2\")");
}

#[test]
fn a_body_that_is_cut_short_is_an_error_to_the_service() {
    let router = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
    let server = TestServer::new(from_service(router)).without_lint();
    let response = server.post("/").body(Input::from("hel").with_length(5)).send();
    assert_eq!(response.status(), 400);
    // And of which a service passes the error on.
    let service = service_fn(|request: Request<RequestBody>| async move {
        let body = request.into_body().collect().await?;
        Ok::<_, Boxed>(Response::new(body.to_bytes().len().to_string()))
    });
    let server = TestServer::new(from_service(service)).without_lint();
    let response = server.post("/").body(Input::from("hel").with_length(5)).send();
    assert_eq!(response.status(), 400);
    assert!(response.errors().contains("3 bytes of 5"), "{}", response.errors());
}

#[test]
fn a_service_that_does_not_read_is_answered() {
    let router = Router::new().route("/", post(|| async { "unread" }));
    let server = TestServer::new(from_service(router));
    assert_eq!(server.post("/").body("x".repeat(100_000)).send().text(), "unread");
}

#[test]
fn extensions_cross_the_bridge_and_come_back() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mark(&'static str);
    async fn handler(Extension(mark): Extension<Mark>) -> (Extension<Mark>, String) {
        (Extension(Mark("response")), format!("{mark:?}"))
    }
    let app = from_service(Router::new().route("/", get(handler)));
    let seen = Arc::new(Mutex::new(None));
    let sees = Arc::clone(&seen);
    let app = app
        .wrap(middleware::map_head(move |head| *sees.lock().unwrap() = head.extension::<Mark>().cloned()))
        .wrap(middleware::map_environ(|environ| {
            environ.extensions_mut().insert(Mark("request"));
        }));
    assert_eq!(ask(app).text(), "Mark(\"request\")");
    assert_eq!(*seen.lock().unwrap(), Some(Mark("response")));
}

#[test]
fn a_service_sees_the_path_below_the_mount_point_and_the_rest_beside_it() {
    async fn tell(Extension(context): Extension<RequestContext>, uri: http::Uri) -> String {
        let site = context.var("site").map(|site| String::from_utf8(site).unwrap());
        format!("{} {uri} {:?} {site:?}", context.script_name(), context.remote_addr().map(|client| client.port()))
    }
    let router = Router::new().fallback(get(tell));
    let app = from_service(router).wrap(middleware::map_environ(|environ| {
        environ.set_var("site", "tea").unwrap();
        environ.set_remote_addr(Some(([127, 0, 0, 1], 7).into()));
    }));
    let server = TestServer::new(app).mounted_at("/a+b");
    assert_eq!(server.get("/c%2Fd//e?q=1").send().text(), "/a+b /c%2Fd//e?q=1 Some(7) Some(\"tea\")");
    assert_eq!(server.get("?q").send().text(), "/a+b /?q Some(7) Some(\"tea\")");
}

#[test]
fn what_routers_take_off_inside_is_part_of_the_mount_point() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        let (script_name, path_info) = (environ.script_name(), environ.path_info());
        Ok(format!("{script_name:?} {path_info:?} {} {:?}", environ.url(), environ.remote_addr().is_some()).into())
    });
    let inner = Router::new().nest_service("/inner", into_service(app));
    let server = TestServer::new(from_service(Router::new().nest("/outer", inner))).mounted_at("/mnt");
    let request = server.get("/outer/inner/x%2Fy?q").header("host", "a.example");
    let expected = r#""/mnt/outer/inner" "/x/y" http://a.example/mnt/outer/inner/x%2Fy?q true"#;
    assert_eq!(request.send().text(), expected);
}

/// Tells SCRIPT_NAME and PATH_INFO.
fn place() -> App {
    app_fn(|environ, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(format!("{:?} {:?} {}", environ.script_name(), environ.path_info(), environ.url()).into())
    })
}

#[test]
fn a_router_that_takes_all_of_the_path_or_slashes_leaves_no_doubt() {
    let tea = Router::new().nest_service("/tea", into_service(place()));
    let both = Router::new().nest("/o", Router::new().nest_service("/i", into_service(place())));
    let told = Router::new().nest_service("/tea", into_service(place()).mounted_at("/tea"));
    for (router, mount, target, expected) in [
        (&tea, "", "/tea", r#""/tea" "" http://a/tea"#),
        (&tea, "", "/tea/", r#""/tea" "/" http://a/tea/"#),
        (&tea, "", "/tea//x", r#""/tea" "//x" http://a/tea//x"#),
        (&tea, "/mnt", "/tea?q=1", r#""/mnt/tea" "" http://a/mnt/tea?q=1"#),
        (&both, "", "/o/i", r#""/o/i" "" http://a/o/i"#),
        (&both, "/mnt", "/o/i/x%2Fy", r#""/mnt/o/i" "/x/y" http://a/mnt/o/i/x%2Fy"#),
        (&told, "", "/tea", r#""/tea" "" http://a/tea"#),
        (&told, "/mnt", "/tea/tea", r#""/mnt/tea" "/tea" http://a/mnt/tea/tea"#),
    ] {
        let server = TestServer::new(from_service(router.clone())).mounted_at(mount);
        assert_eq!(server.get(target).header("host", "a").send().text(), expected, "{mount}{target}");
    }
}

#[test]
fn headers_of_the_connection_do_not_reach_a_service_so_it_cannot_upgrade() {
    let service = service_fn(|request: Request<RequestBody>| async move {
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        Ok::<_, Infallible>(Response::new(names.join(" ")))
    });
    let request = TestServer::new(from_service(service)).get("/").header("connection", "upgrade, close");
    let request = request.header("upgrade", "websocket").header("te", "trailers").header("x-a", "1");
    assert_eq!(request.send().text(), "host x-a");
}

#[test]
fn a_promise_of_a_length_is_kept_or_the_response_is_an_error() {
    let promising =
        |items: fn() -> Vec<Item>| ask(answering(move || Response::new(Script { length: Some(5), ..script(items()) })));
    // What it says of its length does not change as it is read; it is what it said at first that counts.
    let whole = promising(|| vec![Item::Data("hel"), Item::Data("lo")]);
    assert_eq!(
        (whole.text().as_str(), whole.is_complete(), whole.header("content-length")),
        ("hello", true, Some("5"))
    );
    let nothing = promising(Vec::new);
    assert_eq!(nothing.status(), 500);
    assert!(nothing.errors().contains("0 of the 5 bytes"), "{}", nothing.errors());
}

#[test]
fn a_body_over_the_limit_of_the_server_is_413_to_extractors_too() {
    let router = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
    let over = Input::stream(futures::stream::iter([
        Ok(Bytes::from_static(b"some")),
        Err(Error::with_status(413, "over the limit")),
    ]));
    let response = TestServer::new(from_service(router)).without_lint().post("/").body(over).send();
    assert_eq!(response.status(), 413);
}

#[test]
fn a_stack_that_sheds_load_can_say_503() {
    let service = tower::service_fn(|_request: Request<RequestBody>| pending::<Result<Response<String>, Boxed>>());
    let stack = ServiceBuilder::new()
        .map_err(|error: Boxed| Error::with_status(503, error).into_boxed())
        .layer(tower::load_shed::LoadShedLayer::new())
        .layer(tower::limit::GlobalConcurrencyLimitLayer::with_semaphore(Arc::new(tokio::sync::Semaphore::new(0))))
        .service(service);
    assert_eq!(ask(from_service(stack)).status(), 503);
}

#[test]
fn a_path_that_a_layer_has_rewritten_is_below_the_mount_point() {
    let app = async_fn(|environ, start_response| async move {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(format!("{:?} {:?}", environ.script_name(), environ.path_info()).into())
    });
    let service = tower::util::MapRequest::new(into_service(app), |mut request: Request<RequestBody>| {
        *request.uri_mut() = "/else?where".parse().unwrap();
        request
    });
    let server = TestServer::new(from_service(service)).mounted_at("/mnt");
    assert_eq!(server.get("/x").send().text(), "\"/mnt\" \"/else\"");
}

#[test]
fn layers_of_tower_http_work_on_both_sides() {
    let app = app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_text(1_000_000)?;
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(body.len().to_string().into())
    });
    let layered = ServiceBuilder::new()
        .layer(SetResponseHeaderLayer::overriding(http::header::SERVER, HeaderValue::from_static("tower")))
        .layer(RequestBodyLimitLayer::new(10))
        .service(into_service(app));
    let server = TestServer::new(from_service(layered)).without_lint();
    let response = server.post("/").body("0123456789").send();
    assert_eq!((response.text().as_str(), response.header("server")), ("10", Some("tower")));
    // Those that answer themselves are built around an application too.
    let layered = ServiceBuilder::new()
        .layer(tower_http::cors::CorsLayer::permissive())
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            http::StatusCode::GATEWAY_TIMEOUT,
            Duration::from_secs(20),
        ))
        .service(into_service(place()));
    drop(from_service(layered));
    // Announced, and found out on the way.
    let response = server.post("/").body("0123456789x").send();
    assert_eq!(response.status(), 413);
    let blocks = ["01234", "56789", "x"].map(|block| Ok(Bytes::from(block)));
    let response = server.post("/").body(Input::stream(futures::stream::iter(blocks))).send();
    assert_eq!(response.status(), 413);
}
