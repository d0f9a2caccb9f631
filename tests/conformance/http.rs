//! The suite over HTTP/1.1: the real adapter, on a loopback socket.

use vestibule::testing::TestServer;
use vestibule::testing::conformance::{self, Http1, Need};

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
