//! The connections.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::LocalSet;

use crate::Plan;
use crate::answer::Answer;
use crate::request::{Protocol, Request};
use crate::tally::Tally;

/// How much is read at once.
const READ: usize = 256 * 1024;
/// How long a response may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(plan: &Rc<Plan>, tally: &Rc<Tally>) {
    let (tasks, is_idle) = (LocalSet::new(), plan.idle);
    for _ in 0..plan.connections {
        let (plan, tally) = (Rc::clone(plan), Rc::clone(tally));
        let task = tasks.spawn_local(async move { connect_again_and_again(&plan, &tally).await });
        // What each costs while it is idle, and not what all of them cost at once.
        if is_idle {
            let _ = tasks.run_until(task).await;
        }
    }
    tasks.await;
}

async fn connect_again_and_again(plan: &Plan, tally: &Tally) {
    let mut connection = Connection::new(plan, tally);
    while let Some(began) = tally.begin() {
        match connection.serve(began).await {
            Ok(stream) if plan.idle => {
                std::mem::forget(stream.into_std());
                return;
            }
            Ok(_) => {}
            Err(error) => {
                tally.fail(&error.to_string());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// One connection after the other, and what is used again for each.
struct Connection<'a> {
    plan: &'a Plan,
    tally: &'a Tally,
    /// By their ids, from 1.
    requests: Vec<Request>,
    answers: Vec<Answer>,
    began: Vec<Instant>,
    input: Vec<u8>,
    /// How much of the input is there.
    filled: usize,
}

impl<'a> Connection<'a> {
    fn new(plan: &'a Plan, tally: &'a Tally) -> Self {
        let is_kept = plan.protocol == Protocol::FastCgi { keeps: true };
        let ids = 1..=if is_kept { plan.in_flight.max(1) } else { 1 };
        // What stays is small, what streams is read in large pieces.
        let room = if plan.idle { 4096 } else { READ };
        Self {
            plan,
            tally,
            requests: ids.clone().map(|id| Request::new(plan.protocol, plan.work, id)).collect(),
            answers: ids.clone().map(|_| Answer::default()).collect(),
            began: ids.map(|_| Instant::now()).collect(),
            input: vec![0; room],
            filled: 0,
        }
    }

    /// Connects, and sends requests as long as the connection may stay.
    async fn serve(&mut self, began: Instant) -> io::Result<UnixStream> {
        self.filled = 0;
        self.answers.iter_mut().for_each(Answer::clear);
        let mut stream = UnixStream::connect(&self.plan.socket).await?;
        match self.plan.protocol {
            Protocol::FastCgi { keeps } => self.fastcgi(&mut stream, began, keeps).await?,
            Protocol::Http => self.http(&mut stream, began).await?,
            Protocol::Scgi | Protocol::Uwsgi => self.until_end(&mut stream, began).await?,
        }
        Ok(stream)
    }

    async fn fastcgi(&mut self, stream: &mut UnixStream, began: Instant, keeps: bool) -> io::Result<()> {
        // Those to be sent next, as their places.
        let mut next: Vec<usize> = vec![0];
        (self.began[0], self.filled) = (began, 0);
        for at in 1..self.requests.len() {
            let Some(now) = self.tally.begin() else { break };
            self.began[at] = now;
            next.push(at);
        }
        let (mut running, mut together) = (next.len(), Vec::new());
        while running > 0 {
            together.clear();
            for at in next.drain(..) {
                match self.requests[at].whole() {
                    Some(request) => together.extend_from_slice(request),
                    None => self.requests[at].write(stream).await?,
                }
            }
            if !together.is_empty() {
                stream.write_all(&together).await?;
            }
            if self.read(stream).await? == 0 {
                return Err(ended());
            }
            let mut from = 0;
            while let Some((code, id, content, length)) = record(&self.input[from..self.filled]) {
                from += length;
                let at = usize::from(id).wrapping_sub(1);
                let Some(answer) = self.answers.get_mut(at) else { return Err(malformed("an id is not known")) };
                match code {
                    6 => drop(answer.take(content, &self.plan.expected)),
                    // END_REQUEST, which says that it was completed.
                    3 => {
                        let is_complete = content.get(..5) == Some(&[0; 5]);
                        self.tally.count(self.began[at], is_complete && answer.is_right(&self.plan.expected));
                        answer.clear();
                        match keeps.then(|| self.tally.begin()).flatten().filter(|_| !self.plan.idle) {
                            Some(now) => {
                                self.began[at] = now;
                                next.push(at);
                            }
                            None => running -= 1,
                        }
                    }
                    // Some end the stream for the log, though nothing was written to it.
                    7 if content.is_empty() => {}
                    _ => return Err(malformed("a record that was not expected")),
                }
            }
            self.input.copy_within(from..self.filled, 0);
            self.filled -= from;
        }
        if !keeps && self.read(stream).await? != 0 {
            return Err(malformed("something came behind the end"));
        }
        Ok(())
    }

    async fn http(&mut self, stream: &mut UnixStream, mut began: Instant) -> io::Result<()> {
        loop {
            self.requests[0].write(stream).await?;
            loop {
                self.filled = 0;
                if self.read(stream).await? == 0 {
                    return Err(ended());
                }
                if self.answers[0].take(&self.input[..self.filled], &self.plan.expected) {
                    break;
                }
            }
            self.tally.count(began, self.answers[0].is_right(&self.plan.expected));
            self.answers[0].clear();
            match Some(()).filter(|()| !self.plan.idle).and_then(|()| self.tally.begin()) {
                Some(now) => began = now,
                None => return Ok(()),
            }
        }
    }

    async fn until_end(&mut self, stream: &mut UnixStream, began: Instant) -> io::Result<()> {
        self.requests[0].write(stream).await?;
        loop {
            self.filled = 0;
            if self.read(stream).await? == 0 {
                self.tally.count(began, self.answers[0].is_right(&self.plan.expected));
                return Ok(());
            }
            self.answers[0].take(&self.input[..self.filled], &self.plan.expected);
        }
    }

    async fn read(&mut self, stream: &mut UnixStream) -> io::Result<usize> {
        let read = stream.read(&mut self.input[self.filled..]);
        let count = match self.plan.requests {
            // A timer for each read would cost what is to be measured: the whole run has one.
            usize::MAX if !self.plan.idle => read.await?,
            _ => tokio::time::timeout(PATIENCE, read).await??,
        };
        self.filled += count;
        Ok(count)
    }
}

/// The first record, if it is there: its type, its id, its content, and how long it is in all.
fn record(bytes: &[u8]) -> Option<(u8, u16, &[u8], usize)> {
    let &[_, code, id1, id0, length1, length0, padding, _] = bytes.first_chunk()?;
    let end = 8 + usize::from(u16::from_be_bytes([length1, length0]));
    let whole = end + usize::from(padding);
    (bytes.len() >= whole).then(|| (code, u16::from_be_bytes([id1, id0]), &bytes[8..end], whole))
}

fn ended() -> io::Error {
    malformed("the connection ended before the response")
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
