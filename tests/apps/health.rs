//! `health`: what it says of a process that lives, and of one that wants no requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vestibule::Method;
use vestibule::apps::{Readiness, health, url_map};
use vestibule::testing::TestServer;

#[test]
fn it_lives_whether_it_is_ready_or_not() {
    for is_ready in [true, false] {
        let server = TestServer::new(health(Readiness::new(is_ready)));
        for method in [Method::GET, Method::HEAD] {
            let response = server.request(method, "/live").send();
            assert_eq!((response.status().as_u16(), response.header("cache-control")), (200, Some("no-store")));
            assert_eq!(response.header("retry-after"), None);
        }
    }
}

#[test]
fn it_is_ready_when_the_switch_is_on_and_every_condition_holds() {
    let condition = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&condition);
    let readiness = Readiness::new(false).and(|| true).and(move || asked.load(Ordering::SeqCst));
    let server = TestServer::new(health(readiness.clone()));
    let is_ready = || {
        let response = server.get("/ready").send();
        let (status, retry_after) = (response.status().as_u16(), response.header("retry-after"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert!(matches!((status, retry_after), (200, None) | (503, Some("5"))), "{status} {retry_after:?}");
        status == 200
    };
    for (switch, holds) in [(false, true), (true, true), (true, false), (false, false), (true, true)] {
        readiness.set(switch);
        condition.store(holds, Ordering::SeqCst);
        assert_eq!((is_ready(), readiness.is_ready()), (switch && holds, switch && holds), "{switch} {holds}");
    }
}

#[test]
fn who_is_refused_is_told_when_to_come_again() {
    for seconds in [0, 1, u32::MAX] {
        let server = TestServer::new(health(Readiness::new(false).retry_after(seconds)));
        assert_eq!(server.get("/ready").send().header("retry-after"), Some(&*seconds.to_string()));
    }
}

#[test]
fn it_answers_two_paths_and_two_methods_and_never_blocks() {
    let app = health(Readiness::new(true));
    assert!(!app.may_block());
    let server = TestServer::new(app.clone());
    for target in ["/", "/live/", "/Ready", "/readyz", "//ready"] {
        assert_eq!(server.get(target).send().status(), 404, "{target}");
    }
    let refused = server.post("/ready").send();
    assert_eq!((refused.status().as_u16(), refused.header("allow")), (405, Some("GET, HEAD")));
    let mounted = TestServer::new(url_map([("/health", app)]).unwrap());
    assert_eq!(mounted.get("/health/ready").send().status(), 200);
}

#[test]
fn a_switch_is_shared_by_its_handles() {
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    let readiness = Readiness::new(false);
    is_shared(&readiness);
    let thread = std::thread::spawn({
        let readiness = readiness.clone();
        move || readiness.set(true)
    });
    thread.join().unwrap();
    assert!(readiness.is_ready());
}
