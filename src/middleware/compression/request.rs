//! What of a request decides how its response is encoded, and the decision.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::encoded::{Encoded, PIECE, whole};
use super::{Coding, Compression};
use crate::accept_encoding::Weights;
use crate::body::Body;
use crate::entity_tag::{Comparison, EntityTags};
use crate::environ::Environ;
use crate::error::Result;
use crate::head::Head;
use crate::middleware::vary::vary_by;

pub(super) struct Request {
    /// The coding that the client likes best of those that are offered.
    coding: Option<Coding>,
    is_head: bool,
    none_match: Option<EntityTags>,
    /// Whether the application is one that is called on threads that may block.
    on_thread: bool,
}

impl Request {
    pub(super) fn new(environ: &Environ, offered: &[Coding], on_thread: bool) -> Self {
        Self {
            coding: choose(environ.headers(), offered),
            is_head: environ.method() == Method::HEAD,
            none_match: EntityTags::of(environ.headers(), &IF_NONE_MATCH),
            on_thread,
        }
    }

    /// The body as it is to be sent, and its head made to fit.
    pub(super) fn encode(&self, head: &mut Head, body: Body, settings: &Compression) -> Result<Body> {
        if head.status == StatusCode::NOT_MODIFIED {
            self.not_modified(&mut head.headers);
            return Ok(body);
        }
        let is_untold = self.is_head && body.is_nothing();
        let known = if is_untold { None } else { body.len() };
        let declared = head.length();
        let length = declared.or(known);
        // A length that is wrong is the exchange's to refuse.
        let is_wrong = length != known && known.is_some() && !self.is_head;
        let is_short = length.is_some_and(|length| length < settings.min_size || length == 0);
        if is_wrong || is_short || !may_be_encoded(head) || !(settings.is_wanted)(head) {
            return Ok(body);
        }
        vary_by(&mut head.headers, "Accept-Encoding");
        let Some(coding) = self.coding else { return Ok(body) };
        head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(ACCEPT_RANGES);
        weaken(&mut head.headers);
        match body.as_full() {
            _ if is_untold => Ok(body),
            Some(block) if block.len() <= PIECE => whole(block, coding),
            full => {
                let on_thread = self.on_thread && full.is_some();
                let declared = declared.filter(|_| !self.is_head);
                Ok(Body::source(Encoded::new(body, coding, declared, on_thread)))
            }
        }
    }

    /// A 304 is for what the client has: RFC 9111, section 4.3.4, finds that by its tag, strong by strong and weak by
    /// weak. It does not tell its type, so that it varies as if it had been encoded.
    fn not_modified(&self, headers: &mut HeaderMap) {
        vary_by(headers, "Accept-Encoding");
        let (Some(tags), Some(etag)) = (&self.none_match, headers.get(ETAG)) else { return };
        let has_weak = tags.match_etag(Some(etag), Comparison::Weak);
        let has_strong = tags.match_etag(Some(etag), Comparison::Strong);
        if has_weak && !has_strong {
            weaken(headers);
        }
    }
}

/// The coding that the client likes best, the first among equals; `None` where it is to be none.
fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    // No more codings than there are can be offered.
    let weights = Weights::<3>::of(headers, |name| offered.iter().position(|coding| coding.is_called(name)));
    let (mut best, mut most) = (None, weights.identity.unwrap_or(0));
    for (coding, weight) in offered.iter().zip(weights.codings) {
        if weight > most || (weight == most && weight > 0 && best.is_none()) {
            (best, most) = (Some(*coding), weight);
        }
    }
    best
}

/// Whether the bytes of a response may be replaced by encoded ones.
fn may_be_encoded(head: &Head) -> bool {
    const FIXED: [HeaderName; 6] = [
        CONTENT_ENCODING,
        CONTENT_RANGE,
        // What they say of the bytes would be wrong.
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("repr-digest"),
        HeaderName::from_static("digest"),
        HeaderName::from_static("content-md5"),
    ];
    let has_other_content = matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    );
    !has_other_content
        && !FIXED.iter().any(|name| head.headers.contains_key(name))
        && !head.headers.get_all(CACHE_CONTROL).iter().any(|value| forbids_transformation(value.as_bytes()))
}

/// RFC 9111, section 5.2.2.6.
fn forbids_transformation(cache_control: &[u8]) -> bool {
    let mut directives = cache_control.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// The encoded bytes are not those that a strong tag stands for: RFC 9110, section 8.8.1.
fn weaken(headers: &mut HeaderMap) {
    let Some(etag) = headers.get_mut(ETAG) else { return };
    if etag.as_bytes().starts_with(b"W/") {
        return;
    }
    let weak = [b"W/", etag.as_bytes()].concat();
    // A value behind two letters is a value.
    if let Ok(weak) = HeaderValue::from_maybe_shared(bytes::Bytes::from(weak)) {
        *etag = weak;
    }
}
