//! The conformance suite: what every gateway must do, as a function that the author of any adapter can run.
//!
//! It has two sides. [`application()`] is an application to be served by the gateway that is tested, at the root or
//! below a mount point. A [`Client`] sends it requests: [`Http1`] for everything that speaks HTTP/1.1, also a front
//! end before a gateway of another protocol; `Http2` (feature `http`) for HTTP/2; [`Memory`] for the test server; or one of your own. Each [`Case`] is an
//! application and a client that looks at what comes of it, and names the rules of docs/spec.md that it is about.
//! [`run`] runs them all.
//!
//! ```no_run
//! # #[cfg(feature = "http")]
//! # mod tests {
//! use vestibule::testing::conformance::{self, Http1};
//!
//! #[test]
//! fn my_gateway_conforms() {
//!     let address = my_gateway::serve(conformance::application(), "/mnt");
//!     conformance::run(&Http1::tcp(address), "/mnt").assert_passed();
//! }
//! # mod my_gateway {
//! #     pub fn serve(app: vestibule::App, mount: &str) -> std::net::SocketAddr {
//! #         vestibule::testing::TestServer::http(app).without_lint().mounted_at(mount).local_addr().unwrap()
//! #     }
//! # }
//! # }
//! # fn main() {}
//! ```
//!
//! Run it twice, mounted at "" and at a prefix. Do not put lint around the application: half of the cases break a
//! rule on purpose. No case depends on how long something takes; one that waits for what does not come fails after
//! some seconds.

mod case;
mod cases;
mod client;
mod described;
mod http1;
#[cfg(feature = "http")]
mod http2;
mod kinds;
mod memory;
mod need;
mod notes;
mod report;
mod talk;
mod wire;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

pub use case::Case;
pub use client::{Client, Connection, Request, Response, Watch};
pub use http1::Http1;
#[cfg(feature = "http")]
pub use http2::Http2;
pub use memory::Memory;
pub use need::Need;
pub use report::Report;

use crate::application::{App, app_fn};
use crate::environ::Environ;
use crate::error::{Error, Result};
use crate::lint::{RULES, Rule};
use crate::start_response::StartResponse;
use notes::Notes;
use report::Verdict;
use talk::Talk;

/// The application of the suite, to be served by the gateway that is tested.
///
/// The request header `x-conformance` picks the case, so that one server serves them all.
///
/// ```
/// use vestibule::testing::{TestServer, conformance};
///
/// let server = TestServer::new(conformance::application());
/// assert_eq!(server.get("/").header("x-conformance", "no-such-case").send().status(), 404);
/// ```
pub fn application() -> App {
    app_fn(serve).named("the conformance suite")
}

fn serve(environ: Environ, start_response: StartResponse) -> Result {
    let name = environ.headers().get(talk::CASE).map_or(&b""[..], |name| name.as_bytes());
    if let Some(case) = cases().iter().find(|case| case.name.as_bytes() == name) {
        return (case.application)(environ, start_response);
    }
    let notes = Notes::of(&environ);
    match name {
        b"notes" => kinds::answer(start_response, notes.all().join("\n")),
        b"tell" => {
            notes.add(environ.query_string());
            kinds::answer(start_response, "noted")
        }
        _ => Err(Error::with_status(404, "the request header `x-conformance` names no case")),
    }
}

/// All cases, in the order in which they are run.
///
/// ```
/// for case in vestibule::testing::conformance::cases() {
///     println!("{} {:?}", case.name(), case.rules());
/// }
/// ```
pub fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(cases::all);
    &CASES
}

/// The rules of the specification that no case is about.
///
/// ```
/// assert!(vestibule::testing::conformance::uncovered_rules().is_empty());
/// ```
pub fn uncovered_rules() -> Vec<&'static Rule> {
    RULES.iter().filter(|rule| !cases().iter().any(|case| case.rules.contains(&rule.id()))).collect()
}

/// Runs every case that applies, through a client of a gateway that serves [`application()`] at `mount`: "" or such
/// as `/mnt`.
///
/// ```
/// use vestibule::testing::conformance::{self, Memory};
///
/// let report = conformance::run(&Memory::new(conformance::application(), ""), "");
/// println!("{report}");
/// report.assert_passed();
/// ```
pub fn run(client: &dyn Client, mount: &str) -> Report {
    run_where(client, mount, |_| true)
}

/// As [`run`], with those cases that are picked, such as the one that fails.
///
/// ```
/// use vestibule::testing::conformance::{self, Memory};
///
/// let client = Memory::new(conformance::application(), "");
/// conformance::run_where(&client, "", |case| case.rules().contains(&"F8")).assert_passed();
/// ```
pub fn run_where(client: &dyn Client, mount: &str, picks: impl Fn(&Case) -> bool) -> Report {
    let verdict = |case: &'static Case| match case.lacks(client, mount) {
        Some(need) => Verdict::Skipped(format!("needs {need}")),
        // A panic of one case, or of the client in it, is a failure of that case.
        None => match catch_unwind(AssertUnwindSafe(|| (case.client)(&Talk::new(client, mount, case)))) {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(error)) => Verdict::Failed(error.to_string()),
            Err(panic) => Verdict::Failed(format!("panicked: {}", text_of(&*panic))),
        },
    };
    let picked = cases().iter().filter(|case| picks(case));
    Report::new(mount, picked.map(|case| (case, verdict(case))).collect())
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("with a value that is no text", String::as_str),
    }
}
