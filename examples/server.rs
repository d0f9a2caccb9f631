//! A server that is configured in code: limits, threads, and a stop that a load balancer sees coming.
//! `cargo run --example server`, then `curl -d tea http://127.0.0.1:8000/`; `curl -i http://127.0.0.1:8000/ready` tells
//! whether it stops. Next: `docs/guide/serving.md`.

use std::time::Duration;

use vestibule::adapters::http::{Handle, Server};
use vestibule::{App, Environ, Execution, Result, StartResponse, app_fn};

/// Sends back what it gets.
fn echo(mut environ: Environ, start_response: StartResponse) -> Result {
    let text = environ.input_mut().read_text(1024 * 1024)?;
    start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(text.into())
}

/// Answers `/ready` with 200, and with 503 when the server stops, so that no more requests are sent to it.
fn readiness(handle: Handle) -> impl Fn(App) -> App {
    move |inner| {
        let handle = handle.clone();
        app_fn(move |environ, start_response| {
            if environ.path_info() != "/ready" {
                return inner.call(environ, start_response);
            }
            start_response.start(if handle.is_stopping() { 503 } else { 200 }, ())?;
            Ok(().into())
        })
    }
}

fn main() -> Result<()> {
    let address = std::env::args().skip_while(|argument| argument != "--http").nth(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:8000"))?
        // At most 16 calls at once; 100 more wait, the rest are told to come back.
        .execution(Execution::pool().max(16).queue(100))
        .body_limit(1024 * 1024)
        .keep_alive_timeout(Duration::from_secs(20))
        .shutdown_timeout(Duration::from_secs(10));
    eprintln!("it is served at {} (Ctrl-C ends it)", server.url());
    let app = App::new(echo).wrap(readiness(server.handle()));
    server.run(app)
}
