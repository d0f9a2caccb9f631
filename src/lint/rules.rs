//! The rules of `docs/spec.md` as data.
//!
//! Lint reports and conformance cases name a rule by its id. `tests/rules.rs` compares
//! this table with the specification, so that neither can change alone.

use std::fmt;

/// One numbered rule of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    id: &'static str,
    level: Level,
    text: &'static str,
    section: &'static str,
    executed_by: &'static str,
}

impl Rule {
    /// The rule's name: the letter of its section and a number, such as `F3`.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// How binding the rule is.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The rule itself, one sentence.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// The heading of its section in the specification, such as `6. Framing`.
    pub const fn section(&self) -> &'static str {
        self.section
    }

    /// Who executes the rule at run time, such as `exchange` or `lint, exchange`.
    pub const fn executed_by(&self) -> &'static str {
        self.executed_by
    }
}

/// How binding a rule is, in the words of RFC 2119.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// Breaking the rule is a fault.
    Must,
    /// Breaking the rule is worth a warning.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// Finds a rule by its id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

const fn must(id: &'static str, section: &'static str, executed_by: &'static str, text: &'static str) -> Rule {
    Rule { id, level: Level::Must, text, section, executed_by }
}

const fn should(id: &'static str, section: &'static str, executed_by: &'static str, text: &'static str) -> Rule {
    Rule { id, level: Level::Should, text, section, executed_by }
}

const ENVIRON: &str = "1. The environ";
const INPUT: &str = "2. The input";
const STARTING: &str = "3. Starting the response";
const HEAD: &str = "4. The head";
const BODY: &str = "5. The body";
const FRAMING: &str = "6. Framing";
const END: &str = "7. Errors, panics and the end";
const MIDDLEWARE: &str = "8. Middleware";
const GATEWAYS: &str = "9. Gateways";

/// Every rule of the specification, in its order.
// Two lines a rule, so that the table can be read beside the specification.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    must("E1", ENVIRON, "environ",
        "`script_name` and `path_info` are percent-decoded exactly once and otherwise kept: repeated slashes and dot segments stay."),
    must("E2", ENVIRON, "environ",
        "`raw_path` is the path of the request target as it was sent, mount prefix included: `%2F` and escapes that are not UTF-8 survive."),
    must("E3", ENVIRON, "gateway",
        "Under a mount point `script_name` is the mount point and `path_info` the rest: empty at the mount point itself, `/` with a trailing slash."),
    must("E4", ENVIRON, "lint",
        "SCRIPT_NAME is empty, or starts with `/` and does not end with it, unless PATH_INFO is empty because that slash was shifted."),
    must("E5", ENVIRON, "lint",
        "PATH_INFO is empty, starts with `/`, or is `*` for OPTIONS; it is not empty together with SCRIPT_NAME."),
    must("E6", ENVIRON, "environ",
        "QUERY_STRING is always there, undecoded and without its `?`; it is empty if the target has no query."),
    must("E7", ENVIRON, "environ",
        "CONTENT_TYPE and CONTENT_LENGTH come from the request's headers alone and are absent without them; a length of 0 is present."),
    must("E8", ENVIRON, "environ",
        "No request header becomes HTTP_PROXY, HTTP_CONTENT_TYPE or HTTP_CONTENT_LENGTH, and none with `_` in its name becomes a variable."),
    must("E9", ENVIRON, "environ",
        "Trailer and the hop-by-hop headers of section 4 are not in the CGI view; any other header that the client names in Connection is."),
    must("E10", ENVIRON, "environ",
        "A repeated header is one variable, its values joined in their order with `, `, and with `; ` for Cookie."),
    must("E11", ENVIRON, "environ",
        "A variable that is computed from the request, and any that begins with HTTP_, is refused by `set_var` with an `Err`."),
    must("E12", ENVIRON, "lint",
        "A variable that was set is named in capitals like those of CGI, or in lower case with a namespace and a dot, such as `my_auth.user`."),
    must("E13", ENVIRON, "lint",
        "SERVER_NAME is a host of RFC 3986 section 3.2.2 and not empty; Host, unless absent or empty, is such a host with an optional port."),
    should("E14", ENVIRON, "lint",
        "The method is in upper case: methods are case-sensitive, and `get` is not GET."),
    should("E15", ENVIRON, "lint",
        "A request has no two header names that differ only in `-` and `_`."),
    must("E16", ENVIRON, "gateway",
        "Scheme, server name, server port and peer address come from the connection or the front end; no request header changes them."),
    must("E17", ENVIRON, "gateway",
        "`multithread` is true if another thread may call the application now, `multiprocess` if another process may, `run_once` if no further call is expected."),
    must("E18", ENVIRON, "gateway",
        "The environment variables of the server's own process are not in the CGI view."),

    must("I1", INPUT, "input",
        "The input gives at most Content-Length bytes and then its end, again and again and without waiting; the next request's bytes are not its own."),
    must("I2", INPUT, "input",
        "A body of unknown length arrives decoded and ends cleanly, and its trailers stay apart from the headers."),
    must("I3", INPUT, "input",
        "A body that is cut short is an `Err` from the input, or the application is not called; it is never a clean end."),
    must("I4", INPUT, "input",
        "Each byte is given once, however it is read and by whichever of the handles that `duplicate` made."),
    must("I5", INPUT, "input",
        "Reading past a limit, that of `read_bytes` and `read_text` or 16 MiB for `read_to_end`, is an `Err` with status 413."),

    must("S1", STARTING, "exchange",
        "An application may start its response in `call` or in any pull before the first block with bytes, on any thread."),
    must("S2", STARTING, "lint, exchange",
        "No block with bytes comes before the start; if one does, the response is 500 and the block is not sent."),
    must("S3", STARTING, "lint, exchange",
        "A response that nobody starts is 500, and the log names the layer that dropped its `StartResponse`."),
    must("S4", STARTING, "exchange",
        "The first block with bytes, or the end of the body, commits the head; `start` and empty blocks never do."),
    must("S5", STARTING, "exchange",
        "A head that `start` or `send` refuses leaves the response unstarted: it is 500 even if the application ignores the `Err`."),
    must("S6", STARTING, "exchange",
        "Starting after the end of the response is an `Err` to the caller and changes nothing."),

    must("H1", HEAD, "exchange",
        "Status and headers reach the client as given: values byte for byte, repeated names as separate lines in their order."),
    must("H2", HEAD, "lint, exchange",
        "A final status is not 1xx; `start` answers one with an `Err`."),
    must("H3", HEAD, "lint, exchange",
        "A head has no hop-by-hop header; `start` answers one with an `Err`."),
    must("H4", HEAD, "exchange",
        "A malformed status or header name, or CR, LF or NUL in a name, a value or a reason, is an `Err`, and nothing of it reaches the client."),
    must("H5", HEAD, "gateway",
        "A custom reason phrase reaches the client where the protocol has reason phrases."),
    should("H6", HEAD, "lint",
        "A reason phrase is not empty."),
    must("H7", HEAD, "lint",
        "A head has no header named Status: gateways of the CGI family would take it for the status."),
    should("H8", HEAD, "lint",
        "A header name does not end in `-` or `_`."),
    should("H9", HEAD, "lint",
        "A response with a body has a Content-Type."),
    must("H10", HEAD, "lint",
        "A 204 or 304 has no Content-Type."),
    should("H11", HEAD, "lint",
        "An ETag is quoted, with at most `W/` in front of the quotes."),

    must("B1", BODY, "exchange",
        "Blocks reach the client in their order and byte for byte: line ends, NUL and text that looks like a header are data."),
    must("B2", BODY, "gateway",
        "A block is on its way to the client while the next is being produced; none waits for a later one."),
    must("B3", BODY, "exchange",
        "Nobody pulls a body again after its end or its `Err`."),
    must("B4", BODY, "lint",
        "A body has been dropped when its request is finished, also one that middleware has replaced."),
    should("B5", BODY, "lint",
        "A body does not fail once its head is committed: the client gets a broken response then, not an error page."),
    must("B6", BODY, "gateway",
        "A client that reads slowly holds the body back: no more than a bounded window is pulled ahead of it."),
    must("B7", BODY, "exchange",
        "A channel body whose `Sender` was dropped without `finish` fails, so that what was sent never looks complete."),

    must("F1", FRAMING, "exchange",
        "A body of known length gets a Content-Length, also one that an `async_fn` returns."),
    must("F2", FRAMING, "lint, exchange",
        "An application's Content-Length that differs from the body's known length makes the response a 500 before any head is sent."),
    must("F3", FRAMING, "lint, exchange",
        "A body longer than the application's Content-Length is cut at that length and not pulled further."),
    must("F4", FRAMING, "lint, exchange",
        "A body shorter than the application's Content-Length aborts the response."),
    must("F5", FRAMING, "lint, exchange",
        "A Content-Length that is repeated or is not a decimal number is an `Err` from `start`."),
    must("F6", FRAMING, "gateway",
        "A body of unknown length is chunked for an HTTP/1.1 client and ends with the connection for an HTTP/1.0 client."),
    must("F7", FRAMING, "exchange",
        "An empty block never reaches the wire; after 32 in a row others may run and the exchange checks that the peer is still there."),
    must("F8", FRAMING, "exchange",
        "A HEAD request runs as GET does until its head is committed; then the body is dropped without another pull, and no byte of it is sent."),
    must("F9", FRAMING, "exchange",
        "The answer to HEAD keeps an application's Content-Length and gets a computed one only if that is greater than 0."),
    must("F10", FRAMING, "lint, exchange",
        "A 204, 205 or 304 has no body; bytes that one yields are not sent."),
    must("F11", FRAMING, "lint, exchange",
        "A 204 is sent without a Content-Length and a 205 with a length of 0, whatever the application set."),
    must("F12", FRAMING, "exchange",
        "A 304 keeps an application's Content-Length and never gets a computed one."),

    must("X1", END, "exchange",
        "An `Err` or a panic before the head is committed becomes an error response, with nothing left of a head that was started earlier."),
    must("X2", END, "exchange",
        "The status of an error response is that of the first vestibule error in the source chain, such as 413, 400 or 408, and 500 without one."),
    must("X3", END, "exchange",
        "The body of an error response is its status and reason as plain text, `500 Internal Server Error`; the error's own text never reaches the client."),
    must("X4", END, "exchange",
        "An `Err` or a panic after the head is committed aborts the response."),
    must("X5", END, "exchange",
        "Each error and each panic that reaches the gateway is logged with its text, the method, the path and the name of the application."),
    must("X6", END, "exchange",
        "A panic is caught, also one in a drop or a hook: the other hooks run, and the next request is answered."),
    must("X7", END, "exchange",
        "After the last block is given to the connection the body is dropped; then the `on_finished` hooks run, the last registered first."),
    must("X8", END, "exchange",
        "The body is dropped once and each hook runs once, however the request ends, and even if the environ with the hook is dropped early."),
    must("X9", END, "exchange",
        "`Outcome` tells the status and the body bytes sent, and calls the end complete only if the transport accepted all of them."),
    must("X10", END, "exchange",
        "When the peer hangs up, an async application is dropped where it waits, the body of a blocking one when the running pull returns."),
    must("X11", END, "exchange",
        "When the peer hangs up, `cancellation()` is set, and a read that waits for the input gives an `Err`."),
    must("X12", END, "exchange",
        "A blocking wait for the input on the thread that receives it, or into one's own full channel within `call`, is an `Err` that names the cure."),

    must("M1", MIDDLEWARE, "exchange",
        "The `on_head` hooks run once per response, innermost first, when the head is committed, and never on a head that is replaced."),
    must("M2", MIDDLEWARE, "exchange",
        "The hooks also run on a head that the exchange makes itself: an unstarted `StartResponse` gives its hooks back when it is dropped."),
    must("M3", MIDDLEWARE, "exchange",
        "The head is checked again after the last hook; a fault that a hook brought in makes the response a 500."),
    must("M4", MIDDLEWARE, "exchange",
        "`capture` calls `then` once, with the response when its head would be committed or with the `Err` before it, and only what `then` gives is sent."),
    must("M5", MIDDLEWARE, "exchange",
        "Hooks added inside a `capture` run at its own commit, before `then`, and not again outside."),
    must("M6", MIDDLEWARE, "exchange",
        "`map_chunks`, `transform` and `capture` keep a body's mode: a blocking body is not pulled on the reactor, an async one holds no thread."),
    must("M7", MIDDLEWARE, "lint",
        "Middleware yields at least one block, perhaps an empty one, for each block that it takes from the inner body."),

    must("G1", GATEWAYS, "gateway",
        "`OPTIONS *` reaches the application with `*` as its PATH_INFO."),
    must("G2", GATEWAYS, "gateway",
        "CONNECT is answered with 501 and does not reach the application."),
    must("G3", GATEWAYS, "gateway",
        "The host of an absolute-form target replaces the Host header, and the target's path and query are those of the request."),
    must("G4", GATEWAYS, "gateway",
        "A path with a malformed percent escape, or a target with a byte outside ASCII, is answered with 400."),
    must("G5", GATEWAYS, "gateway",
        "An HTTP/1.1 request without Host, and any request with two or with one that is not a host and port, is answered with 400."),
    must("G6", GATEWAYS, "gateway",
        "A Content-Length that is not a decimal number or contradicts another, and a Transfer-Encoding other than one `chunked`, is answered with 400."),
    must("G7", GATEWAYS, "gateway",
        "A request head over the limit is answered with 431, or 414 if the target alone is too long."),
    must("G8", GATEWAYS, "gateway",
        "100 Continue is sent when the application first reads the input, and never if it does not read or the client speaks HTTP/1.0."),
    must("G9", GATEWAYS, "gateway",
        "Over HTTP a response has one Date, the application's if it set one, and no Server header that neither it nor the deployer asked for."),
    must("G10", GATEWAYS, "gateway",
        "A client can tell an aborted response from a complete one."),
    must("G11", GATEWAYS, "gateway",
        "A blocking call, pull or drop delays no other request, unless the deployer chose to call applications inline."),
];
