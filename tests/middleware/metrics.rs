//! `metrics`: what a recorder hears of every request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::Method;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use vestibule::{App, Head, app_fn, middleware};

use super::all;
use super::passing::passes_everything;
use crate::harness::play::{Item, Kind, Play};
use crate::harness::{Pull, Running, get, run};

/// A recorder in memory: every number by its name and its labels.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<BTreeMap<String, f64>>>);

struct Number(Numbers, String);

impl Numbers {
    fn number(&self, key: &Key) -> Arc<Number> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Number(self.clone(), format!("{} {}", key.name(), labels.join(" "))))
    }

    fn all(&self) -> BTreeMap<String, f64> {
        self.0.lock().unwrap().clone()
    }

    /// One that is to be there.
    fn get(&self, name: &str) -> f64 {
        *self.all().get(name).unwrap_or_else(|| panic!("no {name:?} in {:?}", self.all()))
    }
}

impl Number {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut numbers = self.0.0.lock().unwrap();
        let number = numbers.entry(self.1.clone()).or_default();
        *number = change(*number);
    }
}

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.change(|number| number + value as f64);
    }
    fn absolute(&self, value: u64) {
        self.change(|_| value as f64);
    }
}

impl GaugeFn for Number {
    fn increment(&self, value: f64) {
        self.change(|number| number + value);
    }
    fn decrement(&self, value: f64) {
        self.change(|number| number - value);
    }
    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Number {
    /// Counts.
    fn record(&self, value: f64) {
        assert!((0.0..3600.0).contains(&value), "seconds: {value}");
        self.change(|number| number + 1.0);
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.number(key))
    }
}

const IN_FLIGHT: &str = "http_server_requests_in_flight ";

fn status(status: u16, kind: Kind) -> App {
    Play::new(move || Head::new(status), &["one", "two"]).app(kind).wrap(middleware::metrics)
}

#[test]
fn metrics_lets_everything_pass() {
    passes_everything(middleware::metrics);
    with_local_recorder(&Numbers::default(), || passes_everything(middleware::metrics));
}

#[test]
fn every_request_is_counted_and_timed_once() {
    for (kind, pull) in all() {
        let numbers = Numbers::default();
        with_local_recorder(&numbers, || {
            for code in [200, 206, 304, 404, 503, 700] {
                run(&status(code, kind), get(), pull);
            }
            let mut running = Running::new(&status(200, kind), get(), pull);
            running.until_head();
            assert_eq!(numbers.get(IN_FLIGHT), 1.0, "{kind:?} {pull:?}");
            running.finish(false);
            let fails = Play::items(|| Head::new(200), [Item::Fail("x")]).app(kind).wrap(middleware::metrics);
            run(&fails, get(), pull);
        });
        let expected = [
            (IN_FLIGHT, 0.0),
            ("http_server_request_duration_seconds method=GET status=2xx", 3.0),
            ("http_server_request_duration_seconds method=GET status=3xx", 1.0),
            ("http_server_request_duration_seconds method=GET status=4xx", 1.0),
            ("http_server_request_duration_seconds method=GET status=5xx", 2.0),
            ("http_server_request_duration_seconds method=GET status=other", 1.0),
            ("http_server_requests_total method=GET status=2xx end=complete", 2.0),
            ("http_server_requests_total method=GET status=2xx end=client_left", 1.0),
            ("http_server_requests_total method=GET status=3xx end=complete", 1.0),
            ("http_server_requests_total method=GET status=4xx end=complete", 1.0),
            ("http_server_requests_total method=GET status=5xx end=complete", 2.0),
            ("http_server_requests_total method=GET status=other end=complete", 1.0),
        ];
        let expected: BTreeMap<_, _> = expected.map(|(name, number)| (name.to_owned(), number)).into();
        assert_eq!(numbers.all(), expected, "{kind:?} {pull:?}");
    }
}

#[test]
fn an_abort_and_a_limit_of_time_are_ends_of_their_own() {
    let numbers = Numbers::default();
    with_local_recorder(&numbers, || {
        let late = Play::items(|| Head::new(200), [Item::Block("half"), Item::Fail("late")]).app(Kind::Iterator);
        run(&late.wrap(middleware::metrics), get(), Pull::Blocking);
        let slow = app_fn(|_, start_response| {
            start_response.start(200, ())?;
            let blocks = futures::StreamExt::chain(futures::stream::iter([Ok("half")]), futures::stream::pending());
            Ok(vestibule::Body::stream(blocks))
        });
        // The first block is to come before the time has passed.
        let begun = [20, 200, 2_000, 20_000].into_iter().any(|milliseconds| {
            let limit = middleware::timeout(std::time::Duration::from_millis(milliseconds));
            run(&slow.clone().wrap(limit).wrap(middleware::metrics), get(), Pull::Blocking).status == 200
        });
        assert!(begun);
    });
    assert_eq!(numbers.get("http_server_requests_total method=GET status=2xx end=aborted"), 1.0);
    assert_eq!(numbers.get("http_server_requests_total method=GET status=2xx end=timed_out"), 1.0);
}

#[test]
fn no_client_makes_more_series_than_there_are() {
    let numbers = Numbers::default();
    with_local_recorder(&numbers, || {
        for number in 0..100 {
            let method = Method::try_from(&*format!("M{number}")).unwrap();
            let request = http::Request::builder().method(method).uri(format!("/{number}?{number}"));
            run(&status(200, Kind::Eager), request.body(()).unwrap(), Pull::Blocking);
        }
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "get"] {
            let request = http::Request::builder().method(method).uri("/").body(()).unwrap();
            run(&status(200, Kind::Eager), request, Pull::Blocking);
        }
    });
    assert_eq!(numbers.get("http_server_requests_total method=_OTHER status=2xx end=complete"), 101.0);
    assert_eq!(numbers.get("http_server_requests_total method=PATCH status=2xx end=complete"), 1.0);
    assert_eq!(numbers.all().len(), 1 + 10 + 10);
}
