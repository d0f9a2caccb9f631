//! HTTP, for everybody.

use super::Job;
use crate::adapters::http::Server;
use crate::environ::Environ;
use crate::error::Result;

pub(super) fn serve(job: Job) -> Result<()> {
    let mut server: Server = job.bind()?;
    if let Some(prefix) = job.options.mount.clone() {
        server = server.environ(move |environ| mount(&prefix, environ));
    }
    job.serve(server)
}

/// Makes the prefix SCRIPT_NAME. What is not below it has none: the application finds nothing there.
fn mount(prefix: &str, environ: &mut Environ) {
    let path = environ.path_info_bytes().into_owned();
    let below = path.strip_prefix(prefix.as_bytes()).filter(|rest| rest.is_empty() || rest[0] == b'/');
    if let Some(rest) = below {
        // A path that was sent can be sent.
        let _ = environ.set_path(prefix.as_bytes(), rest);
    }
}
