//! The application that `run` measures, on vestibule: `server fastcgi|scgi|uwsgi|http SOCKET [pool|inline|async]`.

use std::io::BufRead;

use bytes::Bytes;
use futures::{StreamExt, stream};
use vestibule::adapters::{fastcgi, http, scgi, uwsgi};
use vestibule::{App, Body, Environ, Execution, Result, StartResponse, app_fn, async_fn};

const BLOCK: usize = 64 * 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().unwrap_or_default();
    let (protocol, address, kind) = (next(), format!("unix:{}", next()), next());
    let (app, execution): (App, _) = match &*kind {
        "inline" => (app_fn(answer), Execution::inline()),
        "async" => (async_fn(answer_async), Execution::pool()),
        _ => (app_fn(answer), Execution::pool()),
    };
    match &*protocol {
        "fastcgi" => fastcgi::Server::bind(address)?.execution(execution).run(app),
        "scgi" => scgi::Server::bind(address)?.execution(execution).run(app),
        "uwsgi" => uwsgi::Server::bind(address)?.execution(execution).run(app),
        "http" => http::Server::bind(address)?.execution(execution).run(app),
        _ => Err("usage: server fastcgi|scgi|uwsgi|http SOCKET [pool|inline|async]".into()),
    }
}

fn answer(mut environ: Environ, start_response: StartResponse) -> Result {
    let body = match &*environ.path_info() {
        "/upload" => {
            let mut received = 0;
            loop {
                let length = environ.input_mut().fill_buf()?.len();
                if length == 0 {
                    break;
                }
                environ.input_mut().consume(length);
                received += length;
            }
            received.to_string().into()
        }
        "/stream" => Body::iter(std::iter::repeat_with(block).take(blocks(&environ)?)),
        _ => "Hello, World!".into(),
    };
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok(body)
}

async fn answer_async(mut environ: Environ, start_response: StartResponse) -> Result {
    let body = match &*environ.path_info() {
        "/upload" => {
            let mut received = 0;
            while let Some(block) = environ.input_mut().next().await {
                received += block?.len();
            }
            received.to_string().into()
        }
        "/stream" => Body::stream(stream::iter(std::iter::repeat_with(|| Ok(block())).take(blocks(&environ)?))),
        _ => "Hello, World!".into(),
    };
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok(body)
}

/// How many blocks the query asks for, in bytes.
fn blocks(environ: &Environ) -> Result<usize> {
    Ok(environ.query_string().parse::<usize>()? / BLOCK)
}

fn block() -> Bytes {
    Bytes::from_static(&[b'x'; BLOCK])
}
