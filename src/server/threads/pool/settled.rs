//! The wait for a pool that has nothing left to do, of a server that stops.

use std::future::poll_fn;
use std::task::Poll;

use super::Pool;

impl Pool {
    /// Waits until no job is queued or running.
    pub(crate) async fn settled(&self) {
        poll_fn(|cx| {
            let mut state = self.0.shared.state();
            if state.is_settled() {
                return Poll::Ready(());
            }
            state.settled.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
