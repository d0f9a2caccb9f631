//! Siblings that are compressed already.

use vestibule::apps;
use vestibule::testing::TestServer;

use super::place::{Place, WRITTEN_SECONDS, age};

fn place() -> (Place, TestServer) {
    let place = Place::new();
    for (name, content) in
        [("app.js", "plain"), ("app.js.gz", "as gzip"), ("app.js.br", "as br"), ("app.js.zst", "as zstd")]
    {
        place.write(name, content);
    }
    let server = TestServer::new(apps::files(place.settings().precompressed(true)).unwrap());
    (place, server)
}

#[test]
fn the_client_chooses_the_coding() {
    let (_place, server) = place();
    for (accept, expected) in [
        (None, None),
        (Some(""), None),
        (Some("identity"), None),
        (Some("gzip"), Some("gzip")),
        (Some("gzip, deflate, br, zstd"), Some("br")),
        (Some("zstd;q=1, br;q=0.9"), Some("zstd")),
        (Some("br;q=0, *;q=0.5"), Some("zstd")),
        (Some("identity;q=0, *;q=0"), None),
        (Some("gzip;q=0"), None),
    ] {
        let request = server.get("/app.js");
        let request = match accept {
            Some(accept) => request.header("accept-encoding", accept),
            None => request,
        };
        let response = request.send();
        assert_eq!(response.header("content-encoding"), expected, "{accept:?}");
        let text = expected.map_or("plain".to_owned(), |coding| format!("as {coding}"));
        assert_eq!((response.status().as_u16(), response.text()), (200, text), "{accept:?}");
        assert_eq!(response.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(response.header("vary"), Some("accept-encoding"));
    }
}

#[test]
fn each_coding_is_a_file_of_its_own() {
    let (_place, server) = place();
    let get = |accept: &str| server.get("/app.js").header("accept-encoding", accept);
    let tags: Vec<String> =
        ["identity", "gzip", "br", "zstd"].map(|accept| get(accept).send().header("etag").unwrap().to_owned()).into();
    let different: std::collections::BTreeSet<_> = tags.iter().collect();
    assert_eq!(different.len(), 4, "{tags:?}");
    assert_eq!(get("gzip").header("if-none-match", &*tags[1]).send().status(), 304);
    assert_eq!(get("gzip").header("if-none-match", &*tags[1]).send().header("vary"), Some("accept-encoding"));
    assert_eq!(get("br").header("if-none-match", &*tags[1]).send().status(), 200);
    let part = get("gzip").header("range", "bytes=3-").header("if-range", &*tags[1]).send();
    assert_eq!((part.status().as_u16(), part.text().as_str()), (206, "gzip"));
    assert_eq!((part.header("content-range"), part.header("content-encoding")), (Some("bytes 3-6/7"), Some("gzip")));
    let whole = get("br").header("range", "bytes=3-").header("if-range", &*tags[1]).send();
    assert_eq!((whole.status().as_u16(), whole.text().as_str()), (200, "as br"));
}

#[test]
fn what_is_missing_or_older_than_the_file_is_passed_over() {
    let (place, server) = place();
    let coding = || {
        let response = server.get("/app.js").header("accept-encoding", "br, zstd, gzip").send();
        response.header("content-encoding").map(str::to_owned)
    };
    assert_eq!(coding().as_deref(), Some("br"));
    age(&place.path("app.js.br"), WRITTEN_SECONDS - 1);
    assert_eq!(coding().as_deref(), Some("zstd"));
    std::fs::remove_file(place.path("app.js.zst")).unwrap();
    assert_eq!(coding().as_deref(), Some("gzip"));
    std::fs::remove_file(place.path("app.js.gz")).unwrap();
    std::fs::create_dir(place.path("app.js.gz")).unwrap();
    assert_eq!(coding(), None);
    place.link("app.js.zst", "../secret");
    assert_eq!(coding(), None, "no way out of the root");
    std::fs::remove_file(place.path("app.js")).unwrap();
    age(&place.path("app.js.br"), WRITTEN_SECONDS);
    assert_eq!(
        server.get("/app.js").header("accept-encoding", "br").send().status(),
        404,
        "the plain file is the one named"
    );
}

#[test]
fn a_sibling_that_is_asked_for_by_its_name_is_a_file_like_any_other() {
    let (_place, server) = place();
    let response = server.get("/app.js.gz").header("accept-encoding", "gzip").send();
    assert_eq!((response.text().as_str(), response.header("content-encoding")), ("as gzip", None));
    assert_eq!(response.header("content-type"), Some("application/gzip"));
}

#[test]
fn siblings_are_not_looked_for_unless_it_was_chosen() {
    let (place, _) = place();
    let response = place.server().get("/app.js").header("accept-encoding", "gzip").send();
    assert_eq!((response.text().as_str(), response.header("vary")), ("plain", None));
}

#[test]
fn an_index_has_siblings_too() {
    let (place, server) = place();
    place.write("index.html", "plain");
    place.write("index.html.gz", "as gzip");
    let response = server.get("/").header("accept-encoding", "gzip").send();
    assert_eq!(
        (response.text().as_str(), response.header("content-type")),
        ("as gzip", Some("text/html; charset=utf-8"))
    );
}

#[test]
fn ten_thousand_codings_are_one_answer() {
    let (_place, server) = place();
    let accept = "x;q=0.5, ".repeat(10_000) + "gzip";
    assert_eq!(server.get("/app.js").header("accept-encoding", accept).send().header("content-encoding"), Some("gzip"));
}
