//! The site in memory: no socket, no server, and a database of its own for each test.

use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::read::GzDecoder;
use notes::{LONGEST_FORM, Notes, site};
use vestibule::Body;
use vestibule::testing::{TestRequest, TestResponse, TestServer};

/// A site without notes, and its database.
struct Site {
    server: TestServer,
    database: PathBuf,
}

impl Site {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("site-{}-{}.sqlite", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        let app = site(Notes::open(&database).unwrap(), files).unwrap();
        Self { server: TestServer::new(app), database }
    }

    fn form(&self, target: &str, fields: &[(&str, &str)]) -> TestRequest {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.post(target).header("content-type", "application/x-www-form-urlencoded").body(form)
    }

    /// Writes a note, and tells where it is.
    fn write(&self, title: &str, text: &str) -> String {
        let answer = self.form("/", &[("title", title), ("text", text)]).send();
        assert_eq!(answer.status(), 303, "{}", answer.text());
        answer.header("location").unwrap().to_owned()
    }
}

impl Deref for Site {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.database);
    }
}

#[track_caller]
fn assert_shows(answer: &TestResponse, status: u16, text: &str) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.text().contains(text), "{text:?} is not in:\n{}", answer.text());
}

#[test]
fn a_note_is_written_shown_changed_and_deleted() {
    let site = Site::new();
    assert_shows(&site.get("/").send(), 200, "There are none.");
    assert_shows(&site.get("/new").send(), 200, "<form method=\"post\" action=\"/\">");
    assert_eq!(site.write(" Tea ", "\r\ngreen"), "/1");
    assert_shows(&site.get("/").send(), 200, "<li><a href=\"/1\">Tea</a>");
    assert_shows(&site.get("/1").send(), 200, "<pre>\n\r\ngreen</pre>");
    assert_shows(&site.get("/1/edit").send(), 200, "action=\"/1\"");

    let answer = site.form("/1", &[("title", "Coffee"), ("text", "black")]).send();
    assert_eq!((answer.status().as_u16(), answer.header("location")), (303, Some("/1")));
    assert_shows(&site.get("/1").send(), 200, "<h1>Coffee</h1>\n<pre>\nblack</pre>");

    let answer = site.post("/1/delete").send();
    assert_eq!((answer.status().as_u16(), answer.header("location")), (303, Some("/")));
    for answer in [site.get("/1").send(), site.get("/1/edit").send(), site.post("/1/delete").send()] {
        assert_shows(&answer, 404, "There is nothing here.");
    }
    assert_shows(&site.form("/1", &[("title", "Tea")]).send(), 404, "There is nothing here.");
    assert_eq!(site.write("Milk", ""), "/2", "a number is not given again");
}

#[test]
fn what_visitors_write_is_text_and_not_html() {
    const HOSTILE: &str = "</textarea></pre><script>alert('\"&amp;')</script>";
    const ESCAPED: &str = "&lt;/textarea&gt;&lt;/pre&gt;&lt;script&gt;alert(&#39;&quot;&amp;amp;&#39;)&lt;/script&gt;";
    let site = Site::new();
    site.write(HOSTILE, HOSTILE);
    let query: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for target in ["/", "/1", "/1/edit", &format!("/?q={query}"), "/?q=%22%3E%3Cscript%3E"] {
        let page = site.get(target).send().text();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains(ESCAPED) || target.ends_with("%3Cscript%3E"), "{page}");
    }
    let page = site.form("/", &[("title", ""), ("text", HOSTILE)]).send();
    assert_shows(&page, 422, ESCAPED);
}

#[test]
fn search_finds_the_latest_first_by_title_and_text() {
    let site = Site::new();
    site.write("Green tea", "hot");
    site.write("Coffee", "after the TEA");
    site.write("100 %", "_");
    let found = |query: &str| {
        let page = site.get(format!("/?q={query}")).send().text();
        page.lines().filter_map(|line| line.strip_prefix("<li><a href=\"/")?.split('"').next()).collect::<String>()
    };
    assert_eq!(found(""), "321");
    assert_eq!(found("tEa"), "21");
    assert_eq!(found("the+tea"), "2");
    assert_eq!((&*found("%25"), &*found("_"), &*found("%00"), &*found("milk")), ("3", "3", "", ""));
}

#[test]
fn a_form_that_is_not_well_filled_in_comes_back_as_it_was() {
    let site = Site::new();
    site.write("Tea", "green");
    for target in ["/", "/1"] {
        let page = site.form(target, &[("title", " "), ("text", "black")]).send();
        assert_shows(&page, 422, "A note needs a title.");
        assert_shows(&page, 422, "black</textarea>");
        assert_eq!(site.form(target, &[("title", &"é".repeat(200))]).send().status(), 303);
        assert_shows(&site.form(target, &[("title", &"é".repeat(201))]).send(), 422, "at most 200 letters");
    }
    let answer = site.post("/").header("content-type", "text/plain").body("title=Tea").send();
    assert_shows(&answer, 415, "That is not how it is done here.");
}

#[test]
fn a_form_has_an_end() {
    let site = Site::new();
    let longest = usize::try_from(LONGEST_FORM).unwrap();
    for (length, status) in [(longest - 1, 303), (longest, 303), (longest + 1, 413)] {
        let form = format!("title=Tea&text={}", "x".repeat(length - "title=Tea&text=".len()));
        let declared = || site.post("/").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(declared().body(form.clone()).send().status(), status, "{length}");
        assert_eq!(declared().body(Body::iter([form])).send().status(), status, "{length}, not declared");
    }
    // Also where nobody would read it.
    assert_eq!(site.post("/1/delete").body("x".repeat(longest + 1)).send().status(), 413);
    assert_eq!(site.get("/1").send().status(), 200);
}

#[test]
fn forms_of_other_sites_are_refused() {
    let site = Site::new();
    for (header, value, status) in [
        ("sec-fetch-site", "same-origin", 303),
        ("sec-fetch-site", "none", 303),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "", 403),
        ("origin", "http://localhost", 303),
        ("origin", "http://localhost.evil.test", 403),
        ("origin", "null", 403),
        ("accept", "*/*", 303),
    ] {
        let answer = site.form("/", &[("title", "Tea")]).header("host", "localhost").header(header, value).send();
        assert_eq!(answer.status(), status, "{header}: {value}");
    }
    assert_eq!(
        site.get("/").header("sec-fetch-site", "cross-site").send().status(),
        200,
        "a link may come from anywhere"
    );
}

#[test]
fn what_is_not_there_has_a_page_with_a_way_back() {
    let site = Site::new();
    for target in ["/7", "/tea", "/1/2/3", "/static/missing.css", "/static/../src/lib.rs", "/99999999999999999999"] {
        assert_shows(&site.get(target).send(), 404, "<nav><a href=\"/\">Notes</a></nav>");
    }
    let answer = site.put("/").send();
    assert_shows(&answer, 405, "Method Not Allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
}

#[test]
fn what_broke_is_in_the_log_and_not_on_the_page() {
    let site = Site::new();
    rusqlite::Connection::open(&site.database).unwrap().execute_batch("DROP TABLE notes").unwrap();
    let answer = site.get("/").send();
    assert_shows(&answer, 500, "That did not work. We were told.");
    assert!(!answer.text().contains("table"), "{}", answer.text());
    assert!(answer.errors().contains("no such table: notes"), "{}", answer.errors());
    assert!(answer.errors().contains("\"GET / HTTP/1.1\" 500 "), "{}", answer.errors());
}

#[test]
fn a_page_that_the_browser_has_is_not_sent_again_before_it_changes() {
    let site = Site::new();
    site.write("Tea", "green");
    for target in ["/", "/1", "/new", "/static/site.css"] {
        let answer = site.get(target).send();
        let etag = answer.header("etag").unwrap();
        let again = site.get(target).header("if-none-match", etag).send();
        assert_eq!((again.status().as_u16(), again.bytes().len()), (304, 0), "{target}");
    }
    let etag = site.get("/1").send().header("etag").unwrap().to_owned();
    site.form("/1", &[("title", "Tea"), ("text", "black")]).send();
    assert_shows(&site.get("/1").header("if-none-match", etag).send(), 200, "black");
}

#[test]
fn a_long_page_is_compressed_and_known_again() {
    let site = Site::new();
    site.write("Tea", &"green ".repeat(1000));
    let whole = site.get("/1").send();
    let packed = site.get("/1").header("accept-encoding", "gzip").send();
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), (Some("gzip"), Some("Accept-Encoding")));
    assert!(packed.bytes().len() * 5 < whole.bytes().len(), "{} bytes", packed.bytes().len());
    let mut page = String::new();
    GzDecoder::new(&packed.bytes()[..]).read_to_string(&mut page).unwrap();
    assert_eq!(page, whole.text());
    let etag = packed.header("etag").unwrap();
    let again = site.get("/1").header("accept-encoding", "gzip").header("if-none-match", etag).send();
    assert_eq!(again.status(), 304);
}

#[test]
fn static_files_are_kept_for_an_hour_and_pages_are_asked_about() {
    let site = Site::new();
    let style = site.get("/static/site.css").send();
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), Some("max-age=3600"));
    let page = site.get("/").send();
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'self';")));
    assert_eq!(site.get("/health/ready").send().status(), 200);
    assert_eq!(site.head("/").send().header("content-length"), page.header("content-length"));
}

#[test]
fn every_link_leads_below_the_mount_point() {
    let mut site = Site::new();
    let server = std::mem::replace(&mut site.server, TestServer::new(vestibule::App::new(|_, _| Err("gone".into()))));
    site.server = server.mounted_at("/a&b");
    assert_eq!(site.write("Tea", "green"), "/a&b/1");
    for target in ["/", "/new", "/1", "/1/edit", "/missing"] {
        let page = site.get(target).send().text();
        let links: Vec<&str> = page.split(['"']).filter(|part| part.starts_with('/')).collect();
        assert!(links.len() >= 3 && links.iter().all(|link| link.starts_with("/a&amp;b/")), "{links:?}");
    }
    let answer = site.get("?q=tea").send();
    assert_eq!((answer.status().as_u16(), answer.header("location")), (308, Some("/a&b/?q=tea")));
}

#[test]
fn notes_that_are_written_at_once_are_all_there() {
    let site = Site::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let site = &site;
            scope.spawn(move || (0..5).for_each(|number| drop(site.write(&format!("{writer}-{number}"), "x"))));
        }
    });
    let page = site.get("/").send().text();
    assert_eq!(page.matches("<li>").count(), 20);
    assert!((0..4).all(|writer| (0..5).all(|number| page.contains(&format!(">{writer}-{number}</a>")))), "{page}");
}
