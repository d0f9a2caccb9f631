//! The router: which route has a request, what it sees of it, and which tables are refused.

#[path = "router/model.rs"]
mod model;
#[path = "router/params.rs"]
mod params;

use vestibule::apps::{MatchedRoute, Params, cascade, route, routes, url_map};
use vestibule::testing::TestServer;
use vestibule::{App, Environ, Head, Method, Result, StartResponse, app_fn, handler_fn};

use super::{all, get, harness, named, quick};
use harness::play::Play;
use harness::{Pull, run};

/// Says its name, the method and the parameters.
fn shows(name: &'static str) -> App {
    app_fn(move |environ, start_response| {
        start_response.start(200, ())?;
        Ok(format!("{name} {} {:?}", environ.method(), Params::of(&environ)).into())
    })
}

fn users() -> TestServer {
    let users = routes()
        .get("/", shows("home"))
        .get("/users", shows("list"))
        .post("/users", shows("create"))
        .get("/users/{id}", shows("user"))
        .put("/users/{id}", shows("replace"))
        .patch("/users/{id}", shows("change"))
        .delete("/users/{id}", shows("remove"))
        .get("/users/me", shows("me"))
        .get("/users/{id}/posts/{post}", shows("post"))
        .get("/files/{*path}", shows("file"))
        .on(Method::from_bytes(b"PROPFIND").unwrap(), "/files/{*path}", shows("properties"))
        .any("/any", shows("any"))
        .post("/any", shows("any post"));
    TestServer::new(users.into_app().unwrap())
}

#[test]
fn the_pattern_and_the_method_pick_the_route() {
    let users = users();
    for (method, target, seen) in [
        ("GET", "/", "home GET {}"),
        ("GET", "/users", "list GET {}"),
        ("POST", "/users", "create POST {}"),
        ("GET", "/users/7", "user GET {\"id\": \"7\"}"),
        ("PUT", "/users/7", "replace PUT {\"id\": \"7\"}"),
        ("PATCH", "/users/7", "change PATCH {\"id\": \"7\"}"),
        ("DELETE", "/users/7", "remove DELETE {\"id\": \"7\"}"),
        ("GET", "/users/me", "me GET {}"),
        ("GET", "/users/me/posts/1", "post GET {\"id\": \"me\", \"post\": \"1\"}"),
        ("GET", "/users/..", "user GET {\"id\": \"..\"}"),
        ("GET", "/users/a;v=1", "user GET {\"id\": \"a;v=1\"}"),
        ("GET", "/users/a%2Fb", "user GET {\"id\": \"a%2Fb\"}"),
        ("GET", "/%75sers/%6De", "me GET {}"),
        ("GET", "/files/a/b", "file GET {\"path\": \"a/b\"}"),
        ("GET", "/files//a/", "file GET {\"path\": \"/a/\"}"),
        ("PROPFIND", "/files/a", "properties PROPFIND {\"path\": \"a\"}"),
        ("GET", "/any", "any GET {}"),
        ("POST", "/any", "any post POST {}"),
        ("OPTIONS", "/any", "any OPTIONS {}"),
        ("BREW", "/any", "any BREW {}"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(users.request(method.clone(), target).send().text(), seen, "{method} {target}");
    }
}

#[test]
fn what_fits_no_pattern_is_not_found() {
    let users = users();
    let strict = ["/users/", "//users", "/user", "/userss", "/users/7/", "/users//posts/1", "/users/7/posts", "/files"];
    for target in strict.into_iter().chain(["/files/", "/USERS", "/users%2F7", "/.", "/users/7/posts/1/"]) {
        for method in [Method::GET, Method::OPTIONS, Method::DELETE] {
            let response = users.request(method, target).send();
            assert_eq!((response.status().as_u16(), &*response.text()), (404, "404 Not Found\n"), "{target}");
            assert_eq!(response.header("allow"), None, "{target}");
        }
    }
    assert_eq!(TestServer::new(routes().into_app().unwrap()).get("/").send().status(), 404);
}

#[test]
fn a_method_without_a_route_is_told_of_those_that_have_one() {
    let users = users();
    for (method, target, allow) in [
        (Method::DELETE, "/users", "GET, HEAD, POST, OPTIONS"),
        (Method::POST, "/users/7", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        (Method::TRACE, "/", "GET, HEAD, OPTIONS"),
        // The most literal pattern decides.
        (Method::PUT, "/users/me", "GET, HEAD, OPTIONS"),
        (Method::POST, "/files/x", "GET, HEAD, PROPFIND, OPTIONS"),
    ] {
        let response = users.request(method.clone(), target).send();
        assert_eq!(response.status().as_u16(), 405, "{method} {target}");
        assert_eq!(response.header("allow"), Some(allow), "{method} {target}");
        assert_eq!(response.text(), "405 Method Not Allowed\n", "{method} {target}");
        let options = users.request(Method::OPTIONS, target).send();
        assert_eq!((options.status().as_u16(), options.header("allow")), (200, Some(allow)), "{target}");
        assert_eq!((options.text(), options.header("content-length")), (String::new(), Some("0")), "{target}");
    }
}

#[test]
fn head_is_get_without_a_body_unless_it_has_its_own() {
    let users = users();
    let response = users.request(Method::HEAD, "/users/7").send();
    assert_eq!((response.status().as_u16(), response.text()), (200, String::new()));
    assert_eq!(response.header("content-length"), Some("21"), "that of its text");
    assert_eq!(users.request(Method::HEAD, "/any").send().status(), 200);
    let post = routes().post("/only", named("x")).on(Method::HEAD, "/own", quick("")).get("/own", named("long"));
    let server = TestServer::new(post.into_app().unwrap());
    let refused = server.request(Method::HEAD, "/only").send();
    assert_eq!((refused.status().as_u16(), refused.header("allow")), (405, Some("POST, OPTIONS")));
    let own = server.request(Method::HEAD, "/own").send();
    assert_eq!((own.status().as_u16(), own.header("content-length")), (200, None));
    assert_eq!(server.request(Method::OPTIONS, "/own").send().header("allow"), Some("HEAD, GET, OPTIONS"));
}

#[test]
fn a_question_about_the_whole_server_is_answered_with_all_methods() {
    let app = routes().get("/a", named("a")).put("/b", named("b")).into_app().unwrap();
    let seen = run(&app, http::Request::options("*").body(()).unwrap(), Pull::Blocking);
    assert_eq!((seen.status.as_u16(), seen.header("allow")), (200, Some("GET, HEAD, PUT, OPTIONS")));
    assert_eq!(run(&app, http::Request::get("*").body(()).unwrap(), Pull::Blocking).status, 404);
}

#[test]
fn routes_are_matched_below_the_mount_and_nesting_moves_it() {
    let api = || routes().get("", named("top")).get("/", named("slash")).get("/x/{id}", named("x"));
    let table = routes()
        .get("/", named("home"))
        .get("/api/x/special", named("special"))
        .nest("/api", api().nest("/deep/", routes().get("/y", named("y"))))
        .nest("/t/{tenant}", routes().get("/{id}", shows("tenant")))
        .nest("/raw/", named("raw"))
        .nest("/", routes().get("/merged", named("merged")));
    let server = TestServer::new(table.into_app().unwrap());
    let mounted = server.clone().mounted_at("/mnt");
    for (target, script_name, path_info, name) in [
        ("/", "", "/", "home"),
        ("/api", "/api", "", "top"),
        ("/api/", "/api", "/", "slash"),
        ("/api/x/1%2F2", "/api", "/x/1/2", "x"),
        ("/api/x/special", "", "/api/x/special", "special"),
        ("/api/deep/y", "/api/deep", "/y", "y"),
        ("/raw", "/raw", "", "raw"),
        ("/raw/", "/raw", "/", "raw"),
        ("/raw/a%2Fb/c", "/raw", "/a/b/c", "raw"),
        ("/r%61w/a", "/raw", "/a", "raw"),
        ("/merged", "", "/merged", "merged"),
    ] {
        assert_eq!(server.get(target).send().text(), format!("{name} {script_name}|{path_info}|{target}"));
        let text = mounted.get(target).send().text();
        assert_eq!(text, format!("{name} /mnt{script_name}|{path_info}|/mnt{target}"));
    }
    assert_eq!(server.get("/t/blue/7").send().text(), "tenant GET {\"tenant\": \"blue\", \"id\": \"7\"}");
    assert_eq!(mounted.get("/t/blue/7").send().text(), "tenant GET {\"tenant\": \"blue\", \"id\": \"7\"}");
    for target in ["/api/nothing", "/rawx", "/t/blue", "/t//7"] {
        assert_eq!(server.get(target).send().status(), 404, "{target}");
    }
}

#[test]
fn an_application_is_nested_for_every_method_and_may_be_a_router() {
    let inner = routes().get("/{id}", shows("inner")).into_app().unwrap();
    let outer = routes().nest("/t/{tenant}", inner.clone()).nest("/u/{id}", inner).into_app().unwrap();
    let server = TestServer::new(outer);
    assert_eq!(server.get("/t/blue/7").send().text(), "inner GET {\"id\": \"7\", \"tenant\": \"blue\"}");
    assert_eq!(server.get("/u/blue/7").send().text(), "inner GET {\"id\": \"7\", \"id\": \"blue\"}");
    let refused = server.post("/t/blue/7").send();
    assert_eq!((refused.status().as_u16(), refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    assert_eq!(server.get("/t/blue").send().status(), 404);
    // And a router below a map.
    let server = TestServer::new(url_map([("/mnt", routes().get("/{id}", named("x")).into_app().unwrap())]).unwrap());
    assert_eq!(server.get("/mnt/1").send().text(), "x /mnt|/1|/mnt/1");
}

#[test]
fn an_application_that_is_nested_at_the_root_has_what_is_left() {
    for prefix in ["", "/"] {
        let table = routes().get("/a", named("a")).nest(prefix, named("rest"));
        let server = TestServer::new(table.into_app().unwrap()).mounted_at("/mnt");
        for (target, seen) in [("/a", "a /mnt|/a|/mnt/a"), ("", "rest /mnt||/mnt"), ("/", "rest /mnt|/|/mnt/")] {
            assert_eq!(server.get(target).send().text(), seen);
        }
        assert_eq!(server.get("/b//c").send().text(), "rest /mnt|/b//c|/mnt/b//c");
        assert_eq!(server.post("/a").send().status(), 405);
    }
}

#[test]
fn patterns_are_written_as_urls_are() {
    let table = routes()
        .get("/caf%C3%A9", named("1"))
        .get("/tea room", named("2"))
        .get("/a%2fb", named("3"))
        .get("/{{literal}}", named("4"))
        .get("/100%", named("5"));
    let server = TestServer::new(table.into_app().unwrap());
    for (target, name) in
        [("/caf%c3%a9", "1"), ("/tea%20room", "2"), ("/a%2Fb", "3"), ("/%7Bliteral%7D", "4"), ("/100%25", "5")]
    {
        assert!(server.get(target).send().text().starts_with(name), "{target}");
    }
    assert_eq!(server.get("/a/b").send().status(), 404);
    let same = routes().get("/café", named("x")).get("/caf%c3%a9", named("y")).into_app();
    assert!(same.unwrap_err().to_string().contains("conflicts"));
}

#[test]
fn a_faulty_table_is_refused_with_the_names_of_the_routes() {
    let x = || named("x");
    for (table, fault) in [
        (routes().get("users", x()), "`GET users` does not begin with a slash"),
        (routes().nest("/api", routes().get("users", x())), "`GET users` does not begin with a slash"),
        (routes().nest("api", routes().get("/users", x())), "`GET api/users` does not begin with a slash"),
        (routes().nest("api", x()), "`nest api` does not begin with a slash"),
        (routes().get("/{}", x()), "`GET /{}` has a parameter \"\""),
        (routes().get("/{*}", x()), "has a parameter \"\""),
        (routes().get("/{id:int}", x()), "has a parameter \"id:int\""),
        (routes().get("/{id", x()), "has a brace that is no `{name}`"),
        (routes().get("/id}", x()), "has a brace that is no `{name}`"),
        (routes().get("/v{id}", x()), "a parameter is a whole segment"),
        (routes().get("/{id}.json", x()), "a parameter is a whole segment"),
        (routes().get("/{a}{b}", x()), "a parameter is a whole segment"),
        (routes().get("/{{{a}", x()), "a brace that is meant is written twice"),
        (routes().get("/{a/b}", x()), "has a brace"),
        (routes().get("/users/:id", x()), "`GET /users/:id` has a segment \":id\": a parameter is `{name}`"),
        (routes().get("/users/<id>", x()), "a `<` that is meant `%3C`"),
        (routes().get("/files/*", x()), "the rest `{*name}`, and a `*` that is meant `%2A`"),
        (routes().nest("/:a", x()), "`nest /:a` has a segment \":a\""),
        (routes().get("/search?q={q}", x()), "has a `?`, which ends a path: the query is not matched"),
        (routes().get("/a#b", x()), "has a `#`"),
        (routes().get("/{id}/{id}", x()), "has two parameters of the name `id`"),
        (routes().nest("/{id}", routes().get("/{*id}", x())), "`GET /{id}/{*id}` has two parameters"),
        (routes().get("/{*rest}/x", x()), "goes on behind its `{*..}`"),
        (routes().get("/{*rest}/", x()), "goes on behind its `{*..}`"),
        (routes().nest("/{*rest}", routes().get("/x", x())), "goes on behind its `{*..}`"),
        (routes().nest("/{*rest}", x()), "leaves nothing for what is nested"),
        (routes().get("/a", x()).get("/a", x()), "`GET /a` conflicts with `GET /a`"),
        (routes().get("/a", x()).get("/%61", x()), "`GET /%61` conflicts with `GET /a`"),
        (routes().any("/a", x()).any("/a", x()), "`any /a` conflicts with `any /a`"),
        (routes().any("/a", x()).nest("/a", x()), "`nest /a` conflicts with `any /a`"),
        (routes().nest("/a", x()).nest("/a/", x()), "`nest /a` conflicts with `nest /a`"),
        (routes().get("/u/{id}", x()).post("/u/{name}", x()), "`POST /u/{name}` conflicts with `GET /u/{id}`"),
        (routes().get("/u/{id}", x()).get("/u/{*rest}", x()), "`GET /u/{*rest}` conflicts with `GET /u/{id}`"),
        (routes().get("/u/{*rest}", x()).get("/u/{id}/x", x()), "`GET /u/{id}/x` conflicts with `GET /u/{*rest}`"),
        (routes().nest("/u", x()).get("/u/{id}", x()), "`GET /u/{id}` conflicts with `nest /u`"),
    ] {
        let message = table.into_app().expect_err(fault).to_string();
        assert!(message.starts_with("routes: ") && message.contains(fault), "{fault:?} is not in {message:?}");
    }
    assert!(route(Method::GET, "x").map(drop).unwrap_err().to_string().contains("`GET x` does not begin with a slash"));
    let table = routes().nest("/u", x()).get("/u", x()).get("/u/", x()).get("/u/x", x()).get("/u/{id}x", x());
    assert!(table.into_app().is_err(), "of all these only the last is a fault");
}

#[test]
fn signs_that_are_parameters_elsewhere_are_literal_where_they_are_encoded_or_not_first() {
    let table = routes().get("/%3Aid", named("colon")).get("/%2A", named("star")).get("/v1:x<y>*", named("inside"));
    let server = TestServer::new(table.into_app().unwrap());
    for (path, text) in [("/:id", "colon"), ("/%3aid", "colon"), ("/*", "star"), ("/v1:x%3Cy%3E*", "inside")] {
        assert!(server.get(path).send().text().starts_with(text), "{path}");
    }
}

#[test]
fn there_are_at_most_twenty_parameters() {
    for (count, is_right) in [(1, true), (19, true), (20, true), (21, false), (30, false)] {
        let pattern: String = (0..count).map(|number| format!("/{{p{number}}}")).collect();
        let app = routes().get(&pattern, shows("many")).into_app();
        assert_eq!(app.is_ok(), is_right, "{count}");
        if let Ok(app) = app {
            let path: String = (0..count).map(|number| format!("/{number}")).collect();
            let last = format!("\"p{0}\": \"{0}\"}}", count - 1);
            assert!(run(&app, get(&path), Pull::Blocking).text().ends_with(&last), "{count}");
        }
    }
}

#[test]
fn a_decorated_application_answers_for_its_route_alone() {
    let user = route(Method::GET, "/users/{id}").unwrap();
    let users = [user(shows("user")), shows("create").wrap(route(Method::POST, "/users").unwrap())];
    let server = TestServer::new(users[0].clone());
    assert_eq!(server.get("/users/7").send().text(), "user GET {\"id\": \"7\"}");
    assert_eq!(server.request(Method::HEAD, "/users/7").send().status(), 200);
    assert_eq!(server.post("/users/7").send().header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(server.get("/users").send().status(), 404);
    assert!(!user(quick("quick")).may_block() && user(named("slow")).may_block());
    let server = TestServer::new(cascade(users));
    assert_eq!(server.get("/users/7").send().text(), "user GET {\"id\": \"7\"}");
    assert_eq!(server.post("/users").send().text(), "create POST {}");
    // What the last one says stands.
    assert_eq!(server.delete("/users/7").send().status(), 404);
}

#[test]
fn handlers_are_functions_values_and_types() {
    fn plain(_environ: Environ, start_response: StartResponse) -> Result {
        start_response.start(200, ())?;
        Ok("plain".into())
    }
    let response = handler_fn(|_| Ok(http::Response::new("response")));
    let table = routes().get("/plain", plain).get("/quick", quick("quick")).get("/response", response);
    let server = TestServer::new(table.into_app().unwrap());
    for name in ["plain", "quick", "response"] {
        assert_eq!(server.get(format!("/{name}")).send().text(), name);
    }
}

#[test]
fn its_types_can_be_shared_and_shown() {
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    let table = routes().get("/users/{id}", named("user"));
    is_shared(&table);
    is_shared(Params::of(&Environ::from(get("/"))));
    is_shared(&MatchedRoute::default());
    assert!(format!("{table:?}").contains("/users/{id}"));
}

#[test]
fn it_blocks_where_one_of_its_applications_does() {
    let calm = || routes().get("/a", quick("a")).nest("/b", routes().any("/", quick("b")));
    assert!(!calm().into_app().unwrap().may_block());
    assert!(calm().nest("/c", routes().get("/", named("c"))).into_app().unwrap().may_block());
}

#[test]
fn every_kind_of_response_passes_as_it_is() {
    for (kind, pull) in all() {
        for method in [Method::GET, Method::HEAD] {
            let play = Play::new(|| Head::new(201).header("x-inner", "yes"), &["one ", "", "two"]);
            let request = || http::Request::builder().method(&method).uri("/x/7").body(()).unwrap();
            let bare = run(&play.app(kind), request(), pull);
            let seen = run(&routes().get("/x/{id}", play.app(kind)).into_app().unwrap(), request(), pull);
            assert_eq!((seen.status, seen.headers, seen.blocks), (bare.status, bare.headers, bare.blocks), "{kind:?}");
            assert_eq!(seen.threads_asked_for, bare.threads_asked_for, "{kind:?} {pull:?}");
        }
    }
}

#[test]
fn the_pattern_can_be_watched_from_outside() {
    fn watched(inner: App) -> App {
        app_fn(move |mut environ, start_response| {
            let (first, second) = (MatchedRoute::watch(&mut environ), MatchedRoute::watch(&mut environ));
            inner.call(
                environ,
                start_response.on_head(move |head| {
                    assert_eq!(first.pattern(), second.pattern());
                    let pattern = first.pattern().unwrap_or_else(|| "none".to_owned());
                    head.headers.insert("x-route", pattern.parse().unwrap());
                }),
            )
        })
    }
    let broken = app_fn(|_, _| Err("broken".into()));
    let inner = routes().get("/x/{id}", named("x")).into_app().unwrap();
    let table = routes()
        .get("/users/{id}", named("user"))
        .get("/plain", named("plain"))
        .get("/broken/{id}", broken)
        .nest("/api/{v}", routes().get("/y", named("y")))
        .nest("/in/{a}", inner.clone().wrap(watched));
    let app = cascade([table.into_app().unwrap(), routes().nest("/second", inner).into_app().unwrap()]);
    let server = TestServer::new(app.wrap(watched)).without_lint();
    for (target, pattern) in [
        ("/users/7", "/users/{id}"),
        ("/plain", "/plain"),
        ("/broken/7", "/broken/{id}"),
        ("/api/1/y", "/api/{v}/y"),
        ("/in/b/x/7", "/in/{a}/x/{id}"),
        ("/second/x/7", "/second/x/{id}"),
        ("/nothing", "none"),
    ] {
        assert_eq!(server.get(target).send().header("x-route"), Some(pattern), "{target}");
    }
}
