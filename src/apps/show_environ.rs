//! `show_environ`: an application that answers with what it was told.

use std::fmt::Write;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};

use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::start_response::StartResponse;

/// What a name has that stands for something that is not shown.
const SECRET: [&str; 6] = ["AUTH", "COOKIE", "KEY", "PASS", "SECRET", "TOKEN"];

/// Answers with its own environ: the request, its headers and the CGI variables, for whoever wonders what a server sends.
///
/// It is text; a page where the Accept header asks for `text/html`. The values of headers and variables whose name has
/// AUTH, COOKIE, KEY, PASS, SECRET or TOKEN in it are masked. Those of the query are not: they are the client's own.
/// Control characters are escaped. The input is not read, and of the extensions only the number can be told.
///
/// It is wsgiref's `demo_app`. What it tells of the server is not for everybody: do not leave it on a public address.
///
/// # Errors
///
/// Those of [`StartResponse::send`].
///
/// ```
/// use vestibule::{apps::show_environ, testing::TestServer};
///
/// let server = TestServer::new(show_environ);
/// let text = server.get("/a%2Fb?page=2").header("cookie", "session=1").send().text();
/// assert!(text.contains("PATH_INFO = \"/a/b\""));
/// assert!(text.contains("HTTP_COOKIE = (masked)"));
/// ```
pub fn show_environ(environ: Environ, start_response: StartResponse) -> Result {
    let text = described(&environ)?;
    let is_page = environ.headers().get_all(ACCEPT).iter().any(|accept| accepts_html(accept.as_bytes()));
    let (kind, body) = match is_page {
        true => (
            "text/html; charset=utf-8",
            format!("<!doctype html>\n<title>environ</title>\n<pre>{}</pre>\n", html(&text)),
        ),
        false => ("text/plain; charset=utf-8", text),
    };
    let head = Head::new(200)
        .header(CONTENT_TYPE, kind)
        .header(VARY, "accept")
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CONTENT_SECURITY_POLICY, "default-src 'none'");
    start_response.send(head)?;
    Ok(body.into())
}

fn described(environ: &Environ) -> Result<String> {
    let mut page = String::new();
    writeln!(page, "The request")?;
    writeln!(page, "  method       {}", environ.method())?;
    writeln!(page, "  url          {:?}", environ.url())?;
    writeln!(page, "  raw_path     {:?}", environ.raw_path())?;
    writeln!(page, "  script_name  {:?}", environ.script_name())?;
    writeln!(page, "  path_info    {:?}", environ.path_info())?;
    match environ.input().len() {
        Some(bytes) => writeln!(page, "  input        {bytes} bytes")?,
        None => writeln!(page, "  input        of unknown length")?,
    }
    writeln!(page, "  extensions   {}", environ.extensions().len())?;

    writeln!(page, "\nThe headers, as `http` types")?;
    for (name, value) in environ.headers() {
        writeln!(page, "  {name}: {}", shown(name.as_str(), value.as_bytes()))?;
    }

    writeln!(page, "\nThe CGI variables, computed from the above, and those that were set")?;
    let mut variables: Vec<_> = environ.vars().collect();
    variables.sort();
    for (name, value) in variables {
        writeln!(page, "  {} = {}", name.escape_debug(), shown(&name, &value))?;
    }

    writeln!(page, "\nThe server")?;
    writeln!(page, "  it calls from many threads    {}", environ.multithread())?;
    writeln!(page, "  it runs in many processes     {}", environ.multiprocess())?;
    writeln!(page, "  it runs for one request only  {}", environ.run_once())?;
    Ok(page)
}

/// A value in quotes, or that it is a secret.
fn shown(name: &str, value: &[u8]) -> String {
    let name = name.to_ascii_uppercase();
    match SECRET.iter().any(|word| name.contains(word)) {
        true => "(masked)".to_owned(),
        false => format!("{:?}", String::from_utf8_lossy(value)),
    }
}

/// Whether the list of an Accept header has `text/html`, and not to say that it is unwanted.
fn accepts_html(accept: &[u8]) -> bool {
    accept.split(|byte| *byte == b',').any(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"));
        // RFC 9110, section 12.4.2: a weight of 0, with up to three decimals.
        let is_refused = |part: &[u8]| matches!(part, [b'q' | b'Q', b'=', b'0', rest @ ..] if rest.iter().all(|byte| b".0".contains(byte)));
        is_html && !parts.any(is_refused)
    })
}

/// Text as a part of a page.
fn html(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            _ => page.push(character),
        }
    }
    page
}
