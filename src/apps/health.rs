//! `health`: whether the process lives, and whether it wants requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};

use super::{answer, endpoint};
use crate::application::App;
use crate::head::Head;

/// The seconds after which a client may ask again, unless it is changed.
const RETRY_SECONDS: u32 = 5;

/// Answers `/live` and `/ready`, for load balancers and supervisors.
///
/// `/live` is 200 as long as the process answers. `/ready` is 200 when the [`Readiness`] says yes, else 503 with
/// Retry-After. Neither is cached nor blocks. GET and HEAD are allowed, every other path is a 404: so it is mounted, at
/// `/health` for instance. In one map with applications that block it waits for a thread as these do, and is refused as
/// these are when there is none: let it have an address of its own where that would end a process that is only busy.
///
/// A server of this crate that stops says so before it closes its address, by its handle. It serves on for 200 ms then;
/// for a load balancer that asks more rarely, turn the readiness off some seconds before the server stops:
///
/// ```no_run
/// # #[cfg(feature = "http")]
/// # fn main() -> vestibule::Result<()> {
/// use std::time::Duration;
/// use vestibule::{App, adapters::http::Server, app_fn, apps::{Readiness, health, url_map}};
///
/// let server = Server::bind("127.0.0.1:8000")?;
/// let handle = server.handle();
/// // Not before the caches are filled, and not when the server stops.
/// let readiness = Readiness::new(false).and(move || !handle.is_stopping());
/// let site = app_fn(|_, start_response| {
///     start_response.start(200, ())?;
///     Ok("hello".into())
/// });
/// let app = url_map([("/", site), ("/health", health(readiness.clone()))])?;
/// readiness.set(true);
/// server.run_until(app, async move {
///     tokio::signal::ctrl_c().await.ok();
///     readiness.set(false);
///     tokio::time::sleep(Duration::from_secs(5)).await;
/// })
/// # }
/// # #[cfg(not(feature = "http"))]
/// # fn main() {}
/// ```
///
/// ```
/// use vestibule::{apps::{Readiness, health}, testing::TestServer};
///
/// let readiness = Readiness::new(false);
/// let server = TestServer::new(health(readiness.clone()));
/// assert_eq!(server.get("/live").send().status(), 200);
/// assert_eq!(server.get("/ready").send().header("retry-after"), Some("5"));
/// readiness.set(true);
/// assert_eq!(server.get("/ready").send().status(), 200);
/// ```
pub fn health(readiness: Readiness) -> App {
    let retry_after = HeaderValue::from(readiness.retry_seconds);
    endpoint(
        || "health",
        false,
        move |environ, start_response| {
            let is_up = match &*environ.path_info() {
                "/live" => true,
                "/ready" => readiness.is_ready(),
                _ => return answer(StatusCode::NOT_FOUND.into(), start_response),
            };
            if !matches!(*environ.method(), Method::GET | Method::HEAD) {
                return answer(Head::new(405).header(ALLOW, "GET, HEAD"), start_response);
            }
            let head = match is_up {
                true => Head::new(200),
                false => Head::new(503).header(RETRY_AFTER, retry_after.clone()),
            };
            answer(head.header(CACHE_CONTROL, "no-store"), start_response)
        },
    )
}

/// Whether the process wants requests: a switch, and conditions beside it.
///
/// A clone is another handle of the same switch, for the thread that knows.
#[derive(Clone)]
pub struct Readiness {
    switch: Arc<AtomicBool>,
    conditions: Vec<Arc<dyn Fn() -> bool + Send + Sync>>,
    retry_seconds: u32,
}

impl Readiness {
    /// A switch that is on, or not yet.
    pub fn new(is_on: bool) -> Self {
        Self { switch: Arc::new(AtomicBool::new(is_on)), conditions: Vec::new(), retry_seconds: RETRY_SECONDS }
    }

    /// Adds a condition of this handle and its clones to come, which is asked at each question. It must not block.
    #[must_use]
    pub fn and(mut self, condition: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.conditions.push(Arc::new(condition));
        self
    }

    /// Tells who is refused to come again after so many seconds; 5 unless it is changed.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_seconds: seconds, ..self }
    }

    /// Turns the switch.
    pub fn set(&self, is_on: bool) {
        self.switch.store(is_on, Ordering::Release);
    }

    /// Whether the switch is on and every condition holds.
    pub fn is_ready(&self) -> bool {
        self.switch.load(Ordering::Acquire) && self.conditions.iter().all(|condition| condition())
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("switch", &self.switch).finish_non_exhaustive()
    }
}
