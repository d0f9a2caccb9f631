//! Middleware: a function that takes an application and returns another. `cargo run --example middleware`,
//! then `curl -i http://127.0.0.1:8000/` and `curl -i http://127.0.0.1:8000/broken`.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use vestibule::{App, Environ, Result, StartResponse, StatusCode, app_fn, capture, middleware};

fn hello(environ: Environ, start_response: StartResponse) -> Result {
    if environ.path_info() == "/broken" {
        return Err("the kettle is cold".into());
    }
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok("Hello, world!\n".into())
}

/// A decorator: the function that it returns does what `inner` does, and says so.
fn logged(inner: App) -> App {
    app_fn(move |environ, start_response| {
        let line = format!("{} {}", environ.method(), environ.raw_path());
        inner.call(environ, start_response.on_head(move |head| eprintln!("{line} {}", head.status)))
    })
}

/// A closure that remembers: `visits` lives as long as the function that closed over it.
fn counted(inner: App) -> App {
    let visits = AtomicU64::new(0);
    app_fn(move |environ, start_response| {
        let visit = visits.fetch_add(1, Ordering::Relaxed) + 1;
        inner.call(environ, start_response.on_head(move |head| drop(head.headers.insert("x-visit", visit.into()))))
    })
}

/// It replaces whole responses: an error is a value, so an error page is one arm of a `match`.
fn apologetic(inner: App) -> App {
    app_fn(move |environ, start_response| {
        let mut log = environ.errors();
        capture(&inner, environ, start_response, move |response, start_response| match response {
            Ok((head, body)) => start_response.send(head).map(|()| body),
            Err(error) => {
                writeln!(log, "apologized for: {error}")?;
                let status = error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                start_response.start(status, [("content-type", "text/plain")])?;
                Ok("Sorry, that did not work. We were told.\n".into())
            }
        })
    })
}

/// It changes the blocks of the body as they pass; the crate's combinators take care of the rest.
fn shouting(inner: App) -> App {
    inner.wrap(middleware::map_body(|body| body.map_chunks(|block| block.to_ascii_uppercase().into())))
}

fn main() -> Result<()> {
    // The last wrap is outermost: it sees the request first and the response last.
    vestibule::run(App::new(hello).wrap(shouting).wrap(apologetic).wrap(counted).wrap(logged))
}
