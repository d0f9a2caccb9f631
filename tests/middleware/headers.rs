//! `set_header`, `default_header` and `remove_header`.

use http::{HeaderName, HeaderValue};
use vestibule::testing::TestServer;
use vestibule::{App, Body, Head, app_fn, middleware};

use super::across::{across, is_shared};

fn answering(head: impl Fn() -> Head + Send + Sync + 'static) -> App {
    app_fn(move |_, start_response| {
        start_response.send(head())?;
        Ok("tea".into())
    })
}

#[test]
fn set_header_changes_the_head_and_nothing_else() {
    across(middleware::set_header("x-outer", "yes").unwrap(), |what, _, seen| {
        assert_eq!(seen.header("x-outer"), Some("yes"), "{what}");
    });
}

#[test]
fn default_header_and_remove_header_change_the_head_and_nothing_else() {
    across(middleware::default_header("x-outer", "yes").unwrap(), |what, _, seen| {
        assert_eq!(seen.header("x-outer"), Some("yes"), "{what}");
    });
    across(middleware::remove_header("x-absent").unwrap(), |_, _, _| {});
}

#[test]
fn set_header_replaces_every_header_of_the_name_and_default_header_none() {
    let app = || answering(|| Head::new(200).header("server", "a").header("server", "b"));
    let all = |app: App| {
        let response = TestServer::new(app).get("/").send();
        response.headers().get_all("server").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(app().wrap(middleware::set_header("server", "ours").unwrap())), ["ours"]);
    assert_eq!(all(app().wrap(middleware::default_header("server", "ours").unwrap())), ["a", "b"]);
    assert_eq!(all(app().wrap(middleware::remove_header("server").unwrap())), [""; 0]);
}

#[test]
fn the_outer_set_header_wins_and_the_inner_default_header() {
    let app = answering(|| Head::new(200));
    let set = |value| middleware::set_header("x-name", value).unwrap();
    let default = |value| middleware::default_header("x-name", value).unwrap();
    let header = |app: App| TestServer::new(app).get("/").send().header("x-name").unwrap().to_owned();
    assert_eq!(header(app.clone().wrap(set("inner")).wrap(set("outer"))), "outer");
    assert_eq!(header(app.clone().wrap(default("inner")).wrap(default("outer"))), "inner");
    assert_eq!(header(app.wrap(default("inner")).wrap(set("outer"))), "outer");
}

#[test]
fn headers_are_set_and_removed_on_responses_that_the_gateway_makes() {
    for broken in [app_fn(|_, _| Err("broken".into())), app_fn(|_, _| panic!("broken")), app_fn(|_, _| Ok("".into()))] {
        let app = broken
            .wrap(middleware::set_header("x-set", "1").unwrap())
            .wrap(middleware::default_header("x-default", 2).unwrap())
            .wrap(middleware::remove_header("content-type").unwrap());
        let response = TestServer::new(app).without_lint().get("/").send();
        assert_eq!(response.status(), 500);
        assert_eq!((response.header("x-set"), response.header("x-default")), (Some("1"), Some("2")));
        assert_eq!(response.header("content-type"), None);
    }
}

#[test]
fn a_header_that_no_response_can_have_is_refused_when_it_is_set() {
    for name in ["", "a b", "a:", "é", "connection", "Transfer-Encoding", "UPGRADE", "content-length"] {
        let error = middleware::set_header(name, "x").map(drop).unwrap_err();
        assert!(error.to_string().starts_with("set_header: "), "{error}");
        let error = middleware::default_header(name, "x").map(drop).unwrap_err();
        assert!(error.to_string().starts_with("default_header: "), "{error}");
    }
    for value in ["a\r\nb", "a\nb", "a\0", "\x7f"] {
        assert!(middleware::set_header("x-name", value).is_err(), "{value:?}");
    }
    for name in ["", "a b"] {
        let error = middleware::remove_header(name).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("remove_header: "), "{error}");
    }
}

#[test]
fn the_names_and_values_may_be_borrowed_strings_and_typed() {
    let (name, value) = (String::from("x-name"), String::from("7"));
    let layers = [
        is_shared(middleware::set_header(&*name, &*value).unwrap()),
        is_shared(middleware::set_header(HeaderName::from_static("x-name"), HeaderValue::from_static("7")).unwrap()),
        is_shared(middleware::set_header("X-Name", 7).unwrap()),
        is_shared(middleware::default_header(&name, &value).unwrap()),
    ];
    drop((name, value));
    for layer in layers {
        let response = TestServer::new(answering(|| Head::new(200)).wrap(layer)).get("/").send();
        assert_eq!(response.header("x-name"), Some("7"));
    }
}

#[test]
fn a_response_without_its_content_length_has_that_of_its_body() {
    let app = answering(|| Head::new(200).header("content-length", 3));
    let layer = middleware::remove_header("content-length").unwrap();
    let response = TestServer::new(app.wrap(&layer)).get("/").send();
    assert_eq!((response.header("content-length"), response.text().as_str()), (Some("3"), "tea"));
    let app = app_fn(|_, start_response| {
        start_response.start(200, [("content-length", "4")])?;
        Ok(Body::iter(["te", "a\n"]))
    });
    let response = TestServer::new(app.wrap(layer)).get("/").send();
    assert_eq!((response.header("content-length"), response.text().as_str()), (None, "tea\n"));
}
