//! A server that is configured in code: limits, threads, and a stop that a load balancer sees coming.
//! `cargo run --example server`, then `curl -d tea http://127.0.0.1:8000/`, and
//! `curl -i http://127.0.0.1:8000/health/ready`, which tells whether it stops. Next: `docs/guide/serving.md`.

use std::time::Duration;

use vestibule::adapters::http::Server;
use vestibule::apps::{Readiness, health, url_map};
use vestibule::{App, Environ, Execution, Result, StartResponse};

/// Sends back what it gets.
fn echo(mut environ: Environ, start_response: StartResponse) -> Result {
    let text = environ.input_mut().read_text(1024 * 1024)?;
    start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(text.into())
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
    // No more requests are sent to it when it stops.
    let handle = server.handle();
    let readiness = Readiness::new(true).and(move || !handle.is_stopping());
    server.run(url_map([("/", App::new(echo)), ("/health", health(readiness))])?)
}
