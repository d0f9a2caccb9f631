//! A client that loads a server of FastCGI, SCGI, uwsgi or HTTP/1.1 on a unix socket, and checks every response:
//!
//! ```text
//! gwload PROTOCOL SOCKET [--connections N] [--seconds D] [--requests R] [--in-flight M] [--post BYTES | --download BYTES] [--idle]
//! ```
//!
//! PROTOCOL is `fastcgi` (connections are kept, with M requests in flight on each), `fastcgi-close` (one request for each
//! connection), `scgi`, `uwsgi` or `http`. Each request has 27 variables, among them the headers of a browser. By default
//! the response is `Hello, World!`; BYTES are posted to /upload, which answers with their number, or asked of /stream.
//! With `--idle` the connections have had a request each and stay until standard input ends.
//!
//! It prints one line of JSON, and fails when a response was not right.

mod answer;
mod drive;
mod request;
mod tally;

use std::io::{Read, Write};
use std::rc::Rc;

use answer::Expected;
use request::{Protocol, Work};
use tally::Tally;

/// What is asked for.
struct Plan {
    protocol: Protocol,
    socket: String,
    connections: usize,
    seconds: f64,
    requests: usize,
    in_flight: u16,
    work: Work,
    expected: Expected,
    idle: bool,
}

fn main() -> std::io::Result<()> {
    let plan = Rc::new(plan().unwrap_or_else(|problem| {
        eprintln!("gwload: {problem}");
        std::process::exit(2)
    }));
    let tally = Rc::new(Tally::new(plan.seconds, plan.requests));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(drive::run(&plan, &tally));
    println!("{}", tally.json());
    std::io::stdout().flush()?;
    if plan.idle {
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    std::process::exit(i32::from(tally.has_errors()))
}

fn plan() -> Result<Plan, String> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
    let mut plan = Plan {
        protocol: Protocol::named(&next("PROTOCOL")?)?,
        socket: next("SOCKET")?,
        connections: 1,
        seconds: 1.0,
        requests: usize::MAX,
        in_flight: 1,
        work: Work::Hello,
        expected: Expected::Hello,
        idle: false,
    };
    while let Ok(flag) = next("a flag") {
        match &*flag {
            "--connections" => plan.connections = number(&flag, &next(&flag)?)?,
            "--seconds" => plan.seconds = number(&flag, &next(&flag)?)?,
            "--requests" => plan.requests = number(&flag, &next(&flag)?)?,
            "--in-flight" => plan.in_flight = number(&flag, &next(&flag)?)?,
            "--post" => plan.work = Work::Post(number(&flag, &next(&flag)?)?),
            "--download" => plan.work = Work::Download(number(&flag, &next(&flag)?)?),
            "--idle" => plan.idle = true,
            _ => return Err(format!("{flag} is not known")),
        }
    }
    if plan.idle {
        plan.requests = plan.connections;
    }
    plan.expected = match plan.work {
        Work::Hello => Expected::Hello,
        Work::Post(length) => Expected::Number(length.to_string()),
        Work::Download(length) => Expected::Stream(length),
    };
    Ok(plan)
}

fn number<N: std::str::FromStr>(flag: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{flag} {text} is no number"))
}
