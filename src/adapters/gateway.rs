//! What the gateways of CGI's family share: the variables that a web server sends become a request.
//!
//! CGI, FastCGI, SCGI and uwsgi bring the same variables, RFC 3875's and what web servers add, in different frames. A
//! [`Mapping`] makes a request of them, the same whichever brought it, or says why there is none. It is pure: it asks
//! no file, no clock and no socket.
//!
//! - The front end's SCRIPT_NAME and PATH_INFO stand, but for the repairs in [`path`]. REQUEST_URI tells how the path
//!   was encoded where it agrees with them, and nothing else: front ends decide on the path that they send, not on the
//!   one that they got.
//! - `HTTP_*` become headers, so that the rules of the CGI view are those of [`Environ`](crate::Environ). Repeated ones
//!   are kept apart; of other repeated names the last wins, as where a configuration overrides what it includes.
//! - An absent variable and an empty one are the same (RFC 3875, section 4.1), but for PATH_INFO and for `HTTP_*`.
//! - SERVER_NAME, SERVER_PORT, the scheme and the client's address are the front end's; no header changes them.

#[cfg(any(test, feature = "fastcgi", feature = "scgi", feature = "uwsgi"))]
mod mount;
mod path;
mod refusal;
mod request;
mod surroundings;
mod variables;

#[cfg(feature = "cgi")]
pub(crate) use refusal::Refusal;
pub(super) use request::BodyLength;

/// How the variables of a gateway are understood: what its protocol and its deployer say.
///
/// The default is for a protocol that says how long bodies are (SCGI, uwsgi) and a deployer who says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapping {
    /// Where the application is mounted, "" for the root; `None` leaves that to the front end.
    pub(super) mount: Option<String>,
    /// The front end has verified REMOTE_USER and AUTH_TYPE. NGINX and HAProxy send the name of any Basic header.
    pub(super) trust_remote_user: bool,
    /// The front end runs this program as a file of its own (CGI, mod_fcgid). So SCRIPT_NAME is where that is, also
    /// where PATH_INFO is absent; over a socket SCRIPT_NAME without PATH_INFO is mostly the whole path.
    pub(super) is_script: bool,
    /// The variables are those of the process, which has others of its own: CGI.
    pub(super) of_process: bool,
    /// The protocol shows where a body ends, so one may be of unknown length: CGI, FastCGI.
    pub(super) ends_bodies: bool,
    /// A CONTENT_LENGTH of -1 says that the length is unknown, as Caddy has it over FastCGI.
    pub(super) minus_one_is_unknown: bool,
}

#[cfg(test)]
mod tests;
