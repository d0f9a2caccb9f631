//! `basic_auth`: Basic authentication, RFC 7617.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use subtle::{Choice, ConstantTimeEq};

use super::User;
use crate::application::App;
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::start_response::StartResponse;

/// The longest credentials that are looked at, in characters of base64, which are 3,072 bytes of name and password.
const LONGEST: usize = 4096;

/// Asks for a name and a password, and lets requests pass whose pair the function `check` accepts.
///
/// The application finds the name in the environ's extensions, as [`User`], and as REMOTE_USER beside AUTH_TYPE
/// (RFC 3875, section 4.1.11); an access log further out writes it, also where the application fails. It does not find the
/// Authorization header, as RFC 3875, section 4.1.18, asks: the password has done its work, and what never gets further
/// is not shown by a page of errors and not passed on to another server.
///
/// Everything else is answered with 401: no Authorization or more than one, another scheme, bad base64, no colon, what
/// is not UTF-8 or has control characters, and credentials of more than 4,096 characters of base64. `check` is not asked
/// about those.
///
/// `check` runs where the application is called. One that looks into a database, or computes a hash that is slow on
/// purpose, blocks: an application that may block is called on a thread that may wait, an async one is not. Passwords
/// that are known beforehand are best left to [`credentials`], which takes the same time for each.
///
/// The password travels as it is: serve https only.
///
/// # Errors
///
/// For a realm that is not printable ASCII.
///
/// ```
/// use vestibule::{App, Environ, Result, StartResponse, middleware, middleware::User, testing::TestServer};
///
/// fn hello(environ: Environ, start_response: StartResponse) -> Result {
///     let hello = format!("hello, {}", environ.extension::<User>()?);
///     start_response.start(200, ())?;
///     Ok(hello.into())
/// }
/// let check = middleware::credentials([("ada", "sesame")])?;
/// let server = TestServer::new(App::new(hello).wrap(middleware::basic_auth("staff", check)?));
/// let refused = server.get("/").send();
/// assert_eq!(refused.status(), 401);
/// assert_eq!(refused.header("www-authenticate"), Some(r#"Basic realm="staff", charset="UTF-8""#));
/// let response = server.get("/").header("authorization", "Basic YWRhOnNlc2FtZQ==").send();
/// assert_eq!(response.text(), "hello, ada");
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn basic_auth<C>(realm: &str, check: C) -> Result<impl Fn(App) -> App + Clone + Send + Sync + 'static + use<C>>
where
    C: Fn(&str, &str) -> bool + Send + Sync + 'static,
{
    let shared = Arc::new((challenge(realm)?, check));
    Ok(move |inner| {
        let shared = Arc::clone(&shared);
        App::around(inner, move |inner, mut environ, start_response| {
            let (challenge, check) = &*shared;
            match authenticated(environ.headers(), check) {
                Some(user) => {
                    let start_response = introduce(&mut environ, start_response, user)?;
                    inner.call(environ, start_response)
                }
                None => {
                    let (mut head, text) = Head::plain(StatusCode::UNAUTHORIZED);
                    head.headers.insert(WWW_AUTHENTICATE, challenge.clone());
                    start_response.send(head)?;
                    Ok(text.into())
                }
            }
        })
    })
}

/// A check for [`basic_auth`] of names and passwords that are known beforehand.
///
/// The time that it takes depends on how many there are and on the length of what a client sends, not on what is right
/// of it. So it tells neither which names there are nor how much of a password was right.
///
/// # Errors
///
/// For a name with a colon or a control character and a password with a control character: no client can send them
/// (RFC 7617, section 2).
///
/// ```
/// use vestibule::middleware;
///
/// let check = middleware::credentials([("ada", "sesame"), ("grace", "barley")])?;
/// assert!(check("grace", "barley"));
/// assert!(!check("ada", "barley"));
/// assert!(middleware::credentials([("ada:sesame", "")]).is_err());
/// # Ok::<(), vestibule::Error>(())
/// ```
pub fn credentials<I, N, P>(users: I) -> Result<impl Fn(&str, &str) -> bool + Send + Sync + 'static>
where
    I: IntoIterator<Item = (N, P)>,
    N: Into<String>,
    P: Into<String>,
{
    let users: Vec<(String, String)> =
        users.into_iter().map(|(name, password)| (name.into(), password.into())).collect();
    for (name, password) in &users {
        if name.contains(|c: char| c == ':' || c.is_control()) || password.contains(char::is_control) {
            return Err(format!(
                "credentials: nobody can log in as {name:?}: a name has no colon, and neither it nor the password a \
                 control character"
            )
            .into());
        }
    }
    Ok(move |name: &str, password: &str| {
        let is_one = users.iter().fold(Choice::from(0), |found, (right_name, right_password)| {
            found | (same(name, right_name) & same(password, right_password))
        });
        is_one.into()
    })
}

/// Whether two texts are the same, in a time that depends on the first alone.
fn same(sent: &str, right: &str) -> Choice {
    let (sent, right) = (sent.as_bytes(), right.as_bytes());
    let mut is_same = sent.len().ct_eq(&right.len());
    for (at, byte) in sent.iter().enumerate() {
        // Beyond its end the right one begins anew, which the lengths have decided already.
        is_same &= byte.ct_eq(right.get(at % right.len().max(1)).unwrap_or(&0));
    }
    is_same
}

/// What a client is asked with. RFC 7617, section 2.1: UTF-8 is the one charset that can be asked for.
fn challenge(realm: &str) -> Result<HeaderValue> {
    let mut quoted = String::with_capacity(realm.len());
    for character in realm.chars() {
        // RFC 9110, section 5.6.4.
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    match realm.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        true => Ok(HeaderValue::try_from(format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""))?),
        false => Err(format!("basic_auth: the realm {realm:?} is not printable ASCII").into()),
    }
}

/// The user of a request whose credentials are right.
fn authenticated(headers: &HeaderMap, check: impl Fn(&str, &str) -> bool) -> Option<User> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let pair = decoded(value.as_bytes())?;
    let (name, password) = pair.split_once(':')?;
    check(name, password).then(|| User::new(name))
}

/// What stands in base64 behind `Basic`, in any case, and spaces: the name, a colon and the password (RFC 7617, section
/// 2).
fn decoded(authorization: &[u8]) -> Option<String> {
    let (scheme, rest) = authorization.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let begin = rest.iter().position(|&byte| byte != b' ')?;
    let token = Some(&rest[begin..]).filter(|token| token.len() <= LONGEST)?;
    let pair = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    // "The user-id and password MUST NOT contain any control characters".
    Some(pair).filter(|pair| !pair.contains(char::is_control))
}

/// Tells the application and those further out who asks.
fn introduce(environ: &mut Environ, start_response: StartResponse, user: User) -> Result<StartResponse> {
    environ.headers_mut().remove(AUTHORIZATION);
    environ.set_var("AUTH_TYPE", "Basic")?;
    environ.set_var("REMOTE_USER", user.name())?;
    Ok(user.introduce(environ, start_response))
}
