//! `response_time`.

use std::time::{Duration, Instant};

use vestibule::testing::TestServer;
use vestibule::{app_fn, middleware};

use super::across::across;

/// The microseconds of a time as it is written.
fn micros(time: &str) -> u64 {
    let (seconds, micros) = time.split_once('.').unwrap();
    assert_eq!(micros.len(), 6, "{time}");
    seconds.parse::<u64>().unwrap() * 1_000_000 + micros.parse::<u64>().unwrap()
}

#[test]
fn the_time_is_on_every_answer() {
    across(middleware::response_time, |_, _, seen| {
        micros(seen.header("x-runtime").unwrap());
        assert_eq!(seen.headers.get_all("x-runtime").iter().count(), 1);
    });
    let broken = app_fn(|_, _| Err("broken".into()));
    let response = TestServer::new(broken.wrap(middleware::response_time)).get("/").send();
    assert_eq!((response.status().as_u16(), response.header("x-runtime").is_some()), (500, true));
}

#[test]
fn what_the_application_took_is_part_of_it_and_the_outermost_is_told() {
    let app = app_fn(|_, start_response| {
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(2));
        let took = began.elapsed().as_micros().to_string();
        start_response.start(200, [("content-type", "text/plain"), ("x-took", &took), ("x-runtime", "mine")])?;
        Ok("tea".into())
    });
    let copy = middleware::map_head(|head| {
        let inner = head.headers["x-runtime"].clone();
        head.headers.insert("x-inner", inner);
    });
    let app = app.wrap(middleware::response_time).wrap(copy).wrap(middleware::response_time);
    let response = TestServer::new(app).get("/").send();
    let (inner, outer) = (response.header("x-inner").unwrap(), response.header("x-runtime").unwrap());
    assert!(response.header("x-took").unwrap().parse::<u64>().unwrap() <= micros(inner), "{response:?}");
    assert!(micros(inner) <= micros(outer), "{response:?}");
    assert_eq!(response.headers().get_all("x-runtime").iter().count(), 1);
}
