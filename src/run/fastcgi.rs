//! FastCGI, for a web server that forwards requests.

use super::Job;
use super::sockets::Listening;
use crate::adapters::fastcgi::Server;
use crate::error::Result;

pub(super) fn serve(job: Job) -> Result<()> {
    let mut server: Server = job.bind()?;
    if let Some(prefix) = &job.options.mount {
        server = server.mounted_at(prefix)?;
    }
    for network in &job.options.allow_peers {
        server = server.allow_peers(network)?;
    }
    if let Some(addresses) = web_servers() {
        server = server.web_server_addrs(&addresses)?;
    }
    if matches!(job.listening, Listening::Spawned(_)) {
        server = server.script(true);
    }
    job.serve(server)
}

/// The addresses that the environment names: FastCGI 1.0, section 3.2. An empty list is none, as libfcgi has it.
fn web_servers() -> Option<String> {
    let addresses = std::env::var_os("FCGI_WEB_SERVER_ADDRS")?;
    (!addresses.is_empty()).then(|| addresses.to_string_lossy().into_owned())
}
