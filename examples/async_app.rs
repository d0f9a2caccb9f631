//! An async application: who waits for a message holds no thread meanwhile. `cargo run --example async_app`, then
//! `curl http://127.0.0.1:8000/` in one or many terminals, and `curl -d hello http://127.0.0.1:8000/` in another.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::lock::Mutex;
use vestibule::{Body, Environ, Error, Method, Result, StartResponse, async_fn};

/// Those who wait for the next message.
type Waiting = Arc<Mutex<Vec<oneshot::Sender<String>>>>;

/// GET waits for the next message, as many seconds as the query says; POST gives one to all who wait.
async fn post_office(mut environ: Environ, start_response: StartResponse, waiting: Waiting) -> Result {
    const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
    match *environ.method() {
        Method::GET => {
            let seconds = match environ.query_string() {
                "" => 60,
                query => query.parse().map_err(|error| Error::with_status(400, error))?,
            };
            let (sender, receiver) = oneshot::channel();
            waiting.lock().await.push(sender);
            match tokio::time::timeout(Duration::from_secs(seconds), receiver).await {
                Ok(message) => {
                    start_response.start(200, [TEXT])?;
                    Ok(message?.into())
                }
                Err(_elapsed) => {
                    start_response.start(204, ())?;
                    Ok(Body::empty())
                }
            }
        }
        Method::POST => {
            let message = environ.input_mut().read_text_async(10_000).await?;
            let waiting = std::mem::take(&mut *waiting.lock().await);
            // When a client leaves, its future is dropped and the receiver with it: that send fails.
            let reached = waiting.into_iter().filter_map(|sender| sender.send(message.clone()).ok()).count();
            start_response.start(200, [TEXT])?;
            Ok(format!("{reached} got it\n").into())
        }
        _ => {
            start_response.start(405, [("allow", "GET, POST")])?;
            Ok(Body::empty())
        }
    }
}

fn main() -> Result<()> {
    let waiting = Waiting::default();
    vestibule::run(async_fn(move |environ, start_response| post_office(environ, start_response, Arc::clone(&waiting))))
}
