//! CGI, for a web server that has started this program for one request.

use super::Job;
use crate::adapters::cgi;
use crate::error::Result;

pub(super) fn serve(job: Job) -> Result<()> {
    cgi::run(job.app)
}
