//! What the gateways with sockets have in common: where they listen, on how many threads, and what they say.

use super::Job;
use super::sockets::Listening;
use crate::environ::Errors;
use crate::error::{Fault, Result};
use crate::server::{Execution, Protocol, Server};

impl Job {
    /// A server where this job listens, on as many threads as it asks for.
    pub(super) fn bind<P: Protocol>(&self) -> Result<Server<P>> {
        let server = listen(&self.listening)?;
        let threads = self.options.threads;
        Ok(server.execution(threads.map_or_else(Execution::pool, |threads| Execution::pool().max(threads))))
    }

    /// Serves, and says where.
    pub(super) fn serve<P: Protocol>(self, server: Server<P>) -> Result<()> {
        let Self { app, program, options, .. } = self;
        server.check()?;
        let by = if P::SCHEME == "http" { String::new() } else { format!(" by {}", P::SCHEME) };
        Errors::stderr().line(format_args!("{program} is served{by} at {} (Ctrl-C ends it)", server.url()));
        server.logging(!options.quiet).run(app)
    }
}

fn listen<P: Protocol>(listening: &Listening) -> Result<Server<P>> {
    Ok(match listening {
        Listening::At(address) => Server::bind(address)?,
        Listening::Tcp(listener) => Server::from_tcp(listener.try_clone()?),
        Listening::Unix(listener) => Server::from_unix(listener.try_clone()?),
        Listening::Spawned(listening) => listen(listening)?,
        Listening::Nowhere => return Err(Fault::Gateway("there is no address to listen on".to_owned()).into()),
    })
}
