//! The user of a request, for those who are told of its end.

use std::sync::Arc;

use super::Environ;

impl Environ {
    /// Notes who has been authenticated, so that the outcome tells it whatever becomes of the response.
    pub(crate) fn introduce(&self, user: &Arc<str>) {
        if let Some(record) = &self.0.record {
            record.introduce(user);
        }
    }
}
