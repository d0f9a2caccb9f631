//! Properties: nothing panics, the front end's path stands, and what an environ says survives the way through variables.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::server::check;

const NAMES: [&str; 29] = [
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "DOCUMENT_URI",
    "REQUEST_URI",
    "REDIRECT_URI",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "SERVER_PROTOCOL",
    "SERVER_NAME",
    "SERVER_ADDR",
    "SERVER_PORT",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "REMOTE_USER",
    "AUTH_TYPE",
    "HTTPS",
    "REQUEST_SCHEME",
    "SCRIPT_FILENAME",
    "HTTP_HOST",
    "HTTP_COOKIE",
    "HTTP_PROXY",
    "HTTP_CONTENT_LENGTH",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_EXPECT",
    "HTTP_X__A_",
    "REDIRECT_HTTP_AUTHORIZATION",
    "REDIRECT_",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "(/|//|\\.|\\.\\.|%2[fFeE]|%|a|%C3%A4|ä|\\?|#|\\*|http://h|:|[0-9]|,){0,8}".prop_map(String::into_bytes),
        "/(a|/|\\.\\.|%2F|b c){0,6}".prop_map(String::into_bytes),
        "(GET|OPTIONS|HTTP/1\\.1|on|chunked|h|-1|5|100-continue)".prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ]
}

fn any_mapping() -> impl Strategy<Value = Mapping> {
    let mount =
        prop_oneof![Just(None), Just(Some("".to_owned())), Just(Some("/a".to_owned())), Just(Some("/ä".into()))];
    (mount, any::<[bool; 5]>()).prop_map(
        |(mount, [trust_remote_user, is_script, of_process, ends_bodies, minus_one_is_unknown])| Mapping {
            mount,
            trust_remote_user,
            is_script,
            of_process,
            ends_bodies,
            minus_one_is_unknown,
        },
    )
}

/// Names and values of a method, a path, and more.
fn request() -> impl Strategy<Value = Params> {
    let name = prop_oneof![
        4 => (0..NAMES.len()).prop_map(|at| NAMES[at].as_bytes().to_vec()),
        1 => any::<Vec<u8>>(),
    ];
    (any::<bool>(), vec((name, value()), 0..20)).prop_map(|(is_whole, more)| {
        let basic = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/a/b")].map(|(name, value)| (name.into(), value.into()));
        more.into_iter().chain(basic.into_iter().filter(|_| is_whole)).collect()
    })
}

/// The variables of an environ, sorted, without some.
fn vars(environ: &Environ, without: &[&str]) -> Vec<(String, Vec<u8>)> {
    let vars = environ.vars().filter(|(name, _)| !without.contains(&&**name));
    let mut vars: Vec<_> = vars.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    vars.sort();
    vars
}

fn params_of(environ: &Environ) -> Params {
    environ.vars().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// A path as it may be sent, in segments.
fn raw_path() -> impl Strategy<Value = String> {
    "(/([a-z;:@]|%20|%2F|%2f|%C3%A4|%FF|%25|%2E){0,4}|/\\.|/\\.\\.|/%2e){1,6}"
}

/// A request as `http` has it, as far as all of it reaches an application behind a front end.
fn http_request() -> impl Strategy<Value = http::Request<()>> {
    let query = prop_oneof![Just(String::new()), "\\?[a-z0-9=&%+/?]{1,10}"];
    let headers = vec(("(accept|cookie|x-[a-z0-9]{1,4}|user-agent|authorization)", "[ -~]{0,12}"), 0..8);
    (prop_oneof![Just("GET"), Just("POST"), Just("BREW")], raw_path(), query, headers).prop_map(
        |(method, path, query, headers)| {
            let mut request = http::Request::builder().method(method).uri(format!("{path}{query}"));
            request = request.header("host", "example.test:8443").header("content-length", "0");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.body(()).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn nothing_panics_and_what_passes_is_sound(mapping in any_mapping(), params in request()) {
        match map(&mapping, &params) {
            Err(refusal) => prop_assert!(refusal.status.is_client_error() || refusal.status == 501, "{refusal}"),
            Ok((environ, _)) => {
                let (script_name, path_info) = (environ.script_name(), environ.path_info());
                // Rules E4 and E5.
                prop_assert!(script_name.is_empty() || script_name.starts_with('/'));
                prop_assert!(!script_name.ends_with('/'), "{script_name} {path_info}");
                prop_assert!(path_info.is_empty() || path_info.starts_with('/') || path_info == "*");
                prop_assert!(!(script_name.is_empty() && path_info.is_empty()));
                prop_assert!(environ.raw_path().is_ascii() && environ.uri().path() == environ.raw_path());
                prop_assert!(!environ.server_name().is_empty() && environ.server_port() > 0);
                prop_assert!(mapping.trust_remote_user || environ.var("REMOTE_USER").is_none());
                prop_assert!(vars(&environ, &[]).iter().all(|(name, _)| name != "HTTP_PROXY"));
            }
        }
    }

    #[test]
    fn arbitrary_pairs_never_panic(mapping in any_mapping(), pairs: Vec<(Vec<u8>, Vec<u8>)>) {
        let _ = map(&mapping, &pairs.into_iter().collect());
    }

    /// Front ends decide on the path that they send, so the application gets that one and no other.
    #[test]
    fn the_path_of_the_front_end_stands(script in raw_path(), said in raw_path(), sent in raw_path()) {
        // A literal `%` could be the beginning of what Apache has not decoded, if the client sent such a one.
        let request = |raw: &str| http::Request::get(raw.replace("%25", "%20")).body(()).unwrap();
        let decode = |raw: &str| Environ::from(request(raw)).path_info_bytes().into_owned();
        let (script, said) = (decode(&script), decode(&said));
        let script = &script[..script.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1)];
        for sent in [&*sent, "", "/"] {
            let more = [("SCRIPT_NAME", script), ("PATH_INFO", &said), ("REQUEST_URI", sent.as_bytes())];
            let environ = environ(&fastcgi(), &more);
            prop_assert_eq!(environ.var("SCRIPT_NAME").unwrap(), script);
            prop_assert_eq!(&*environ.path_info_bytes(), &*said);
        }
    }

    /// Whether a front end merges slashes or not, an escape that it leaves no doubt about survives.
    #[test]
    fn escapes_survive_the_front_end(segments in vec("([a-z]|%20|%2F|%C3%A4|%FF|%25){1,4}", 1..5), slashes in vec(1..3_usize, 5)) {
        let raw: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        let sent: String =
            segments.iter().zip(&slashes).map(|(segment, &slashes)| "/".repeat(slashes) + segment).collect();
        let environ_of = |raw: &str| Environ::from(http::Request::get(raw).body(()).unwrap());
        let merged = environ_of(&raw).path_info_bytes().into_owned();
        let environ = environ(&fastcgi(), &[("PATH_INFO", &merged), ("REQUEST_URI", sent.as_bytes())]);
        prop_assert_eq!(environ.raw_path(), raw);
        prop_assert_eq!(&*environ.path_info_bytes(), &*merged);
    }

    /// A request has the same variables whether it comes as HTTP or through a front end that changes nothing; but a
    /// query that is there and empty is none.
    #[test]
    fn variables_are_those_of_http(request in http_request(), mount in "(/[a-z]{1,3}){0,2}") {
        let mut over_http = Environ::from(request);
        over_http.set_server("server.test", 8443);
        over_http.set_remote_addr(Some("192.0.2.1:5".parse().unwrap()));
        let (script_name, path_info) = (mount, over_http.path_info_bytes().into_owned());
        if !script_name.is_empty() {
            over_http.set_path(script_name.as_bytes(), &path_info).unwrap();
        }
        over_http.set_var("DOCUMENT_ROOT", "/srv").unwrap();
        for mapping in [fastcgi(), fastcgi_script(), plain(), mounted(plain(), &script_name)] {
            let (mapped, _) = map(&mapping, &params_of(&over_http)).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(vars(&mapped, &[]), vars(&over_http, &[]));
            prop_assert_eq!(mapped.raw_path(), over_http.raw_path());
            prop_assert_eq!(mapped.url(), over_http.url());
        }
    }

    /// What has come through once comes through again.
    #[test]
    fn a_second_way_through_changes_nothing(params in request()) {
        let mapping = Mapping { trust_remote_user: true, ..fastcgi() };
        let Ok((first, _)) = map(&mapping, &params) else { return Ok(()) };
        // Of several, only the first is looked at, as over HTTP.
        prop_assume!(first.headers().get_all("expect").iter().count() < 2);
        // A chunked body has no variable that says so.
        let again = map(&mapping, &params_of(&first));
        let (second, _) = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(vars(&second, &[]), vars(&first, &[]));
    }
}

/// A method, a target, and headers.
type Sent<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// What HTTP refuses is refused with the same status.
#[test]
fn refusals_are_those_of_http() {
    let host = ("host", "h");
    let rows: &[Sent<'_>] = &[
        ("GET", "/", &[]),
        ("GET", "/", &[host, host]),
        ("GET", "/", &[("host", "a,b")]),
        ("GET", "/%zz", &[host]),
        ("GET", "/\u{e9}", &[host]),
        ("GET", "/?\u{e9}", &[host]),
        ("CONNECT", "h:443", &[host]),
        ("GET", "*", &[host]),
        ("GET", "/", &[host, ("expect", "x")]),
        ("POST", "/", &[host, ("transfer-encoding", "gzip")]),
        ("OPTIONS", "*", &[host]),
        ("GET", "/a%20b?%", &[host]),
    ];
    for (method, target, headers) in rows {
        let mut request = http::Request::builder().method(*method).uri(*target);
        let mut all = vec![("REQUEST_METHOD".to_owned(), *method), ("REQUEST_URI".to_owned(), *target)];
        all.push(("SERVER_PROTOCOL".to_owned(), "HTTP/1.1"));
        all.push(("PATH_INFO".to_owned(), target.split('?').next().unwrap()));
        all.push(("QUERY_STRING".to_owned(), target.split_once('?').map_or("", |(_, query)| query)));
        for (name, value) in *headers {
            request = request.header(*name, *value);
            all.push((format!("HTTP_{}", name.to_uppercase().replace('-', "_")), value));
        }
        let over_http = check(&mut request.body(()).unwrap().into_parts().0, true, true);
        let mapped = map(&fastcgi(), &all.into_iter().collect());
        let over_http = over_http.map_err(|error| error.status().unwrap());
        assert_eq!(mapped.map(drop).map_err(|refusal| refusal.status), over_http, "{method} {target} {headers:?}");
    }
}
