//! `Params`: what is in the path, decoded, typed, and what cannot be.

use std::net::IpAddr;

use vestibule::apps::{ParamError, Params, cascade, routes};
use vestibule::testing::TestServer;
use vestibule::{App, Environ, app_fn, middleware};

use super::get;

/// Answers with what a function makes of the parameters.
fn answers(f: impl Fn(&Params) -> vestibule::Result<String> + Send + Sync + 'static) -> App {
    app_fn(move |environ, start_response| {
        let text = f(Params::of(&environ))?;
        start_response.start(200, ())?;
        Ok(text.into())
    })
}

fn server(pattern: &str, f: impl Fn(&Params) -> vestibule::Result<String> + Send + Sync + 'static) -> TestServer {
    TestServer::new(routes().get(pattern, answers(f)).into_app().unwrap())
}

#[test]
fn a_parameter_is_decoded_after_it_was_matched() {
    let server = server("/u/{name}/{*rest}", |params| {
        let bytes = |name| String::from_utf8_lossy(&params.bytes(name).unwrap_or_default()).into_owned();
        Ok(format!("{}|{}|{:?}", bytes("name"), bytes("rest"), params.raw("rest")))
    });
    for (target, seen) in [
        ("/u/a%2Fb/c", r#"a/b|c|Some("c")"#),
        ("/u/a%252Fb/c", r#"a%2Fb|c|Some("c")"#),
        ("/u/caf%C3%A9/x%2Fy/z", r#"café|x/y/z|Some("x%2Fy/z")"#),
        ("/u/+/a+b%20c", r#"+|a+b c|Some("a+b%20c")"#),
        ("/u/%2E%2E/../x", r#"..|../x|Some("../x")"#),
        ("/u/x//", "x|/|Some(\"/\")"),
        ("/%75/x/y/?q", r#"x|y/|Some("y/")"#),
    ] {
        assert_eq!(server.get(target).send().text(), seen, "{target}");
    }
}

#[test]
fn a_parameter_is_parsed_and_what_the_type_refuses_is_not_found() {
    let server = server("/{kind}/{value}", |params| {
        Ok(match &*params.get::<String>("kind")? {
            "u8" => params.get::<u8>("value")?.to_string(),
            "ip" => params.get::<IpAddr>("value")?.to_string(),
            "bool" => params.get::<bool>("value")?.to_string(),
            _ => params.get::<String>("value")?,
        })
    });
    for (target, status, text) in [
        ("/u8/255", 200, "255"),
        ("/u8/%32", 200, "2"),
        ("/u8/256", 404, "404 Not Found\n"),
        ("/u8/-1", 404, "404 Not Found\n"),
        ("/u8/a", 404, "404 Not Found\n"),
        ("/ip/::1", 200, "::1"),
        ("/bool/yes", 404, "404 Not Found\n"),
        ("/text/a%20b", 200, "a b"),
        ("/text/%FF", 404, "404 Not Found\n"),
        ("/%FF/x", 404, "404 Not Found\n"),
    ] {
        let response = server.get(target).send();
        assert_eq!((response.status().as_u16(), &*response.text()), (status, text), "{target}");
    }
}

#[test]
fn what_is_not_utf_8_is_there_as_bytes_and_as_a_typed_error() {
    let server = server("/{name}", |params| {
        let error = params.get::<String>("name").unwrap_err();
        assert_eq!((error.status().map(|status| status.as_u16()), error.is_client()), (Some(404), true));
        let Some(ParamError::NotUtf8 { name, bytes }) = error.downcast_ref() else { panic!("{error:?}") };
        Ok(format!("{name} {bytes:?} {:?} {:?}", params.bytes("name").unwrap(), params.raw("name")))
    });
    assert_eq!(server.get("/a%FF").send().text(), "name [97, 255] [97, 255] Some(\"a%FF\")");
}

#[test]
fn errors_say_which_parameter_and_why() {
    let server = server("/{id}", |params| {
        let unfit = params.get::<u8>("id").unwrap_err();
        assert!(matches!(unfit.downcast_ref(), Some(ParamError::Unfit { .. })) && unfit.source().is_some());
        let unknown = params.get::<u8>("no").unwrap_err();
        assert!(matches!(unknown.downcast_ref(), Some(ParamError::Unknown { .. })));
        assert!(unknown.status().is_none() && unknown.is_application());
        Ok(format!("{unfit}; {unknown}"))
    });
    let text = server.get("/x").send().text();
    assert_eq!(text, "parameter `id` of the path: invalid digit found in string; no route has a parameter `no` here");
}

#[test]
fn another_status_is_a_map_err_away() {
    let server = server("/{id}", |params| {
        let id: u8 = params.get("id").map_err(|error| vestibule::Error::with_status(400, error.into_boxed()))?;
        Ok(id.to_string())
    });
    assert_eq!(server.get("/x").send().status(), 400);
}

#[test]
fn without_a_route_there_are_none() {
    let environ = Environ::from(get("/x"));
    let params = Params::of(&environ);
    assert_eq!((params.iter().count(), params.raw("id"), format!("{params:?}")), (0, None, "{}".to_owned()));
    assert!(params.get::<u8>("id").unwrap_err().status().is_none());
}

#[test]
fn they_stay_what_they_were_when_the_path_is_changed_later() {
    let shows = answers(|params| Ok(format!("{params:?}")));
    let moved = shows.wrap(middleware::map_environ(|environ| environ.set_path(b"/elsewhere", b"/q").unwrap()));
    let inner = routes().get("/{b}", moved).into_app().unwrap();
    let server = TestServer::new(routes().nest("/{a}", inner).into_app().unwrap());
    assert_eq!(server.get("/x%2F/y").send().text(), r#"{"b": "y", "a": "x%2F"}"#);
    assert_eq!(server.mounted_at("/mnt").get("/x/y").send().text(), r#"{"b": "y", "a": "x"}"#);
}

#[test]
fn the_inner_one_hides_the_outer_one_and_all_are_listed() {
    let shows = answers(|params| {
        let list: Vec<_> = params.iter().map(|(name, value)| format!("{name}={}", value.escape_ascii())).collect();
        Ok(format!("{} {}", params.get::<String>("id")?, list.join(",")))
    });
    let inner = routes().get("/{id}/{x}", shows).into_app().unwrap();
    let server = TestServer::new(routes().nest("/{id}/{y}", inner).into_app().unwrap());
    assert_eq!(server.get("/1/2/3/4").send().text(), "3 id=3,x=4,id=1,y=2");
}

#[test]
fn those_of_a_router_that_passed_the_request_over_are_gone() {
    let missing = app_fn(|_, start_response| {
        start_response.start(404, ())?;
        Ok("".into())
    });
    let first = routes().get("/{a}/{b}", missing).into_app().unwrap();
    let second = routes().get("/x/{c}", answers(|params| Ok(format!("{params:?}")))).into_app().unwrap();
    assert_eq!(TestServer::new(cascade([first, second])).get("/x/y").send().text(), r#"{"c": "y"}"#);
}
