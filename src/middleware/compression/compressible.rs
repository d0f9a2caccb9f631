//! Which media types compress.

use http::header::CONTENT_TYPE;

use crate::head::Head;

/// Types that compress beside `text/*` and those that end in a suffix below. Fonts of the type WOFF are compressed.
const TYPES: [&str; 24] = [
    "application/dns-json",
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/jsonlines",
    "application/ndjson",
    "application/rtf",
    "application/toml",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-yaml",
    "application/xml",
    "application/xml-dtd",
    "application/yaml",
    "font/collection",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
    "model/gltf-binary",
];

/// Structured syntaxes (RFC 6838, section 4.2.8) that are text.
const SUFFIXES: [&str; 3] = ["+json", "+xml", "+yaml"];

pub(super) fn is_compressible(head: &Head) -> bool {
    let Some(value) = head.headers.get(CONTENT_TYPE) else { return false };
    let value = value.as_bytes();
    let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
    let kind = value[..end].trim_ascii();
    let starts_with =
        |prefix: &str| kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()));
    let ends_with = |suffix: &&str| {
        let start = kind.len().checked_sub(suffix.len());
        start.is_some_and(|start| kind[start..].eq_ignore_ascii_case(suffix.as_bytes()))
    };
    starts_with("text/")
        || SUFFIXES.iter().any(ends_with)
        || TYPES.iter().any(|other| kind.eq_ignore_ascii_case(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_compresses_and_what_is_compressed_does_not() {
        let is = |kind: &str| is_compressible(&Head::new(200).header("content-type", kind));
        for kind in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "text/event-stream",
            " application/json ;x",
            "application/ld+json",
            "image/svg+xml",
            "application/javascript",
            "application/wasm",
            "font/ttf",
        ] {
            assert!(is(kind), "{kind}");
        }
        for kind in
            ["image/png", "font/woff2", "application/zip", "application/octet-stream", "video/mp4", "", "text", "x+jso"]
        {
            assert!(!is(kind), "{kind}");
        }
        assert!(!is_compressible(&Head::new(200)));
    }
}
