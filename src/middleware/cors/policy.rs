//! The options of CORS as headers: what is put into which response.

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Cors;
use super::options::{Predicate, RequestHeaders};
use crate::environ::Environ;
use crate::head::Head;
use crate::middleware::vary::vary_by;
use crate::start_response::SharedHook;

pub(super) struct Policy {
    /// The one that stands for all, where any origin is allowed.
    any: Option<Known>,
    /// Those that are listed, in their order, to be searched.
    listed: Vec<Known>,
    predicate: Option<Predicate>,
    pub(super) fields: Arc<Fields>,
    /// What is done to the responses to all others.
    pub(super) others: SharedHook,
    methods: HeaderValue,
    request_headers: RequestHeaders,
    max_age: Option<HeaderValue>,
}

/// An origin that is known beforehand, and what is done to its responses.
pub(super) struct Known {
    origin: HeaderValue,
    pub(super) hook: SharedHook,
}

/// Who asks.
pub(super) enum Allowed<'a> {
    No,
    Known(&'a Known),
    /// One that the predicate has allowed.
    Asked(HeaderValue),
}

/// What each response to an allowed origin has.
pub(super) struct Fields {
    varies: bool,
    credentials: bool,
    exposed: Option<HeaderValue>,
}

impl Policy {
    pub(super) fn new(cors: Cors) -> Self {
        let fields = Arc::new(Fields { varies: !cors.any, credentials: cors.credentials, exposed: cors.exposed });
        let known = |origin: HeaderValue| {
            let (fields, value) = (Arc::clone(&fields), origin.clone());
            Known { origin, hook: Arc::new(move |head: &mut Head| fields.put(&mut head.headers, &value)) }
        };
        let mut listed: Vec<Known> = cors.listed.into_iter().map(known).collect();
        listed.sort_by(|one, other| one.origin.cmp(&other.origin));
        Self {
            any: cors.any.then(|| known(HeaderValue::from_static("*"))),
            listed,
            predicate: cors.predicate,
            others: Arc::new(|head: &mut Head| vary_by(&mut head.headers, "Origin")),
            fields,
            methods: cors.methods,
            request_headers: cors.request_headers,
            max_age: cors.max_age,
        }
    }

    pub(super) fn allowed(&self, environ: &Environ) -> Allowed<'_> {
        if let Some(any) = &self.any {
            return Allowed::Known(any);
        }
        let mut origins = environ.headers().get_all(ORIGIN).iter();
        // RFC 6454, section 7.3: there must not be more than one. Of two, nobody knows which the browser wrote.
        let (Some(origin), None) = (origins.next(), origins.next()) else { return Allowed::No };
        if let Ok(place) = self.listed.binary_search_by(|known| known.origin.cmp(origin)) {
            return self.listed.get(place).map_or(Allowed::No, Allowed::Known);
        }
        match (&self.predicate, origin.to_str()) {
            // Any page can have the origin `null`, in a sandboxed frame.
            (Some(is_allowed), Ok(text)) if text != "null" && is_allowed(text, environ) => {
                Allowed::Asked(origin.clone())
            }
            _ => Allowed::No,
        }
    }

    /// The answer to a preflight: RFC 9110, section 15.3.5, and Fetch Standard, section 3.2.3.
    pub(super) fn preflight(&self, allowed: Allowed<'_>, request: &HeaderMap) -> Head {
        let mut head = Head::from(StatusCode::NO_CONTENT);
        let headers = &mut head.headers;
        headers.insert(
            VARY,
            HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        );
        let origin = match allowed {
            Allowed::No => return head,
            Allowed::Known(known) => known.origin.clone(),
            Allowed::Asked(origin) => origin,
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.fields.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let asked = || request.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|value| is_list_of_names(value.as_bytes()));
        let request_headers = match &self.request_headers {
            RequestHeaders::Listed(list) => list.as_ref(),
            RequestHeaders::Mirrored => asked(),
        };
        if let Some(list) = request_headers {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, list.clone());
        }
        if let Some(max_age) = &self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        head
    }
}

impl Fields {
    pub(super) fn put(&self, headers: &mut HeaderMap, origin: &HeaderValue) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = &self.exposed {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        if self.varies {
            vary_by(headers, "Origin");
        }
    }
}

/// Whether nothing but names of headers is sent back: RFC 9110, section 5.6.2.
fn is_list_of_names(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, \t".contains(byte))
}
