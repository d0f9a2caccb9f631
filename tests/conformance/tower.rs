//! The suite through the bridge to tower: out of it, into it, and there and back.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use vestibule::adapters::tower::{AppService, from_service, into_service};
use vestibule::testing::TestServer;
use vestibule::testing::conformance::{self, Http1, Http2, Memory, Need};
use vestibule::{App, Execution};

use super::{assert_conforms, assert_differs};

/// The application, called as a service by a service that is called as an application.
fn there_and_back() -> App {
    from_service(into_service(conformance::application()))
}

#[test]
fn there_and_back_in_memory() {
    for mount in ["", "/mnt"] {
        let report = conformance::run(&Memory::new(there_and_back(), mount), mount);
        assert_conforms(&report, &[Need::Wire, Need::Mount]);
    }
}

#[test]
fn there_and_back_over_http() {
    for mount in ["", "/mnt"] {
        let server = TestServer::http(there_and_back()).without_lint().mounted_at(mount);
        let client = Http1::tcp(server.local_addr().unwrap());
        assert_conforms(&conformance::run(&client, mount), &[Need::Log, Need::Mount]);
    }
}

#[test]
fn in_a_router_that_is_an_application() {
    let router = Router::new().fallback_service(into_service(conformance::application()));
    let server = TestServer::http(from_service(router)).without_lint().mounted_at("/mnt");
    assert_conforms(&conformance::run(&Http1::tcp(server.local_addr().unwrap()), "/mnt"), &[Need::Log]);
}

/// As [`NESTED`], but for what the bridge restores.
const NESTED_INSIDE: [(&str, &str); 2] =
    [("options-asterisk", "the status is 404"), ("lint-accepts-the-environ-of-the-gateway", "the status is 404")];

#[test]
fn nested_in_a_router_that_is_an_application() {
    let router = Router::new().nest_service("/mnt", into_service(conformance::application()));
    let server = TestServer::http(from_service(router)).without_lint();
    let client = Http1::tcp(server.local_addr().unwrap());
    assert_differs(&conformance::run(&client, "/mnt"), &[Need::Log], &NESTED_INSIDE);
}

#[test]
fn there_and_back_over_http2() {
    let server = TestServer::http(there_and_back()).without_lint();
    let lacks = [Need::Mount, Need::Log, Need::Wire, Need::Http10, Need::Reason, Need::HopByHop];
    assert_conforms(&conformance::run(&Http2::tcp(server.local_addr().unwrap()), ""), &lacks);
}

/// What is lost where axum serves, beside the log of another process: `http` has no reasons, and only the server of a
/// connection can reset it.
const NOT_IN_AXUM: [Need; 4] = [Need::Mount, Need::Log, Need::Reason, Need::Reset];

/// A service cannot tell a request without a Host that came over a wire from one that a program has made.
const NO_HOST: (&str, &str) = ("a-host-is-needed-in-http-1-1", "the status is 200");

#[test]
fn in_axum_over_http1() {
    let axum = Axum::serve(|service| Router::new().fallback_service(service), into_service(conformance::application()));
    let client = Http1::tcp(axum.address).without(Need::Reason).without(Need::Reset);
    assert_differs(&conformance::run(&client, ""), &NOT_IN_AXUM, &[NO_HOST]);
}

/// What `nest_service` changes of a request: it takes slashes off with the prefix and leaves one, and keeps what has no
/// path to itself.
const NESTED: [(&str, &str); 8] = [
    ("the-path-at-the-mount-point-itself", "PATH_INFO is Some(\"/\"), not Some(\"\")"),
    ("slashes-and-dots-stay", "PATH_INFO is Some(\"/foo///bar\"), not Some(\"//foo///bar\")"),
    ("the-raw-path-is-as-it-was-sent", "raw_path is Some(\"/mnt/x/../y\"), not Some(\"/mnt//x/../y\")"),
    ("options-asterisk", "the status is 404"),
    ("lint-accepts-the-environ-of-the-gateway", "the status is 404"),
    ("connect-is-not-served", "the status is 404"),
    ("a-malformed-target", "no slash: the status is 404"),
    NO_HOST,
];

#[test]
fn nested_in_axum() {
    let service = into_service(conformance::application()).mounted_at("/mnt");
    let axum = Axum::serve(|service| Router::new().nest_service("/mnt", service), service);
    let client = Http1::tcp(axum.address).without(Need::Reason).without(Need::Reset);
    assert_differs(&conformance::run(&client, "/mnt"), &NOT_IN_AXUM, &NESTED);
}

#[test]
fn in_axum_over_http2_and_inline() {
    let service = into_service(conformance::application()).execution(Execution::inline());
    let axum = Axum::serve(|service| Router::new().fallback_service(service), service);
    let client = Http2::tcp(axum.address).without(Need::Concurrency);
    let lacks = [Need::Mount, Need::Log, Need::Wire, Need::Http10, Need::Reason, Need::HopByHop, Need::Concurrency];
    assert_conforms(&conformance::run(&client, ""), &lacks);
}

/// axum's own server, until it is dropped.
struct Axum {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Axum {
    fn serve(router: impl FnOnce(AppService) -> Router, service: AppService) -> Self {
        let router = router(service);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let serving = axum::serve(TcpListener::from_std(listener).unwrap(), router);
                tokio::select! {
                    ended = serving => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Axum {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_)) = self.thread.take().map(std::thread::JoinHandle::join) {
            eprintln!("axum's thread has panicked");
        }
    }
}
