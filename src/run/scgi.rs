//! SCGI, for a web server that forwards requests.

use super::Job;
use crate::adapters::scgi::Server;
use crate::error::Result;

pub(super) fn serve(job: Job) -> Result<()> {
    let mut server: Server = job.bind()?;
    if let Some(prefix) = &job.options.mount {
        server = server.mounted_at(prefix)?;
    }
    for network in &job.options.allow_peers {
        server = server.allow_peers(network)?;
    }
    job.serve(server)
}
