//! The requests of a connection: which ids are taken, and what may still come for each.

use super::pairs;
use super::{ConnectionError, Event, ParamsError, Refusal, Role};

/// The requests of a connection that have begun and are not over, oldest first.
///
/// A short list, as "the Web server attempts to keep FastCGI request IDs small" (FastCGI 1.0, section 3.3) says nothing
/// of hostile ones. "While a request ID R is inactive, the application ignores records with requestId == R": so every
/// method but `begin` does nothing for an id that is not here.
#[derive(Debug)]
pub(super) struct Requests {
    list: Vec<Request>,
    pub(super) max: usize,
    pub(super) max_params: usize,
}

/// An id is active until its END_REQUEST was written, and the entry stays until nothing more can come for it.
#[derive(Debug)]
struct Request {
    id: u16,
    role: Role,
    phase: Phase,
    is_answered: bool,
}

/// What the web server still has to send.
#[derive(Debug)]
enum Phase {
    /// PARAMS: so much of it came.
    Params(Vec<u8>),
    /// The rest of PARAMS, of which too much came already.
    TooLarge,
    /// STDIN, which is passed on.
    Stdin,
    /// STDIN, which nobody wants any more.
    Unwanted,
    /// Nothing; only an abort is still of interest.
    Complete,
    /// Nothing, and nobody waits for an answer.
    Aborted,
}

impl Requests {
    pub(super) fn new(max: usize, max_params: usize) -> Self {
        Self { list: Vec::new(), max, max_params }
    }

    pub(super) fn begin(&mut self, id: u16, role: u16, keep_conn: bool) -> Result<Event, ConnectionError> {
        if let Some(at) = self.find(id) {
            if !self.list[at].is_answered {
                return Err(ConnectionError::IdInUse(id));
            }
            // The id was inactive since its END_REQUEST, though its STDIN was never ended.
            self.list.remove(at);
        }
        let refused = |refusal| Ok(Event::Refused { id, keep_conn, refusal });
        let role = match role {
            1 => Role::Responder,
            2 => Role::Authorizer,
            other => return refused(Refusal::UnknownRole(other)),
        };
        if self.list.len() >= self.max && !self.forget_an_answered_one() {
            return refused(Refusal::TooManyRequests);
        }
        self.list.push(Request { id, role, phase: Phase::Params(Vec::new()), is_answered: false });
        Ok(Event::Begin { id, role, keep_conn })
    }

    pub(super) fn params(&mut self, id: u16, content: &[u8]) {
        let max = self.max_params;
        let Some(request) = self.get(id) else { return };
        if let Phase::Params(stream) = &mut request.phase {
            if content.len() > max.saturating_sub(stream.len()) {
                request.phase = Phase::TooLarge;
            } else {
                stream.extend_from_slice(content);
            }
        }
    }

    /// Both errors wait until here: "the application must wait to finish reading FCGI_PARAMS before it begins writing"
    /// (FastCGI 1.0, section 6.2).
    pub(super) fn end_of_params(&mut self, id: u16) -> Option<Event> {
        let request = self.get(id)?;
        let params = match &mut request.phase {
            Phase::Params(stream) => pairs::parse(std::mem::take(stream).into()),
            Phase::TooLarge => Err(ParamsError::TooLarge),
            _ => return None,
        };
        request.phase = match (request.role, &params) {
            // Apache does not even send the end of an authorizer's STDIN.
            (Role::Authorizer, _) => Phase::Complete,
            (Role::Responder, Ok(_)) => Phase::Stdin,
            (Role::Responder, Err(_)) => Phase::Unwanted,
        };
        Some(Event::Params { id, params })
    }

    /// A record of STDIN begins. "The application receives its first input, then its second" (FastCGI 1.0, section 6.1):
    /// what comes out of turn spoils the request, as nobody can say what its variables are.
    pub(super) fn turn_of_stdin(&mut self, id: u16) -> Option<Event> {
        let request = self.get(id)?;
        match request.phase {
            Phase::Params(_) | Phase::TooLarge => {
                request.phase = Phase::Unwanted;
                Some(Event::Params { id, params: Err(ParamsError::Malformed) })
            }
            _ => None,
        }
    }

    pub(super) fn wants_stdin(&self, id: u16) -> bool {
        self.find(id).is_some_and(|at| matches!(self.list[at].phase, Phase::Stdin))
    }

    pub(super) fn end_of_stdin(&mut self, id: u16) -> Option<Event> {
        let request = self.get(id)?;
        let was_wanted = matches!(request.phase, Phase::Stdin);
        if was_wanted || matches!(request.phase, Phase::Unwanted) {
            request.phase = Phase::Complete;
            self.forget_if_over(id);
        }
        was_wanted.then_some(Event::StdinEnd { id })
    }

    pub(super) fn abort(&mut self, id: u16) -> Option<Event> {
        let request = self.get(id)?;
        let was_aborted = matches!(request.phase, Phase::Aborted);
        let is_answered = request.is_answered;
        request.phase = Phase::Aborted;
        self.forget_if_over(id);
        (!was_aborted && !is_answered).then_some(Event::Abort { id })
    }

    /// END_REQUEST was written.
    pub(super) fn end(&mut self, id: u16) {
        let Some(request) = self.get(id) else { return };
        request.is_answered = true;
        request.phase = match request.phase {
            Phase::Complete | Phase::Aborted => Phase::Complete,
            // Not even the end of its STDIN need come.
            _ if request.role == Role::Authorizer => Phase::Complete,
            _ => Phase::Unwanted,
        };
        self.forget_if_over(id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The memory that unfinished PARAMS take, in bytes.
    pub(super) fn buffered(&self) -> usize {
        let stream = |request: &Request| match &request.phase {
            Phase::Params(stream) => stream.capacity(),
            _ => 0,
        };
        self.list.iter().map(stream).sum()
    }

    fn find(&self, id: u16) -> Option<usize> {
        self.list.iter().position(|request| request.id == id)
    }

    fn get(&mut self, id: u16) -> Option<&mut Request> {
        self.list.iter_mut().find(|request| request.id == id)
    }

    /// An entry goes only when both sides are done: golang/go#42840 is what a race between the two does.
    fn forget_if_over(&mut self, id: u16) {
        self.list.retain(|request| {
            let is_over = request.is_answered && matches!(request.phase, Phase::Complete | Phase::Aborted);
            request.id != id || !is_over
        });
    }

    /// Makes room: a web server that never ends its STDINs must not fill the list with requests that are answered. What
    /// still comes for a forgotten one is ignored either way.
    fn forget_an_answered_one(&mut self) -> bool {
        let oldest = self.list.iter().position(|request| request.is_answered);
        oldest.map(|at| self.list.remove(at)).is_some()
    }
}
