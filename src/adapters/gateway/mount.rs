//! The mount point of an application behind a socket; over CGI its place is that of the program.

use super::Mapping;
use crate::adapters::mount;
use crate::error::Result;

impl Mapping {
    /// Sets where the application is mounted: a prefix such as `/app`, decoded; "" or `/` is the root.
    ///
    /// # Errors
    ///
    /// For what is no such prefix.
    pub(in crate::adapters) fn set_mount(&mut self, prefix: &str) -> Result<()> {
        self.mount = Some(mount::point(prefix)?);
        Ok(())
    }
}
