//! The two requests that every variant is measured with.

use std::sync::OnceLock;

/// The small one, as a client takes it.
pub fn small() -> &'static [Vec<u8>] {
    static ONE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ONE.get_or_init(|| vec![SMALL.to_vec()])
}

/// The big one, as a client takes it.
pub fn big() -> &'static [Vec<u8>] {
    static ONE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ONE.get_or_init(|| vec![BIG.to_vec()])
}

/// The smallest request HTTP/1.1 allows: one header.
const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What a browser sends: a query and twelve headers.
const BIG: &[u8] = b"GET /?page=2&sort=name HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Referer: https://www.example.com/?page=1&sort=name\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.7\r\n\
    Cookie: session=8f2c1a7e5b9d4036; theme=dark; consent=1\r\n\
    \r\n";
