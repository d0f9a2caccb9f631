//! A response as `http` has it, of what an exchange gives.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, Version};

use super::frames::Frames;
use crate::exchange::CommittedHead;
use crate::head::Head;
use crate::server::Driving;

/// A response on its way to hyper.
pub(super) struct Message {
    pub(super) head: Head,
    frames: Frames,
}

impl Message {
    /// RFC 9112, section 9.6: the last response on a connection says that it is. In HTTP/2 a frame does.
    pub(super) fn close(&mut self) {
        self.head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Makes the responses to a request of this version.
#[derive(Clone, Copy)]
pub(super) struct Messages(pub(super) Version);

impl Messages {
    fn speaks_h2(self) -> bool {
        self.0 == Version::HTTP_2
    }

    #[inline]
    pub(super) fn whole(self, head: CommittedHead, block: Bytes) -> Message {
        Message { head: self.framed(head), frames: Frames::full(block, self.speaks_h2()) }
    }

    #[inline]
    pub(super) fn driven(self, head: CommittedHead, driving: Driving) -> Message {
        let length = if head.has_body() { head.length() } else { Some(0) };
        Message { head: self.framed(head), frames: Frames::steps(driving, length, self.speaks_h2()) }
    }

    /// hyper writes the length that is known; in HTTP/2 not one of 0.
    #[inline]
    fn framed(self, head: CommittedHead) -> Head {
        match self.speaks_h2() && head.length() == Some(0) {
            true => head.into_head_with_length(),
            false => head.into_head(),
        }
    }

    /// An answer that no application gave.
    pub(super) fn plain(self, status: StatusCode) -> Message {
        let (head, text) = Head::plain(status);
        Message { head, frames: Frames::full(text, self.speaks_h2()) }
    }

    /// An answer to what is not served, after which the connection is closed: what follows cannot be trusted.
    pub(super) fn close(self, status: StatusCode) -> Message {
        let mut message = self.plain(status);
        if self.is_http1() {
            message.close();
        }
        message
    }

    pub(super) fn is_http1(self) -> bool {
        self.0 < Version::HTTP_2
    }

    /// The answer when no thread is free and the queue is full (RFC 9110, section 15.6.4).
    pub(super) fn refused(self) -> Message {
        let mut message = self.plain(StatusCode::SERVICE_UNAVAILABLE);
        message.head.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        message
    }

    /// The response, with a body that `wrap` makes of its frames.
    #[inline]
    pub(super) fn response<B>(self, message: Message, wrap: impl FnOnce(Frames) -> B) -> Response<B> {
        let Message { mut head, mut frames } = message;
        if head.status == StatusCode::NOT_MODIFIED && self.is_http1() && head.headers.contains_key(CONTENT_LENGTH) {
            frames.hide_end();
        }
        let mut response = Response::new(wrap(frames));
        if let Some(extensions) = head.take_extensions() {
            *response.extensions_mut() = extensions;
        }
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}
