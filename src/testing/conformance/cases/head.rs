//! What a head may hold, what `start` refuses, and what arrives of it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::head::Head;
use crate::testing::conformance::kinds::Script;
use crate::testing::conformance::talk::{VARIANT, equal, error_response, expect, replaced, whole, within};
use crate::testing::conformance::{Case, Need};
use crate::{Environ, Result, StartResponse};

/// Heads by name, and whether each may be started.
type Start = (&'static str, fn(StartResponse) -> Result<()>);

const INTERIM: [Start; 4] = [
    ("100", |start| start.start(100, ())),
    ("101", |start| start.start(101, ())),
    ("103", |start| start.send(Head::new(103).header("link", "</a.css>"))),
    ("199", |start| start.start(199, ())),
];

/// PEP 3333, "Other HTTP Features", with RFC 9110, section 7.6.1, in several spellings.
const HOP_BY_HOP: [Start; 13] = [
    ("connection", |start| start.start(200, [("connection", "close")])),
    ("Connection", |start| start.start(200, [("Connection", "x-a")])),
    ("keep-alive", |start| start.start(200, [("keep-alive", "timeout=5")])),
    ("Keep-Alive", |start| start.send(Head::new(200).header("Keep-Alive", "timeout=5"))),
    ("proxy-authenticate", |start| start.start(200, [("proxy-authenticate", "Basic")])),
    ("proxy-authorization", |start| start.start(200, [("proxy-authorization", "Basic")])),
    ("proxy-connection", |start| start.start(200, [("proxy-connection", "close")])),
    ("te", |start| start.start(200, [("te", "trailers")])),
    ("TRAILERS", |start| start.start(200, [("TRAILERS", "x-a")])),
    ("transfer-encoding", |start| start.start(200, [("transfer-encoding", "chunked")])),
    ("TRANSFER-encoding", |start| start.start(200, [("TRANSFER-encoding", "identity")])),
    ("upgrade", |start| start.start(426, [("upgrade", "h2c")])),
    ("behind another", |start| start.start(200, [("x-a", "b"), ("upgrade", "h2c")])),
];

const MALFORMED: [Start; 19] = [
    ("a status of two digits", |start| start.start(99, ())),
    ("a status of four digits", |start| start.start(1000, ())),
    ("a status that is no number", |start| start.start("20X", ())),
    ("a status with a reason", |start| start.start("200 OK", ())),
    ("an empty name", |start| start.start(200, [("", "b")])),
    ("a name with a colon", |start| start.start(200, [("x-a:", "b")])),
    ("a name with a space", |start| start.start(200, [("x a", "b")])),
    ("a name with a line end", |start| start.start(200, [("x-a\r\nx-injected", "b")])),
    ("a name that is not ASCII", |start| start.start(200, [("x-\u{e4}", "b")])),
    ("a value with CR LF", |start| start.start(200, [("x-a", "b\r\nx-injected: c")])),
    ("a value with LF", |start| start.start(200, vec![("x-a", "b\nx-injected: c")])),
    ("a value with CR", |start| start.start(200, WITH_CR)),
    ("a value with NUL", |start| start.start(200, [("x-a", "b\0c")])),
    ("a value that continues", |start| start.start(200, [("x-a", "b\r\n c")])),
    ("a sent value with CR LF", |start| start.send(Head::new(200).header("x-a", "b\r\nx-injected: c"))),
    ("a fault before a good header", |start| start.send(Head::new(200).header("x a", "b").header("x-b", "c"))),
    ("a reason with CR LF", |start| start.send(Head::new(200).reason("OK\r\nx-injected: c")?)),
    ("a reason with LF", |start| start.send(Head::new(200).reason("OK\nx-injected: c")?)),
    ("a reason with NUL", |start| start.send(Head::new(200).reason("O\0K")?)),
];

const WITH_CR: &[(&str, &str)] = &[("x-a", "b\rx-injected: c")];

const LENGTHS: [Start; 9] = [
    ("a length twice", |start| start.start(200, [("content-length", "1"), ("content-length", "1")])),
    ("two lengths", |start| start.start(200, [("content-length", "1"), ("content-length", "2")])),
    ("a length with a sign", |start| start.start(200, [("content-length", "+1")])),
    ("a negative length", |start| start.start(200, [("content-length", "-1")])),
    ("a length in hexadecimal", |start| start.start(200, [("content-length", "0x1")])),
    ("a list of lengths", |start| start.start(200, [("content-length", "1, 1")])),
    ("an empty length", |start| start.start(200, [("content-length", "")])),
    ("a length in words", |start| start.start(200, [("Content-LENGTH", "one")])),
    ("a length beyond all", |start| start.start(200, [("content-length", "18446744073709551616")])),
];

/// Headers that look like forbidden ones.
const ACCEPTED: [Start; 8] = [
    ("via", |start| start.start(200, [("via", "1.1 a")])),
    ("warning", |start| start.start(200, [("warning", "199 - \"a\"")])),
    ("trailer", |start| start.start(200, [("trailer", "x-sum")])),
    ("connection-id", |start| start.start(200, [("connection-id", "1")])),
    ("x-upgrade", |start| start.start(200, [("x-upgrade", "1")])),
    ("www-authenticate", |start| start.start(200, [("www-authenticate", "Basic")])),
    ("a map", |start| start.start(StatusCode::OK, HeaderMap::new())),
    ("a tab and Latin-1", |start| start.send(Head::new(200).header("x-a", HeaderValue::from_static("b\tc")))),
];

/// Starts with the head that the request asks for, goes on as if it were well, and tells by a hook on the head what
/// came of it.
fn attempt(table: &[Start], environ: &Environ, start_response: StartResponse) -> Result {
    let variant = environ.headers().get(VARIANT).map_or(&b""[..], |variant| variant.as_bytes());
    let (_, start) = table.iter().find(|(name, _)| name.as_bytes() == variant).ok_or("there is no such head")?;
    let outcome = Arc::new(OnceLock::new());
    let told = Arc::clone(&outcome);
    let start_response = start_response.on_head(move |head| {
        let outcome = told.get().copied().unwrap_or("unknown");
        head.headers.insert("x-outcome", HeaderValue::from_static(outcome));
    });
    let started = start(start_response);
    let _ = outcome.set(if started.is_ok() { "accepted" } else { "refused" });
    Ok("the body".into())
}

/// Heads that are refused, one request each.
macro_rules! refused {
    ($name:literal, $rules:expr, $table:ident) => {
        Case {
            name: $name,
            rules: $rules,
            needs: &[],
            application: |environ, start_response| attempt(&$table, &environ, start_response),
            client: |talk| {
                talk.each($table.map(|(name, _)| name), |talk| {
                    let response = talk.send(&talk.get("/"))?;
                    error_response(&response, 500)?;
                    equal("the outcome of the start", response.header("x-outcome").as_deref(), Some("refused"))?;
                    for name in ["x-a", "x-b", "x-injected", "link", "te", "upgrade", "proxy-authenticate"] {
                        equal(name, response.header(name), None)?;
                    }
                    Ok(())
                })
            },
        }
    };
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        refused!("an-interim-status-is-refused", &["H2", "S5"], INTERIM),
        refused!("hop-by-hop-headers-are-refused", &["H3", "S5"], HOP_BY_HOP),
        refused!("malformed-heads-are-refused", &["H4", "S5"], MALFORMED),
        refused!("malformed-lengths-are-refused", &["F5", "S5"], LENGTHS),
        Case {
            name: "look-alikes-are-not-refused",
            rules: &["H3"],
            needs: &[],
            application: |environ, start_response| attempt(&ACCEPTED, &environ, start_response),
            client: |talk| {
                talk.each(ACCEPTED.map(|(name, _)| name), |talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 200, "the body")?;
                    equal("the outcome of the start", response.header("x-outcome").as_deref(), Some("accepted"))
                })
            },
        },
        Case {
            name: "a-refused-head-is-500-in-every-kind",
            rules: &["S5"],
            needs: &[],
            application: |environ, start_response| {
                let head = Head::new(200).header("x-left", "over").header("te", "trailers");
                Script::new(&environ, head).block("a").play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    replaced(&response)
                })
            },
        },
        Case {
            name: "every-status-reaches-the-client",
            rules: &["H1"],
            needs: &[],
            application: |environ, start_response| {
                let status: u16 = environ.query_string().parse()?;
                start_response.start(status, [("content-type", "text/plain")])?;
                Ok("the body".into())
            },
            client: |talk| {
                for status in [200, 201, 202, 206, 299, 301, 400, 401, 404, 410, 418, 451, 500, 501, 503, 599] {
                    whole(&talk.send(&talk.get(&format!("/?{status}")))?, status, "the body")
                        .map_err(|error| within(&status.to_string(), &error))?;
                }
                // RFC 9110, section 15: values outside of 100 to 599 are not valid, but some are in use.
                for status in [600, 999] {
                    let got = talk.send(&talk.get(&format!("/?{status}")))?.status.as_u16();
                    expect(got == status || got >= 500, || format!("the status {status} became {got}"))?;
                }
                Ok(())
            },
        },
        Case {
            name: "headers-reach-the-client",
            rules: &["H1"],
            needs: &[],
            application: |environ, start_response| {
                let mut head = Head::new(200).header("content-type", "text/plain").header("X-Mixed", "Case");
                head = head.header("set-cookie", "a=1; Path=/").header("set-cookie", "b=2").header("set-cookie", "a=3");
                head = head.header("x-list", "a, b,c").header("x-empty", "").header("x-number", 42);
                let latin = HeaderValue::from_bytes(b"caf\xe9")?;
                head = head
                    .header("x-latin", latin)
                    .header("x-many", "2")
                    .header("x-many", "1")
                    .header("x-large", "v".repeat(3000));
                Script::new(&environ, head).block("a").play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 200, "a")?;
                    equal("set-cookie", response.values("set-cookie"), ["a=1; Path=/", "b=2", "a=3"])?;
                    equal("x-many", response.values("x-many"), ["2", "1"])?;
                    let single = [("x-mixed", "Case"), ("x-list", "a, b,c"), ("x-empty", ""), ("x-number", "42")];
                    for (name, value) in
                        single.into_iter().chain([("x-latin", r"caf\xe9"), ("content-type", "text/plain")])
                    {
                        equal(name, response.values(name), [value])?;
                    }
                    equal("the length of x-large", response.header("x-large").map(|value| value.len()), Some(3000))
                })
            },
        },
        Case {
            name: "many-headers-reach-the-client",
            rules: &["H1"],
            needs: &[],
            application: |_, start_response| {
                let headers: HeaderMap = (0..80)
                    .map(|n| Ok((HeaderName::try_from(format!("x-{n}"))?, HeaderValue::from(n))))
                    .collect::<Result<_>>()?;
                start_response.start(200, headers)?;
                Ok(Bytes::from_static(b"a").into())
            },
            client: |talk| {
                let response = talk.send(&talk.get("/"))?;
                whole(&response, 200, "a")?;
                (0..80).try_for_each(|n| {
                    let name = format!("x-{n}");
                    equal(&name, response.header(&name), Some(n.to_string()))
                })
            },
        },
        Case {
            name: "a-reason-phrase-reaches-the-client",
            rules: &["H5"],
            needs: &[Need::Reason],
            application: |environ, start_response| {
                let head = Head::new(299).header("content-type", "text/plain").reason("Froody, isn't it?")?;
                Script::new(&environ, head).block("a").play(&environ, start_response)
            },
            client: |talk| {
                talk.each_kind(|talk| {
                    let response = talk.send(&talk.get("/"))?;
                    whole(&response, 299, "a")?;
                    equal("the reason", response.reason.as_deref(), Some("Froody, isn't it?"))
                })
            },
        },
        Case {
            name: "the-reason-of-a-status-is-its-own",
            rules: &["H5"],
            needs: &[Need::Reason],
            application: |environ, start_response| {
                start_response.start(environ.query_string().parse::<u16>()?, [("content-type", "text/plain")])?;
                Ok("a".into())
            },
            client: |talk| {
                for (status, reason) in [(200, "OK"), (404, "Not Found"), (503, "Service Unavailable")] {
                    let response = talk.send(&talk.get(&format!("/?{status}")))?;
                    whole(&response, status, "a")?;
                    equal("the reason", response.reason.as_deref(), Some(reason))?;
                }
                Ok(())
            },
        },
    ]
}
