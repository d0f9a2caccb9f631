//! `on_finished`: a function that learns how each request ended.

use super::map_environ;
use crate::application::App;
use crate::environ::Environ;
use crate::lifecycle::Outcome;

/// Calls a function when a request has ended, however it did: for logs, counters and cleaning up.
///
/// `f` sees the request before the application does, and returns the function that is told the [`Outcome`]. That runs
/// once for each call, after the body was closed: after a complete response, an error, a panic, a time limit, and when
/// the client has left. It is [`Environ::on_finished`] as middleware: it runs where it may block, the hooks that were
/// added last run first, and a panic in it is logged and goes no further.
///
/// ```
/// use std::sync::mpsc::channel;
/// use vestibule::{app_fn, middleware, testing::TestServer};
///
/// let (sender, lines) = channel();
/// let log = middleware::on_finished(move |environ| {
///     let (line, sender) = (format!("{} {}", environ.method(), environ.raw_path()), sender.clone());
///     move |outcome| {
///         let _ = sender.send(format!("{line}: {} after {} bytes", outcome.status(), outcome.body_bytes()));
///     }
/// });
/// let app = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("tea".into())
/// });
/// TestServer::new(app.wrap(log)).get("/pot").send();
/// assert_eq!(lines.recv().unwrap(), "GET /pot: 200 OK after 3 bytes");
/// ```
pub fn on_finished<F, G>(f: F) -> impl Fn(App) -> App + Clone + Send + Sync + 'static
where
    F: Fn(&Environ) -> G + Send + Sync + 'static,
    G: FnOnce(&Outcome) + Send + 'static,
{
    map_environ(move |environ| {
        let finished = f(environ);
        environ.on_finished(finished);
    })
}
