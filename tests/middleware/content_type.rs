//! `default_content_type`.

use vestibule::testing::TestServer;
use vestibule::{App, Body, Head, app_fn, middleware};

use super::across::across;

fn answering(head: impl Fn() -> Head + Send + Sync + 'static) -> App {
    app_fn(move |_, start_response| {
        start_response.send(head())?;
        Ok("tea".into())
    })
}

#[test]
fn default_content_type_is_set_where_there_may_be_content() {
    across(middleware::default_content_type("text/html; charset=utf-8").unwrap(), |what, answer, seen| {
        let expected = (!matches!(answer.status, 204 | 304)).then_some("text/html; charset=utf-8");
        assert_eq!(seen.header("content-type"), expected, "{what}");
    });
}

#[test]
fn default_content_type_leaves_that_of_the_application_and_of_the_gateway() {
    let layer = middleware::default_content_type("text/html").unwrap();
    let app = answering(|| Head::new(200).header("content-type", "image/png"));
    assert_eq!(TestServer::new(app.wrap(&layer)).get("/").send().header("content-type"), Some("image/png"));
    let broken = app_fn(|_, _| Err("broken".into()));
    let response = TestServer::new(broken.wrap(layer)).get("/").send();
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn default_content_type_says_of_head_what_it_says_of_get() {
    let layer = middleware::default_content_type("text/html").unwrap();
    for (head, expected) in [
        (Head::new(200), Some("text/html")),
        (Head::new(200).header("content-length", 0), None),
        (Head::new(205), None),
        (Head::new(302).header("location", "/tea"), Some("text/html")),
    ] {
        // An application that knows HEAD gives it no body at all.
        let app = app_fn(move |_, start_response| {
            start_response.send(head.clone())?;
            Ok(Body::empty())
        });
        let server = TestServer::new(app.wrap(&layer));
        for method in ["GET", "HEAD"] {
            let response = server.request(method, "/").send();
            assert_eq!(response.header("content-type"), expected, "{method} {}", response.status());
        }
    }
}

#[test]
fn a_content_type_that_is_none_is_refused_when_it_is_set() {
    for value in ["text/html", "text/html;charset=utf-8", "application/vnd.a+json ; b=\"c/d\"", "*/*"] {
        assert!(middleware::default_content_type(value).is_ok(), "{value}");
    }
    for value in
        ["", "html", "text/", "/html", "text/html/x", "text html", "a b/c", "text/html charset=utf-8", ";a/b", "a/b\n"]
    {
        let error = middleware::default_content_type(value).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("default_content_type: "), "{error}");
    }
}
