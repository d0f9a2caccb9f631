//! CGI: one process for each request, as any web server can start it.
//!
//! [`run`](crate::run) does this by itself where a web server has started the program. The application is called once, on
//! the only thread; what it gives goes out as it comes. A tokio runtime is there for what is async in it.

mod input;
mod output;

use std::env;
use std::os::unix::ffi::OsStringExt;

use tokio::runtime::{Builder, Runtime};

use super::gateway::{Mapping, Refusal};
use crate::application::{App, Application};
use crate::environ::{Environ, Errors};
use crate::error::{Fault, Result};
use crate::exchange::{Exchange, Step};
use crate::head::Head;
use crate::server::Limits;
use crate::waiting;
use crate::wire::Params;
use input::Stdin;
use output::Output;

/// Answers the request that this process was started for: RFC 3875.
///
/// The variables are those of the process, the body is standard input, the answer goes to standard output, errors to
/// standard error, which web servers log. A client that leaves is noticed when something is written, and ends the
/// process quietly.
///
/// # Errors
///
/// When no web server has started the process, or the runtime cannot be started. What goes wrong with the request is
/// answered.
///
/// ```no_run
/// use vestibule::{adapters::cgi, app_fn};
///
/// fn main() -> vestibule::Result<()> {
///     cgi::run(app_fn(|environ, start_response| {
///         start_response.start(200, [("content-type", "text/plain")])?;
///         Ok(format!("hello from {}\n", environ.script_name()).into())
///     }))
/// }
/// ```
pub fn run(application: impl Application) -> Result<()> {
    let app = App::new(application);
    let params: Params = env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    if params.get("REQUEST_METHOD").is_none_or(<[u8]>::is_empty) {
        let text = "CGI: there is no REQUEST_METHOD: a web server starts this program for a request";
        return Err(Fault::Gateway(text.to_owned()).into());
    }
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let output = Output::new();
    match environ(&params) {
        Ok((environ, stdin)) => {
            if serve(&app, environ, output) {
                stdin.drain();
            }
        }
        Err(refusal) => {
            Errors::stderr().line(format_args!("vestibule: {refusal}"));
            let ((head, text), mut output) = (Head::plain(refusal.status), output);
            // RFC 3875, section 4.3.3.
            let text = if params.get("REQUEST_METHOD") == Some(b"HEAD") { &[][..] } else { &text };
            // Nobody is left to hear of a failure.
            if output.head(&head).and_then(|()| output.block(text)).is_ok() {
                Stdin::of_refused(&params).drain();
            }
        }
    }
    // What the application has left behind does not keep the process.
    runtime.shutdown_background();
    Ok(())
}

/// Its thread does what is async; the application has the one that the process began with.
fn runtime() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).thread_name("vestibule-io").enable_all().build();
    Ok(runtime.map_err(|error| Fault::Gateway(format!("cannot start a runtime: {error}")))?)
}

fn environ(params: &Params) -> Result<(Environ, Stdin), Refusal> {
    let mapping = Mapping { is_script: true, of_process: true, ends_bodies: true, ..Mapping::default() };
    let request = mapping.request(params, &Limits::default())?;
    let (stdin, input) = Stdin::of(request.body);
    let mut environ = request.into_environ(input);
    environ.set_concurrency(false, true, true);
    Ok((environ, stdin))
}

/// Answers; false where the client has left.
fn serve(app: &App, environ: Environ, mut output: Output) -> bool {
    let mut exchange = Exchange::new(app, environ);
    let mut is_delivered = true;
    loop {
        let cure = "CGI has one thread, which waits for itself: poll what it waits for, or wait on another thread";
        let step = waiting::wait(cure, |cx| exchange.poll_step(cx, true));
        let written = match step {
            Ok(Step::Head(head)) => output.head(&head.into_head_with_length()),
            Ok(Step::Block(block)) => output.block(&block),
            // CGI has no place for them.
            Ok(Step::Trailers(_)) => Ok(()),
            Ok(Step::End) => break,
            _ => {
                is_delivered = false;
                break;
            }
        };
        if written.is_err() {
            // The client has left.
            is_delivered = false;
            break;
        }
    }
    is_delivered &= output.flush().is_ok();
    exchange.finish(is_delivered);
    is_delivered
}
