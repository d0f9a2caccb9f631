//! The CGI view of an environ: variables that are computed when they are asked for.

use std::borrow::Cow;
use std::collections::HashSet;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName};

use super::Environ;
use crate::error::{Fault, Result};
use crate::head::is_hop_by_hop;

/// The variables that are computed from the request, beside `HTTP_*`.
const COMPUTED: [&str; 14] = [
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "REQUEST_URI",
    "REQUEST_SCHEME",
    "HTTPS",
];

/// These CGI variables are the request's; everything else is the gateway's or the deployer's.
impl Environ {
    /// A CGI variable, such as `REQUEST_METHOD`, `HTTP_ACCEPT` or one that was set by
    /// [`set_var`](Environ::set_var); `None` where there is none. It is computed, so use the accessors where there is
    /// one.
    ///
    /// A header is `HTTP_` and its name in capitals, with `_` for `-`. Repeated ones are joined by `, `, Cookie by `;
    /// `. Not among them are names with a `_` (they could be taken for others), `Proxy` (it would be `HTTP_PROXY`,
    /// which HTTP clients obey: "httpoxy"), Content-Type and Content-Length, and the hop-by-hop headers.
    ///
    /// ```
    /// let request = http::Request::get("/").header("accept", "a").header("accept", "b").body(()).unwrap();
    /// let environ = vestibule::Environ::from(request);
    /// assert_eq!(environ.var("HTTP_ACCEPT").unwrap(), &b"a, b"[..]);
    /// assert_eq!(environ.var("HTTPS"), None);
    /// ```
    pub fn var(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if let Some(header) = name.strip_prefix("HTTP_") {
            return self.header_var(header);
        }
        if COMPUTED.contains(&name) {
            return self.computed(name);
        }
        self.surroundings().vars.iter().find(|(other, _)| other == name).map(|(_, value)| Cow::Borrowed(&value[..]))
    }

    /// All CGI variables, each once: those of the request, those of its headers, those that were set.
    pub fn vars(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, [u8]>)> {
        let computed = COMPUTED.iter().filter_map(|&name| Some((Cow::Borrowed(name), self.computed(name)?)));
        let headers = self.headers().keys().filter(|name| is_visible(name)).filter_map(|name| {
            let variable = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
            Some((Cow::<str>::Owned(variable), joined(self.headers(), name)?))
        });
        let set =
            self.surroundings().vars.iter().map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&value[..])));
        let mut seen = HashSet::new();
        computed.chain(headers.filter(move |(name, _)| seen.insert(name.clone()))).chain(set)
    }

    /// Sets a variable of the gateway or the deployer, such as `DOCUMENT_ROOT`.
    ///
    /// # Errors
    ///
    /// For a name that is empty or has a `=` or a NUL. And for a variable that is computed from the request, such as
    /// `PATH_INFO` or `HTTP_ACCEPT`: set it by [`set_path`](Environ::set_path), [`headers_mut`](Environ::headers_mut)
    /// and so on. There is one truth.
    pub fn set_var(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<()> {
        let (name, value) = (name.into(), value.into());
        // What an environment cannot hold, no variable is called: POSIX, section 8.1.
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Fault::VariableName(name).into());
        }
        if COMPUTED.contains(&&*name) || name.starts_with("HTTP_") {
            return Err(Fault::ComputedVariable(name).into());
        }
        let vars = &mut self.surroundings_mut().vars;
        match vars.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value.into(),
            None => vars.push((name.into(), value.into())),
        }
        Ok(())
    }

    /// Removes a variable that was set, and returns its value.
    pub fn remove_var(&mut self, name: &str) -> Option<Vec<u8>> {
        let at = self.surroundings().vars.iter().position(|(other, _)| other == name)?;
        Some(self.surroundings_mut().vars.remove(at).1.into())
    }

    fn computed(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let text = |text: Cow<'_, str>| Some(Cow::Owned(text.into_owned().into_bytes()));
        match name {
            "REQUEST_METHOD" => Some(self.method().as_str().as_bytes().into()),
            "SCRIPT_NAME" => Some(super::path::decode(&self.raw_path()[..self.0.beyond.mounted])),
            "PATH_INFO" => Some(self.path_info_bytes()),
            "QUERY_STRING" => Some(self.query_string().as_bytes().into()),
            "CONTENT_TYPE" => joined(self.headers(), &CONTENT_TYPE),
            "CONTENT_LENGTH" => joined(self.headers(), &CONTENT_LENGTH),
            "SERVER_NAME" => Some(self.server_name().as_bytes().into()),
            "SERVER_PORT" => text(self.server_port().to_string().into()),
            "SERVER_PROTOCOL" => text(self.server_protocol().to_owned().into()),
            "REMOTE_ADDR" => text(self.remote_addr()?.ip().to_string().into()),
            "REMOTE_PORT" => text(self.remote_addr()?.port().to_string().into()),
            "REQUEST_URI" => match self.uri().query() {
                None => Some(self.raw_path().as_bytes().into()),
                Some(query) => text(format!("{}?{query}", self.raw_path()).into()),
            },
            "REQUEST_SCHEME" => Some(self.url_scheme().as_str().as_bytes().into()),
            // PEP 3333, "environ Variables": HTTPS=on where the server uses TLS.
            "HTTPS" => (self.url_scheme().as_str() == "https").then_some(Cow::Borrowed(&b"on"[..])),
            _ => None,
        }
    }

    fn header_var(&self, variable: &str) -> Option<Cow<'_, [u8]>> {
        if variable.bytes().any(|byte| byte == b'-' || byte.is_ascii_lowercase()) {
            return None;
        }
        let name = HeaderName::from_bytes(variable.replace('_', "-").as_bytes()).ok()?;
        if !is_visible(&name) {
            return None;
        }
        joined(self.headers(), &name)
    }
}

/// Whether a header has a variable of the kind `HTTP_*`.
fn is_visible(name: &HeaderName) -> bool {
    let hidden = name == CONTENT_TYPE || name == CONTENT_LENGTH || name == "proxy";
    !hidden && !name.as_str().contains('_') && !is_hop_by_hop(name) && name != "trailer"
}

/// The values of a header as one: RFC 9110, section 5.2, and RFC 6265, section 5.4, for Cookie.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let separator: &[u8] = if name == COOKIE { b"; " } else { b", " };
    let mut all = Cow::Borrowed(first.as_bytes());
    for value in values {
        let all = all.to_mut();
        all.extend_from_slice(separator);
        all.extend_from_slice(value.as_bytes());
    }
    Some(all)
}
