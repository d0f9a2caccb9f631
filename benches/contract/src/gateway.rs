//! An application behind hyper, by the contract and the exchange alone.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use vestibule::{App, Environ, Exchange, Result, StartResponse, Step};

use crate::hello::TEXT;

pub fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, [(CONTENT_TYPE, TEXT)])?;
    Ok("Hello, World!".into())
}

/// The contract and the exchange alone, as the author of another adapter puts them behind hyper.
pub struct Gateway(pub App);

impl hyper::service::Service<Request<Incoming>> for Gateway {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut context = Context::from_waker(Waker::noop());
        let mut exchange = Exchange::new(&self.0, Environ::from(request.map(drop)));
        // As a reactor calls those that do not block.
        let may_block = self.0.may_block();
        let Poll::Ready(Step::Head(head)) = exchange.poll_step(&mut context, may_block) else {
            unreachable!("it is ready")
        };
        let block = exchange.take_last_block().unwrap_or_else(|| match exchange.poll_step(&mut context, may_block) {
            // Where somebody waits to hear of the end, the exchange does not end before a block is taken.
            Poll::Ready(Step::Block(block)) => block,
            _ => unreachable!("it is one block"),
        });
        exchange.finish(true);
        let head = head.into_head();
        let mut response = Response::new(Full::new(block));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        ready(Ok(response))
    }
}
