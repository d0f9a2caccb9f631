//! The method, the path, the query and the version of a request.

use http::Version;

use crate::error::Result;
use crate::lint::{Findings, Level, Side, lint};
use crate::testing::conformance::described::{Described, describe};
use crate::testing::conformance::kinds::answer;
use crate::testing::conformance::talk::{Talk, equal, whole, within};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, StartResponse, app_fn};

/// What PATH_INFO is for a path that was sent, escaped.
const DECODED: [(&str, &str); 10] = [
    ("/", "/"),
    ("/foo%2Cbar", "/foo,bar"),
    ("/%66oo", "/foo"),
    ("/%252C", "/%2C"),
    ("/%25%32%46", "/%2F"),
    ("/a%20b+c", "/a b+c"),
    ("/%E3%81%82", r"/\xe3\x81\x82"),
    ("/%ff", r"/\xff"),
    ("/a%2Fb", "/a/b"),
    ("/a;b=c,d@e:f/~g", "/a;b=c,d@e:f/~g"),
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "the-environ-describes-the-request",
            rules: &["E1", "E3", "E6", "E7"],
            needs: &[],
            application: describe,
            client: |talk| {
                let seen = talk.describe(&talk.post("/a/b.c?d=e").header("content-type", "text/x").body("12345"))?;
                seen.is("REQUEST_METHOD", "POST")?;
                seen.is("SCRIPT_NAME", talk.mount())?;
                seen.is("PATH_INFO", "/a/b.c")?;
                seen.is("QUERY_STRING", "d=e")?;
                seen.is("CONTENT_TYPE", "text/x")?;
                seen.is("CONTENT_LENGTH", "5")?;
                seen.is("method", "POST")?;
                seen.is("script_name", talk.mount())?;
                seen.is("path_info", "/a/b.c")?;
                seen.is("query_string", "d=e")
            },
        },
        Case {
            name: "the-path-at-the-root-of-the-application",
            rules: &["E3", "E4"],
            needs: &[],
            application: describe,
            client: |talk| split(talk, "/", "/"),
        },
        Case {
            name: "the-path-at-the-mount-point-itself",
            rules: &["E3", "E6"],
            needs: &[Need::Mount],
            application: describe,
            client: |talk| {
                split(talk, "", "")?;
                let seen = talk.describe(&talk.get("?q"))?;
                seen.is("PATH_INFO", "")?;
                seen.is("QUERY_STRING", "q")
            },
        },
        Case {
            name: "the-path-below-the-mount-point",
            rules: &["E3"],
            needs: &[],
            application: describe,
            client: |talk| {
                split(talk, "/a/b", "/a/b")?;
                split(talk, "/a/", "/a/")?;
                // The prefix is taken off once.
                let twice = format!("{}/x", talk.mount());
                split(talk, &twice, &twice)
            },
        },
        Case {
            name: "the-path-is-decoded-once",
            rules: &["E1"],
            needs: &[],
            application: describe,
            client: |talk| {
                for (sent, decoded) in DECODED {
                    talk.describe(&talk.get(sent))?.is("PATH_INFO", decoded).map_err(|error| within(sent, &error))?;
                }
                Ok(())
            },
        },
        Case {
            name: "slashes-and-dots-stay",
            rules: &["E1"],
            needs: &[Need::RawTarget],
            application: describe,
            client: |talk| {
                for path in ["//foo///bar", "/a/../b", "/a/./b", "/a/..", "//", "/a//"] {
                    talk.describe(&talk.get(path))?.is("PATH_INFO", path).map_err(|error| within(path, &error))?;
                }
                Ok(())
            },
        },
        // What front ends refuse has cases of its own, here and below.
        Case {
            name: "a-path-above-the-root-stays",
            rules: &["E1"],
            needs: &[Need::RawTarget],
            application: describe,
            client: |talk| talk.describe(&talk.get("/.."))?.is("PATH_INFO", "/.."),
        },
        Case {
            name: "a-nul-in-the-path-is-decoded",
            rules: &["E1"],
            needs: &[],
            application: describe,
            client: |talk| talk.describe(&talk.get("/%ff%00"))?.is("PATH_INFO", r"/\xff\x00"),
        },
        Case {
            name: "the-raw-path-is-as-it-was-sent",
            rules: &["E2"],
            needs: &[Need::RawTarget],
            application: describe,
            client: |talk| {
                for path in ["/a%2Fb", "/%e3%81%82", "/%ff%41", "/a+b;c", "//x/../y", "/%252F"] {
                    let seen = talk.describe(&talk.get(&format!("{path}?q=%2F")))?;
                    let raw = format!("{}{path}", talk.mount());
                    seen.is("raw_path", &raw).map_err(|error| within(path, &error))?;
                    seen.is("REQUEST_URI", &format!("{raw}?q=%2F")).map_err(|error| within(path, &error))?;
                }
                Ok(())
            },
        },
        Case {
            name: "the-query-is-not-decoded",
            rules: &["E6"],
            needs: &[],
            application: describe,
            client: |talk| {
                for query in ["a=%20b&c=%E3", "x=?y", "a+b=/c", "a=1&a=2&&"] {
                    let seen = talk.describe(&talk.get(&format!("/?{query}")))?;
                    seen.is("QUERY_STRING", query)?;
                    seen.is("PATH_INFO", "/")?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-nul-in-the-query-stays",
            rules: &["E6"],
            needs: &[],
            application: describe,
            client: |talk| talk.describe(&talk.get("/?%00"))?.is("QUERY_STRING", "%00"),
        },
        Case {
            name: "an-empty-query-is-there",
            rules: &["E6"],
            needs: &[],
            application: describe,
            client: |talk| {
                talk.describe(&talk.get("/"))?.is("QUERY_STRING", "")?;
                talk.describe(&talk.get("/?"))?.is("QUERY_STRING", "")
            },
        },
        Case {
            name: "a-target-of-8-kib",
            rules: &["E1", "E6"],
            needs: &[],
            application: describe,
            client: |talk| {
                // Below 8,000 in all: RFC 9110, section 4.1, asks for that much of everybody.
                let (path, query) = (format!("/{}", "p".repeat(3000)), "q".repeat(4500));
                let seen = talk.describe(&talk.get(&format!("{path}?{query}")))?;
                seen.is("PATH_INFO", &path)?;
                seen.is("QUERY_STRING", &query)
            },
        },
        Case {
            name: "any-method-reaches-the-application",
            rules: &["E14"],
            needs: &[],
            application: describe,
            client: |talk| {
                for method in ["PUT", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"] {
                    has_method(talk, method)?;
                }
                Ok(())
            },
        },
        Case {
            name: "a-method-that-nobody-knows",
            rules: &["E14"],
            needs: &[],
            application: describe,
            client: |talk| has_method(talk, "BREW"),
        },
        Case {
            name: "a-method-in-lower-case",
            rules: &["E14"],
            needs: &[],
            application: describe,
            client: |talk| has_method(talk, "get"),
        },
        Case {
            name: "options-asterisk",
            rules: &["G1", "E5"],
            needs: &[Need::Asterisk],
            application: describe,
            client: |talk| {
                let seen = talk.describe(&talk.request("OPTIONS", "*"))?;
                seen.is("REQUEST_METHOD", "OPTIONS")?;
                seen.is("PATH_INFO", "*")
            },
        },
        Case {
            name: "the-protocol-is-that-of-the-request",
            rules: &["E16"],
            needs: &[Need::Http10],
            application: describe,
            client: |talk| {
                talk.describe(&talk.get("/").version(Version::HTTP_10))?.is("SERVER_PROTOCOL", "HTTP/1.0")?;
                let seen = talk.describe(&talk.get("/"))?;
                let newer =
                    ["HTTP/1.1", "HTTP/2.0", "HTTP/3.0"].contains(&seen.get("SERVER_PROTOCOL").unwrap_or_default());
                equal("whether SERVER_PROTOCOL is a newer one", newer, true)
            },
        },
        Case {
            name: "lint-accepts-the-environ-of-the-gateway",
            rules: &["E4", "E5", "E13"],
            needs: &[],
            application: faults_of_the_environ,
            client: |talk| {
                let mut requests = vec![
                    talk.get("/"),
                    talk.get("/a//b/?q"),
                    talk.get("/").header("host", "conformance.example:8080"),
                    talk.get("/").header("host", "[::1]:8080"),
                    talk.post("/x").body("12345"),
                ];
                if !talk.mount().is_empty() {
                    requests.push(talk.get(""));
                }
                if talk.supports(Need::Asterisk) {
                    requests.push(talk.request("OPTIONS", "*"));
                }
                if talk.supports(Need::Http10) {
                    requests.push(talk.get("/").version(Version::HTTP_10));
                }
                requests.iter().try_for_each(|request| whole(&talk.send(request)?, 200, "lint found nothing"))
            },
        },
    ]
}

fn has_method(talk: &Talk<'_>, method: &str) -> Result<()> {
    let seen = talk.describe(&talk.request(method, "/"))?;
    seen.is("REQUEST_METHOD", method)?;
    seen.is("method", method)
}

/// The two halves of the path.
fn split(talk: &Talk<'_>, path: &str, path_info: &str) -> Result<()> {
    let seen: Described = talk.describe(&talk.get(path))?;
    seen.is("SCRIPT_NAME", talk.mount())?;
    seen.is("PATH_INFO", path_info)?;
    seen.is("script_name", talk.mount())?;
    seen.is("path_info", path_info)
}

/// Answers with what lint finds in the environ, before the response is started.
fn faults_of_the_environ(mut environ: Environ, start_response: StartResponse) -> Result {
    let findings = Findings::default();
    environ.extensions_mut().insert(findings.clone());
    let app = app_fn(move |_, start_response| {
        let faults = findings.all().into_iter().filter(|finding| finding.side() == Side::Gateway);
        let faults = faults.filter(|finding| finding.rule().level() == Level::Must).map(|finding| finding.to_string());
        let faults: Vec<String> = faults.collect();
        answer(start_response, if faults.is_empty() { "lint found nothing".to_owned() } else { faults.join("\n") })
    });
    app.wrap(lint("conformance")).call(environ, start_response)
}
