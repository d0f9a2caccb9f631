//! The application of the conformance suite behind a front end: one constructor for each protocol.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use vestibule::Result;
use vestibule::adapters::{fastcgi, http, scgi, uwsgi};
use vestibule::testing::conformance;

use crate::place::Place;
use crate::{authorizer, program};

/// Makes the application that a front end finds at the place, mounted at a prefix.
pub(crate) type Start = fn(&Place, &'static str) -> Backend;

/// A server of the suite's application on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Backend {
    address: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
    /// Another one beside it.
    beside: Option<Box<Self>>,
}

impl Backend {
    /// HTTP on the socket.
    pub(crate) fn http(place: &Place, mount: &'static str) -> Self {
        let address = format!("unix:{}", place.socket().display());
        let server = http::Server::bind(address).and_then(|server| server.unix_mode(0o666));
        Self::of_http(server.expect("the socket is new"), mount)
    }

    /// HTTP, also HTTP/2 in clear text, on a port.
    pub(crate) fn http_on_a_port(_: &Place, mount: &'static str) -> Self {
        Self::of_http(http::Server::bind("127.0.0.1:0").expect("there is a port"), mount)
    }

    /// FastCGI on the socket.
    pub(crate) fn fastcgi(place: &Place, mount: &'static str) -> Self {
        let server = fastcgi::Server::bind(socket(place)).and_then(|server| server.unix_mode(0o666));
        Self::forwarded(server, mount)
    }

    /// FastCGI on the socket, to an authorizer that lets every request through, and on a second one, to the suite's
    /// application, which answers no other requests.
    pub(crate) fn behind_an_authorizer(place: &Place, mount: &'static str) -> Self {
        let gate = fastcgi::Server::bind(socket(place)).and_then(|server| server.unix_mode(0o666));
        let gate = gate.expect("the socket is new");
        let server = fastcgi::Server::bind(format!("unix:{}", place.second_socket().display()));
        let server = server.and_then(|server| server.unix_mode(0o666)?.mounted_at(mount)).expect("the socket is new");
        let app = conformance::application().wrap(authorizer::behind_the_gate);
        let beside = Self::serve(None, move |stop| server.run_until(app, stop));
        let mut gate = Self::serve(None, move |stop| gate.run_until(authorizer::gate(), stop));
        gate.beside = Some(Box::new(beside));
        gate
    }

    /// FastCGI on a port.
    pub(crate) fn fastcgi_on_a_port(_: &Place, mount: &'static str) -> Self {
        Self::forwarded(fastcgi::Server::bind("127.0.0.1:0"), mount)
    }

    /// SCGI on the socket.
    pub(crate) fn scgi(place: &Place, mount: &'static str) -> Self {
        let server = scgi::Server::bind(socket(place)).and_then(|server| server.unix_mode(0o666));
        let server = server.and_then(|server| server.mounted_at(mount)).expect("the socket is new");
        Self::serve(None, move |stop| server.run_until(conformance::application(), stop))
    }

    /// uwsgi on the socket.
    pub(crate) fn uwsgi(place: &Place, mount: &'static str) -> Self {
        let server = uwsgi::Server::bind(socket(place)).and_then(|server| server.unix_mode(0o666));
        let server = server.and_then(|server| server.mounted_at(mount)).expect("the socket is new");
        Self::serve(None, move |stop| server.run_until(conformance::application(), stop))
    }

    fn forwarded(server: Result<fastcgi::Server>, mount: &'static str) -> Self {
        let server = server.and_then(|server| server.mounted_at(mount)).expect("it can listen there");
        Self::serve(server.local_addr(), move |stop| server.run_until(conformance::application(), stop))
    }

    /// The suite's own example, which the front end starts: by CGI, and as `app.fcgi` with a socket for standard input.
    pub(crate) fn program(place: &Place, _mount: &'static str) -> Self {
        for name in ["app.cgi", "app.fcgi"] {
            place.put_program(name, &program::path("conformance"));
        }
        Self { address: None, stop: None, thread: None, beside: None }
    }

    fn of_http(server: http::Server, mount: &'static str) -> Self {
        let server = server.mounted_at(mount).expect("it is one");
        Self::serve(server.local_addr(), move |stop| server.run_until(conformance::application(), stop))
    }

    /// A server that runs until it is told to stop; an address for one on a port.
    pub(crate) fn serve(
        address: Option<SocketAddr>,
        run: impl FnOnce(BoxFuture<'static, ()>) -> Result<()> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || run(stopped.map(|_| ()).boxed()));
        Self { address, stop: Some(stop), thread: Some(thread), beside: None }
    }

    /// The port that stands for `127.0.0.1:8000` in the configurations.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.stop.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => eprintln!("the application's server has panicked"),
            Some(Ok(Err(error))) => eprintln!("the application's server has failed: {error}"),
            _ => {}
        }
    }
}

fn socket(place: &Place) -> String {
    format!("unix:{}", place.socket().display())
}
