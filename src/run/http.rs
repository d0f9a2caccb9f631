//! HTTP, for everybody.

use super::Job;
use crate::adapters::http::Server;
use crate::error::Result;

pub(super) fn serve(job: Job) -> Result<()> {
    let mut server: Server = job.bind()?;
    if let Some(prefix) = &job.options.mount {
        server = server.mounted_at(prefix)?;
    }
    job.serve(server)
}
