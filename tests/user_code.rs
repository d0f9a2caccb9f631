//! User code that must keep compiling and reading like this: what the design promises, verbatim, and run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue, SERVER};
use vestibule::testing::TestServer;
use vestibule::{
    App, Application, Environ, Result, StartResponse, app_fn, async_fn, async_handler_fn, capture, handler_fn,
    middleware,
};

#[rustfmt::skip]
fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok("Hello, world!\n".into())
}
#[rustfmt::skip]
fn logged(inner: App) -> App {                                             // a decorator
    app_fn(move |environ, start_response| {
        let line = format!("{} {}", environ.method(), environ.path_info());
        inner.call(environ, start_response.on_head(move |head| eprintln!("{line} {}", head.status)))
    })
}
#[rustfmt::skip]
fn header(name: HeaderName, value: HeaderValue) -> impl Fn(App) -> App {   // a closure factory
    middleware::map_head(move |head| { head.headers.insert(name.clone(), value.clone()); })
}
#[rustfmt::skip]
fn error_page(inner: App) -> App {                                         // replaces whole responses
    app_fn(move |environ, start_response| capture(&inner, environ, start_response, |response, start_response| match response {
        Ok((head, body)) => { start_response.send(head)?; Ok(body) }
        Err(error) => { start_response.start(500, ())?; Ok(format!("sorry: {error}").into()) }
    }))
}

/// What the async application of the design asks: a query that takes a while.
async fn find(environ: &Environ) -> Result<String> {
    match environ.query_string() {
        "" => Err("nobody was asked for".into()),
        name => Ok(format!("user {name}")),
    }
}

#[rustfmt::skip]
fn values() -> (App, App) {
    let app = app_fn(hello).wrap(logged).wrap(header(SERVER, HeaderValue::from_static("vestibule"))).wrap(error_page);
    let stack: Vec<Box<dyn Fn(App) -> App>> = vec![Box::new(logged), Box::new(|inner| inner)];   // functions in a data structure
    let app = stack.iter().rfold(app, |app, middleware| middleware(app));
    let later = async_fn(|environ, start_response| async move {                // async needs no second trait
        let user = find(&environ).await?;
        start_response.start(200, ())?;
        Ok(user.into())
    });
    (app, later)
}

#[test]
fn the_code_of_the_design_runs() {
    let (app, later) = values();
    let response = TestServer::new(app).get("/").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "Hello, world!\n"));
    assert_eq!(response.header("server"), Some("vestibule"));
    assert_eq!(response.header("content-type"), Some("text/plain"));

    let response = TestServer::new(later.clone()).get("/?ada").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "user ada"));
    assert_eq!(response.header("content-length"), Some("8"), "a buffered result keeps its length");
    let response = TestServer::new(later.wrap(error_page)).get("/").send();
    assert_eq!((response.status().as_u16(), response.text().as_str()), (500, "sorry: nobody was asked for"));
}

/// What every function of this crate that wants an application looks like.
fn serves(application: impl Application) -> String {
    TestServer::new(application).get("/").send().text()
}

struct Greeter {
    greeting: String,
}

impl Application for Greeter {
    fn call(&self, _environ: Environ, start_response: StartResponse) -> Result {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(self.greeting.clone().into())
    }
}

#[test]
fn everything_callable_is_an_application() {
    assert_eq!(serves(hello), "Hello, world!\n", "a bare function");
    assert_eq!(serves(app_fn(hello)), "Hello, world!\n");
    assert_eq!(serves(App::new(hello)), "Hello, world!\n", "an App");
    assert_eq!(serves(Arc::new(App::new(hello))), "Hello, world!\n", "an Arc of an App");
    assert_eq!(serves(Greeter { greeting: "hi".to_owned() }), "hi", "a struct");
    assert_eq!(serves(Arc::new(Greeter { greeting: "hi".to_owned() })), "hi", "an Arc of a struct");
    let shared: Arc<dyn Application> = Arc::new(Greeter { greeting: "dyn".to_owned() });
    assert_eq!(serves(shared), "dyn", "an Arc of a trait object");

    let greeting = "a closure".to_owned();
    let closure = app_fn(move |_, start_response| {
        start_response.start(200, [("content-type", "text/plain")])?;
        Ok(greeting.clone().into())
    });
    assert_eq!(serves(closure), "a closure");
    assert_eq!(
        serves(|_environ: Environ, start_response: StartResponse| -> Result {
            start_response.start(200, [("content-type", "text/plain")])?;
            Ok("with its types".into())
        }),
        "with its types"
    );
    assert_eq!(serves(handler_fn(|_| Ok(http::Response::new("a handler")))), "a handler");
    assert_eq!(serves(async_handler_fn(|_| async { Ok(http::Response::new("async")) })), "async");
    let function: fn(Environ, StartResponse) -> Result = hello;
    assert_eq!(serves(function), "Hello, world!\n", "a function pointer");
}

#[test]
fn an_app_is_a_value() {
    let mut apps = std::collections::BTreeMap::new();
    apps.insert("hello", App::new(hello));
    apps.insert("greeter", App::new(Greeter { greeting: "hi".to_owned() }).named("the greeter"));
    let picked = apps["greeter"].clone();
    assert_eq!(format!("{picked:?}"), "App(\"the greeter\")");
    assert_eq!(serves(picked), "hi");
    assert!(format!("{:?}", apps["hello"]).contains("hello"), "it remembers the name of its type");
    let same = App::new(App::new(apps["greeter"].clone()));
    assert_eq!(format!("{same:?}"), "App(\"the greeter\")", "an App that is given is returned as it is");
}

#[test]
fn main_can_return_the_result() {
    fn main() -> vestibule::Result<()> {
        let number: u32 = "7".parse()?;
        let again: u32 = anyhow::Context::context("7".parse(), "not a number")?;
        match number == again {
            true => Ok(()),
            false => Err("not the same".into()),
        }
    }
    main().unwrap();
}

#[test]
fn the_question_mark_takes_every_error() {
    fn io() -> Result<()> {
        Err(std::io::Error::other("io"))?
    }
    fn boxed() -> Result<()> {
        let error: Box<dyn std::error::Error + Send + Sync> = "boxed".into();
        Err(error)?
    }
    fn any() -> Result<()> {
        Err(anyhow::anyhow!("anyhow"))?
    }
    fn text() -> Result<()> {
        Err("text")?
    }
    fn string() -> Result<()> {
        Err("string".to_owned())?
    }
    fn own() -> Result<()> {
        text()?;
        Ok(())
    }
    for (function, text) in [
        (io as fn() -> Result<()>, "io"),
        (boxed, "boxed"),
        (any, "anyhow"),
        (text, "text"),
        (string, "string"),
        (own, "text"),
    ] {
        assert_eq!(function().unwrap_err().to_string(), text);
    }
    // And out of it again.
    fn outside() -> std::result::Result<(), Box<dyn std::error::Error>> {
        text()?;
        Ok(())
    }
    assert_eq!(outside().unwrap_err().to_string(), "text");
    fn reading() -> std::io::Result<()> {
        text()?;
        Ok(())
    }
    assert_eq!(reading().unwrap_err().to_string(), "text");
    let other: anyhow::Result<()> = text().map_err(|error| anyhow::Error::from_boxed(error.into_boxed()));
    assert_eq!(other.unwrap_err().to_string(), "text");
}

/// A table of headers may be a constant, a vector, a map or nothing.
#[test]
#[expect(clippy::needless_borrows_for_generic_args, reason = "a borrowed table is one of the shapes")]
fn headers_come_in_many_shapes() {
    const TABLE: [(&str, &str); 2] = [("content-type", "text/plain"), ("x-table", "const")];
    fn with(start: impl Fn(StartResponse) -> Result<()> + Send + Sync + 'static) -> vestibule::testing::TestResponse {
        let app = app_fn(move |_, start_response| {
            start(start_response)?;
            Ok("body".into())
        });
        TestServer::new(app).get("/").send()
    }
    assert_eq!(with(|s| s.start(200, TABLE)).header("x-table"), Some("const"));
    assert_eq!(with(|s| s.start(200, &TABLE)).header("x-table"), Some("const"));
    assert_eq!(with(|s| s.start(200, &TABLE[..])).header("x-table"), Some("const"));
    assert_eq!(with(|s| s.start(200, TABLE.to_vec())).header("x-table"), Some("const"));
    assert_eq!(with(|s| s.start(http::StatusCode::OK, ())).header("x-table"), None);
    assert_eq!(
        with(|s| s.start(200, vec![(SERVER, HeaderValue::from(7))])).header("server"),
        Some("7"),
        "and of typed names and values"
    );
    let map: http::HeaderMap = [(SERVER, HeaderValue::from_static("map"))].into_iter().collect();
    assert_eq!(with(move |s| s.start(200, map.clone())).header("server"), Some("map"));
    let mixed = with(|s| {
        s.send(
            vestibule::Head::new(200)
                .header("x-text", "text")
                .header(SERVER, HeaderValue::from_static("v"))
                .header("x-n", 7),
        )
    });
    assert_eq!(
        (mixed.header("x-text"), mixed.header("server"), mixed.header("x-n")),
        (Some("text"), Some("v"), Some("7"))
    );
}
