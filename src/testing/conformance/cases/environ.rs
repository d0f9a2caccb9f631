//! Headers as variables, what is not among them, and what the connection says.

use crate::Result;
use crate::testing::conformance::described::describe;
use crate::testing::conformance::kinds::answer;
use crate::testing::conformance::notes::Notes;
use crate::testing::conformance::talk::{count, equal, expect, whole};
use crate::testing::conformance::{Case, Need};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a-header-is-a-variable",
            rules: &["E10"],
            needs: &[],
            application: describe,
            client: |talk| {
                let request = talk.get("/").header("X-Foo", "bar").header("x-empty", "").header("Accept", "a, b;q=0.5");
                let request = request.header("Authorization", "Basic Zm9vOmJhcg==").header("x-latin", b"caf\xe9");
                let seen = talk.describe(&request)?;
                seen.is("HTTP_X_FOO", "bar")?;
                seen.is("HTTP_X_EMPTY", "")?;
                seen.is("HTTP_ACCEPT", "a, b;q=0.5")?;
                seen.is("HTTP_AUTHORIZATION", "Basic Zm9vOmJhcg==")?;
                seen.is("HTTP_X_LATIN", r"caf\xe9")?;
                seen.is("header x-foo", "bar")?;
                seen.lacks("HTTP_X_BAR")
            },
        },
        Case {
            name: "a-repeated-header-is-joined",
            rules: &["E10"],
            needs: &[],
            application: describe,
            client: |talk| {
                let request = talk.get("/").header("x-many", "1").header("cookie", "a=b").header("x-many", "2, 3");
                let seen = talk.describe(&request.header("cookie", "c=d").header("x-many", "4"))?;
                seen.is("HTTP_X_MANY", "1, 2, 3, 4")?;
                seen.is("HTTP_COOKIE", "a=b; c=d")?;
                seen.lacks("COOKIE")
            },
        },
        Case {
            name: "large-and-many-headers",
            rules: &["E10"],
            needs: &[],
            application: describe,
            client: |talk| {
                let large = "v".repeat(7000);
                talk.describe(&talk.get("/").header("x-large", &large))?.is("HTTP_X_LARGE", &large)?;
                let request =
                    (0..80).fold(talk.get("/"), |request, n| request.header(&format!("x-{n}"), n.to_string()));
                let seen = talk.describe(&request)?;
                (0..80).try_for_each(|n| seen.is(&format!("HTTP_X_{n}"), &n.to_string()))
            },
        },
        Case {
            name: "each-variable-is-there-once",
            rules: &["E8", "E10"],
            needs: &[],
            application: |environ, start_response| {
                // What one accessor lists the other has to know.
                let differs = environ.vars().find(|(name, value)| environ.var(name).as_ref() != Some(value));
                let differs = differs.map(|(name, _)| name.into_owned());
                match differs {
                    Some(name) => answer(start_response, format!("var and vars differ in {name}")),
                    None => describe(environ, start_response),
                }
            },
            client: |talk| {
                let request = talk.get("/").header("x-a", "1").header("x-a", "2").header("host", "conformance.example");
                let seen = talk.describe(&request)?;
                seen.is("HTTP_HOST", "conformance.example")?;
                for name in seen.cgi_names() {
                    equal(name, seen.count(name), 1)?;
                }
                Ok(())
            },
        },
        Case {
            name: "no-content-no-content-variables",
            rules: &["E7"],
            needs: &[],
            application: describe,
            client: |talk| {
                let seen = talk.describe(&talk.get("/"))?;
                seen.lacks("CONTENT_TYPE")?;
                seen.lacks("CONTENT_LENGTH")
            },
        },
        Case {
            name: "content-variables-come-from-the-headers",
            rules: &["E7", "E8"],
            needs: &[],
            application: describe,
            client: |talk| {
                let seen = talk.describe(&talk.post("/").header("content-type", "a/b; c=d").body("123"))?;
                seen.is("CONTENT_TYPE", "a/b; c=d")?;
                seen.is("CONTENT_LENGTH", "3")?;
                seen.lacks("HTTP_CONTENT_TYPE")?;
                seen.lacks("HTTP_CONTENT_LENGTH")?;
                seen.is("input length", "3")
            },
        },
        Case {
            name: "a-content-length-of-0-is-there",
            rules: &["E7"],
            needs: &[],
            application: describe,
            client: |talk| {
                let seen = talk.describe(&talk.post("/").body(""))?;
                seen.is("CONTENT_LENGTH", "0")?;
                seen.is("input length", "0")
            },
        },
        Case {
            name: "no-header-passes-for-another",
            rules: &["E8"],
            needs: &[],
            application: describe,
            client: |talk| {
                let request = talk.get("/").header("Proxy", "http://evil.example").header("X_Auth", "forged");
                let seen = talk.describe(&request.header("Content_Length", "7").header("X_", "forged"))?;
                for name in ["HTTP_PROXY", "HTTP_X_AUTH", "HTTP_X_", "CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"] {
                    seen.lacks(name)?;
                }
                let seen = talk.describe(&talk.get("/").header("X_Auth", "forged").header("X-Auth", "true"))?;
                seen.is("HTTP_X_AUTH", "true")?;
                let seen = talk.describe(&talk.get("/").header("X-Auth", "true").header("X_Auth", "forged"))?;
                seen.is("HTTP_X_AUTH", "true")
            },
        },
        Case {
            name: "hop-by-hop-headers-are-not-variables",
            rules: &["E9"],
            needs: &[Need::HopByHop],
            application: describe,
            client: |talk| {
                let request = talk.get("/").header("connection", "x-named, te").header("x-named", "here");
                let request =
                    request.header("te", "trailers").header("keep-alive", "timeout=5").header("trailer", "x-t");
                let seen = talk.describe(&request.header("proxy-authorization", "Basic Zm9vOmJhcg=="))?;
                for name in ["CONNECTION", "TE", "KEEP_ALIVE", "TRAILER", "PROXY_AUTHORIZATION", "UPGRADE"] {
                    seen.lacks(&format!("HTTP_{name}"))?;
                }
                seen.is("HTTP_X_NAMED", "here")
            },
        },
        Case {
            name: "computed-variables-cannot-be-set",
            rules: &["E11"],
            needs: &[],
            application: |mut environ, start_response| {
                let computed = ["PATH_INFO", "SCRIPT_NAME", "REQUEST_METHOD", "QUERY_STRING", "SERVER_NAME"];
                for name in computed.into_iter().chain(["CONTENT_LENGTH", "REMOTE_ADDR", "HTTPS", "HTTP_X_SET"]) {
                    if environ.set_var(name, "/set").is_ok() {
                        return answer(start_response, format!("{name} was set"));
                    }
                }
                environ.set_var("conformance.set", "1")?;
                describe(environ, start_response)
            },
            client: |talk| {
                let seen = talk.describe(&talk.get("/"))?;
                seen.is("conformance.set", "1")?;
                seen.is("PATH_INFO", "/")?;
                seen.lacks("HTTP_X_SET")
            },
        },
        Case {
            name: "what-is-set-stays-with-its-request",
            rules: &["E11"],
            needs: &[],
            application: |mut environ, start_response| {
                let before = environ.var("conformance.mark").is_some();
                environ.set_var("conformance.mark", "1")?;
                environ.set_path(b"/changed", b"/by-the-last")?;
                environ.headers_mut().clear();
                answer(start_response, if before { "marked by another request" } else { "fresh" })
            },
            client: |talk| (0..3).try_for_each(|_| whole(&talk.send(&talk.get("/"))?, 200, "fresh")),
        },
        Case {
            name: "no-header-changes-the-connection",
            rules: &["E16"],
            needs: &[],
            application: describe,
            client: |talk| {
                let plain = talk.describe(&talk.get("/").header("host", "conformance.example"))?;
                let request = talk.get("/").header("host", "other.example:81").header("x-forwarded-proto", "gopher");
                let request = request.header("x-forwarded-host", "evil.example").header("x-forwarded-port", "82");
                let request = request.header("x-forwarded-for", "192.0.2.1").header("https", "on");
                let request = request.header("forwarded", "for=192.0.2.1;proto=gopher;host=evil.example");
                let request = request.header("remote-addr", "192.0.2.1").header("server-name", "evil.example");
                let told = talk.describe(&request)?;
                for name in ["server", "SERVER_NAME", "SERVER_PORT", "REQUEST_SCHEME", "HTTPS", "peer", "REMOTE_ADDR"] {
                    equal(name, told.get(name), plain.get(name))?;
                }
                for name in ["SERVER_NAME", "SERVER_PORT"] {
                    expect(plain.get(name).is_some_and(|value| !value.is_empty()), || format!("{name} is empty"))?;
                }
                told.is("HTTP_HOST", "other.example:81")
            },
        },
        Case {
            name: "processes-are-what-the-environ-says",
            rules: &["E17"],
            needs: &[],
            application: describe,
            client: |talk| {
                let (first, second) = (talk.describe(&talk.get("/"))?, talk.describe(&talk.get("/"))?);
                let is = |name: &str| first.get(name) == Some("true");
                match first.get("process") == second.get("process") {
                    true => equal("run_once of a process that serves two requests", is("run_once"), false),
                    false => equal("multiprocess or run_once", is("multiprocess") || is("run_once"), true),
                }
            },
        },
        Case {
            name: "threads-are-what-the-environ-says",
            rules: &["E17"],
            needs: &[Need::OneProcess, Need::Concurrency],
            application: |environ, start_response| {
                let notes = Notes::of(&environ);
                notes.add(format!("{} {}", std::process::id(), environ.multithread()));
                notes.add("called");
                // With the other call in the same process, both are in it now.
                notes.wait_for("both")?;
                answer(start_response, "done")
            },
            client: |talk| {
                std::thread::scope(|scope| -> Result<()> {
                    let calls = [0, 1].map(|_| scope.spawn(|| whole(&talk.send(&talk.get("/"))?, 200, "done")));
                    let notes = talk.wait_until(|notes| count(notes, "called") == 2);
                    talk.tell("both")?;
                    for call in calls {
                        call.join().map_err(|_| "the client panicked")??;
                    }
                    let notes = notes?;
                    let flags: Vec<&String> = notes.iter().filter(|note| *note != "called").collect();
                    let same_process = flags[0].split(' ').next() == flags[1].split(' ').next();
                    let says_so = flags.iter().all(|flag| flag.ends_with(" true"));
                    expect(!same_process || says_so, || "two calls overlapped, and multithread is false".to_owned())
                })
            },
        },
        Case {
            name: "the-process-keeps-its-variables",
            rules: &["E18"],
            needs: &[],
            application: |environ, start_response| {
                let leaked: Vec<String> = std::env::vars_os()
                    .filter_map(|(name, _)| name.into_string().ok())
                    .filter(|name| !is_of_cgi(name) && environ.var(name).is_some())
                    .collect();
                answer(start_response, leaked.join(" "))
            },
            client: |talk| whole(&talk.send(&talk.get("/"))?, 200, ""),
        },
    ]
}

/// Whether a variable is one that a CGI server sets for the request: RFC 3875, section 4.1, and what is usual beside
/// it.
fn is_of_cgi(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "AUTH_TYPE",
        "CONTEXT_DOCUMENT_ROOT",
        "DOCUMENT_ROOT",
        "DOCUMENT_URI",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "QUERY_STRING",
    ];
    let prefixes = ["HTTP_", "CONTENT_", "REMOTE_", "REQUEST_", "SCRIPT_", "SERVER_", "SSL_", "REDIRECT_"];
    NAMES.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}
