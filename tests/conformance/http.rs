//! The suite over HTTP/1.1: the real adapter, on sockets, with each execution.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use futures::channel::oneshot;
use hyper_util::rt::TokioIo;
use vestibule::adapters::http::{Server, Service};
use vestibule::testing::TestServer;
use vestibule::testing::conformance::{self, Http1, Http2, Need};
use vestibule::{Execution, Result};

use super::assert_conforms;

#[test]
fn http_at_the_root() {
    over_http("", &[Need::Mount, Need::Log]);
}

#[test]
fn http_below_a_mount_point() {
    over_http("/mnt", &[Need::Log]);
}

#[track_caller]
fn over_http(mount: &str, lacks: &[Need]) {
    let server = TestServer::http(conformance::application()).without_lint().mounted_at(mount);
    let address = server.local_addr().expect("a server over HTTP has an address");
    assert_conforms(&conformance::run(&Http1::tcp(address), mount), lacks);
}

#[test]
fn http_inline() {
    let serving = Serving::start("127.0.0.1:0", Execution::inline());
    let client = Http1::tcp(serving.address.unwrap()).without(Need::Concurrency);
    assert_conforms(&conformance::run(&client, ""), &[Need::Mount, Need::Log, Need::Concurrency]);
    serving.stop();
}

/// What HTTP/2 has not, beside the log of a server in another process.
const NOT_IN_HTTP2: [Need; 6] = [Need::Mount, Need::Log, Need::Wire, Need::Http10, Need::Reason, Need::HopByHop];

#[test]
fn http2_at_the_root() {
    let serving = Serving::start("127.0.0.1:0", Execution::pool());
    assert_conforms(&conformance::run(&Http2::tcp(serving.address.unwrap()), ""), &NOT_IN_HTTP2);
    serving.stop();
}

#[test]
fn http2_inline() {
    let serving = Serving::start("127.0.0.1:0", Execution::inline());
    let client = Http2::tcp(serving.address.unwrap()).without(Need::Concurrency);
    assert_conforms(&conformance::run(&client, ""), &[&NOT_IN_HTTP2[..], &[Need::Concurrency]].concat());
    serving.stop();
}

#[cfg(unix)]
#[test]
fn http_over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("vestibule-conformance-{}.socket", std::process::id()));
    let serving = Serving::start(&format!("unix:{}", path.display()), Execution::pool());
    assert_conforms(&conformance::run(&Http1::unix(&path), ""), &[Need::Mount, Need::Log, Need::Reset]);
    serving.stop();
    let _ = std::fs::remove_file(&path);
}

/// What only a server of ours does, beside the log: it closes with a reset.
#[test]
fn in_a_hyper_loop_of_ones_own() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let service = Service::new(conformance::application(), Execution::pool());
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let accepting = async {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service.clone());
                    tokio::spawn(connection);
                }
            };
            tokio::select! {
                () = accepting => {}
                _ = stopped => {}
            }
        });
    });
    let report = conformance::run(&Http1::tcp(address).without(Need::Reset), "");
    drop(stop);
    thread.join().unwrap();
    assert_conforms(&report, &[Need::Mount, Need::Log, Need::Reset]);
}

/// A server of the suite's application on a thread of its own.
struct Serving {
    address: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Serving {
    fn start(address: &str, execution: Execution) -> Self {
        let server = Server::bind(address).unwrap().execution(execution);
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let until = async move {
            let _ = stopped.await;
        };
        let thread = std::thread::spawn(move || server.run_until(conformance::application(), until));
        Self { address, stop, thread }
    }

    fn stop(self) {
        let _ = self.stop.send(());
        self.thread.join().unwrap().unwrap();
    }
}
