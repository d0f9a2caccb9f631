//! The application that `run` measures, on vestibule: `vestibule-bench-http ADDRESS [pool|inline|async]`, or with the flags
//! of `vestibule::run`; and with `files` the files beneath the directory BENCH_ROOT.

use std::fs::File;
use std::io::BufRead;
use std::time::Duration;

use bytes::Bytes;
use vestibule::adapters::http::Server;
use vestibule::adapters::tower::{from_service, into_service};
use vestibule::{App, Body, Environ, Execution, Result, StartResponse, app_fn, apps, async_fn};

const BLOCK: usize = 64 * 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|argument| argument.starts_with("--")) {
        return vestibule::run(answer);
    }
    let address = arguments.next().unwrap_or("127.0.0.1:8000".to_owned());
    let (app, execution): (App, _) = match arguments.next().as_deref() {
        Some("inline") => (app_fn(answer), Execution::inline()),
        Some("async") => {
            (async_fn(|environ, start_response| async { answer(environ, start_response) }), Execution::pool())
        }
        _ => (app_fn(answer), Execution::pool()),
    };
    let mode = std::env::args().nth(2).unwrap_or_default();
    let app = match &*mode {
        // All of axum, hosted.
        "hosts-axum" => from_service(axum::Router::new().route("/", axum::routing::get(|| async { "Hello, World!" }))),
        "files" => apps::files(std::env::var("BENCH_ROOT")?)?,
        _ => app,
    };
    if mode == "in-axum" {
        return in_axum(&address, app);
    }
    let server = Server::bind(address)?.execution(execution);
    println!("listening on {}", server.url());
    server.run(app)
}

/// The application in the place of a handler of axum, by axum's own server.
fn in_axum(address: &str, app: App) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("listening on http://{address}");
        let router = axum::Router::new().fallback_service(into_service(app.nonblocking()));
        Ok(axum::serve(listener, router).await?)
    })
}

fn answer(mut environ: Environ, start_response: StartResponse) -> Result {
    let path = environ.path_info().into_owned();
    let number = environ.query_string().parse().unwrap_or(0_usize);
    let block = || Bytes::from_static(&[b'x'; BLOCK]);
    let body = match &*path {
        // The number is a time in milliseconds.
        "/block" => {
            std::thread::sleep(Duration::from_millis(number as u64));
            "Hello, World!".into()
        }
        // The number is a length in bytes.
        "/bytes" => vec![b'x'; number].into(),
        "/iterator" => Body::iter(std::iter::repeat_with(block).take(number / BLOCK)),
        "/stream" => {
            Body::stream(futures::stream::iter(std::iter::repeat_with(move || Ok(block())).take(number / BLOCK)))
        }
        "/file" => Body::file(File::open(std::env::var("BENCH_FILE")?)?, ..),
        "/upload" => {
            let mut received = 0;
            loop {
                let length = environ.input_mut().fill_buf()?.len();
                if length == 0 {
                    break;
                }
                environ.input_mut().consume(length);
                received += length;
            }
            received.to_string().into()
        }
        // An event now, the next one much later.
        "/events" => {
            let (mut sender, body) = Body::channel(4);
            tokio::spawn(async move {
                while sender.send("data: tick\n\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
            body
        }
        // Blocks of their own, so that what waits for slow readers is seen.
        "/endless" => Body::iter(std::iter::repeat_with(|| vec![b'x'; BLOCK])),
        _ => "Hello, World!".into(),
    };
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok(body)
}
