//! Server-sent events: a thread pushes them into the body, and stops when the client has left.
//! `cargo run --example streaming`, then open http://127.0.0.1:8000 or `curl -N http://127.0.0.1:8000/events`.

use std::io::Write;
use std::time::Duration;

use vestibule::{Body, Environ, Result, Sender, StartResponse};

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>Countdown</title>
<h1 id="count">…</h1>
<script>
    const events = new EventSource("events");
    events.onmessage = event => { document.getElementById("count").textContent = event.data; };
    events.addEventListener("liftoff", () => { events.close(); document.getElementById("count").textContent = "🚀"; });
</script>
"#;

fn countdown(environ: Environ, start_response: StartResponse) -> Result {
    match &*environ.path_info() {
        "/" => {
            start_response.start(200, [("content-type", "text/html; charset=utf-8")])?;
            Ok(PAGE.into())
        }
        "/events" => {
            // A browser that lost the connection tells what it saw last.
            let last = environ.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
            let (sender, body) = Body::channel(1);
            let mut log = environ.errors();
            // For thousands of clients at once use `tokio::spawn` and `sender.send(..).await`.
            std::thread::spawn(move || {
                if let Err(error) = count_down(last.unwrap_or(11).min(11), sender) {
                    let _ = writeln!(log, "countdown stopped: {error}");
                }
            });
            start_response.start(200, [("content-type", "text/event-stream"), ("cache-control", "no-store")])?;
            Ok(body)
        }
        _ => {
            start_response.start(404, [("content-type", "text/plain")])?;
            Ok("There are only / and /events.\n".into())
        }
    }
}

fn count_down(from: u32, mut events: Sender) -> Result<()> {
    for number in (1..from).rev() {
        events.blocking_send(format!("id: {number}\ndata: {number}\n\n"))?; // an Err when the client has left
        std::thread::sleep(Duration::from_secs(1));
    }
    events.blocking_send("event: liftoff\ndata: 0\n\n")?;
    events.finish() // without it the response would be cut, so that nobody takes it for whole
}

fn main() -> Result<()> {
    vestibule::run(countdown)
}
