//! The start of a response, passed on by a lint that wants to know what becomes of it.

use std::sync::Arc;

use super::layer::{Layer, Start};
use super::{Side, head};
use crate::head::Head;
use crate::lifecycle::Record;
use crate::start_response::{Hooks, StartResponse, State};

/// Gives the application a start of its own and passes on, to that of the gateway, what the application does with it.
///
/// A gateway looks at a start only after a call or a pull, so passing it on then is soon enough. One case differs from
/// that without lint: a start that another thread holds is closed together with the body.
pub(super) struct Relay {
    layer: Arc<Layer>,
    inside: Arc<Record>,
    /// `None` once it was passed on.
    outside: Option<StartResponse>,
}

impl Relay {
    /// The relay, and the start for the application.
    pub(super) fn new(layer: &Arc<Layer>, outside: StartResponse) -> (Self, StartResponse) {
        let inside = Record::new(State::Waiting);
        let start_response = StartResponse::new(Arc::clone(&inside));
        let at_commit = Arc::clone(layer);
        let outside = Some(outside.on_head(move |head| at_commit.head(head)));
        (Self { layer: Arc::clone(layer), inside, outside }, start_response)
    }

    /// Whether it is known what became of the start.
    pub(super) fn is_settled(&self) -> bool {
        self.outside.is_none()
    }

    /// Passes on what has become of the start since the last look. True when that was a head.
    pub(super) fn pass_on(&mut self) -> bool {
        let (state, start) = {
            let mut slot = self.inside.slot();
            match slot.state {
                State::Waiting => return false,
                _ => slot.close(),
            }
        };
        let (Some(outside), Some(start)) = (self.outside.take(), start) else { return false };
        let (head, layer) = (start.head, start.layer);
        let outside = hooked(outside, start.hooks).given_to(&layer);
        match state {
            State::Started => {
                self.layer.started(Start::Started);
                // It was checked when it was started; where the gateway wants none any more, nobody is left to be told.
                let _ = outside.send(head);
                true
            }
            State::Failed(fault) => {
                self.layer.started(Start::Refused);
                if let Some((id, message)) = head::fault_of_start(&fault) {
                    self.layer.report(id, Side::Application, message);
                }
                // The same fault is found in it again, which leaves the response unstarted.
                let _ = outside.send(Head::faulty(*fault));
                false
            }
            State::Dropped => {
                drop(outside);
                self.layer.started(Start::Dropped(layer));
                false
            }
            State::Waiting | State::Unused | State::Closed => false,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.pass_on();
        if let Some(outside) = self.outside.take() {
            drop(self.inside.slot().close());
            self.layer.park(outside);
        }
    }
}

/// With the hooks from inside, which run before those that it has.
fn hooked(start_response: StartResponse, hooks: Option<Hooks>) -> StartResponse {
    match hooks {
        Some(hooks) => start_response.on_head(move |head| hooks.run(head)),
        None => start_response,
    }
}
