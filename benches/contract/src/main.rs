//! Serves a number of requests in one process, so that callgrind can count what one costs.
//!
//! `contract-bench VARIANT small|big COUNT` answers COUNT requests, checks the responses and
//! prints the heap's share; `contract-bench --list` prints the variants. `contract-bench VARIANT
//! github ROUNDS` asks for each of many routes as often, `--list-routers` prints the variants of
//! that, `--routes` the number of routes. The script `run` beside this package calls it twice under callgrind and takes the
//! difference, so that what happens once a process does not count.

mod allocations;
mod connection;
#[cfg(feature = "ours")]
mod ours;
mod peers;
mod requests;
mod routes;

use std::process::ExitCode;

use connection::Client;
use peers::{axum, header, pass, tower_boxed, tower5, tower10};

/// A name, and what serves the client under it.
type Variant = (&'static str, fn(&mut Client));

const PEERS: &[Variant] = &[
    ("hyper", peers::hyper),
    ("tower0", peers::tower),
    ("tower_pass5", |client| tower5(client, pass)),
    ("tower_pass10", |client| tower10(client, pass)),
    ("tower_header5", |client| tower5(client, header)),
    ("tower_header10", |client| tower10(client, header)),
    ("tower_boxed0", |client| tower_boxed(client, 0, pass)),
    ("tower_boxed_pass5", |client| tower_boxed(client, 5, pass)),
    ("tower_boxed_pass10", |client| tower_boxed(client, 10, pass)),
    ("tower_boxed_header5", |client| tower_boxed(client, 5, header)),
    ("tower_boxed_header10", |client| tower_boxed(client, 10, header)),
    ("axum0", |client| axum(client, 0, pass)),
    ("axum_pass5", |client| axum(client, 5, pass)),
    ("axum_pass10", |client| axum(client, 10, pass)),
    ("axum_header5", |client| axum(client, 5, header)),
    ("axum_header10", |client| axum(client, 10, header)),
];

/// What answers for every path, and what has a route for each.
const ROUTED_PEERS: &[Variant] = &[
    ("hyper", peers::hyper),
    ("axum_unrouted", peers::axum_unrouted),
    ("axum_routed", peers::axum_routed),
    ("axum_params", peers::axum_params),
];

#[cfg(not(feature = "ours"))]
const OURS: &[Variant] = &[];

#[cfg(not(feature = "ours"))]
const ROUTED: &[Variant] = &[];

#[cfg(feature = "ours")]
const ROUTED: &[Variant] = &[
    ("vestibule_unrouted", |client| ours::vestibule(client, 0, ours::pass)),
    ("vestibule_routed", ours::routed),
    ("vestibule_params", ours::params),
];

#[cfg(feature = "ours")]
const OURS: &[Variant] = &[
    ("vestibule0", |client| ours::vestibule(client, 0, ours::pass)),
    ("vestibule_adapter", |client| ours::adapter(client)),
    ("vestibule_pass5", |client| ours::vestibule(client, 5, ours::pass)),
    ("vestibule_pass10", |client| ours::vestibule(client, 10, ours::pass)),
    ("vestibule_header5", |client| ours::vestibule(client, 5, ours::header)),
    ("vestibule_header10", |client| ours::vestibule(client, 10, ours::header)),
    ("vestibule_in_tower", ours::into_tower),
    ("vestibule_in_axum", ours::in_axum),
    ("tower_in_vestibule", ours::from_tower),
    ("axum_in_vestibule", ours::from_axum),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if arguments == ["--routes"] {
        println!("{}", routes::PATTERNS.len());
        return ExitCode::SUCCESS;
    }
    let list = match arguments[..] {
        ["--list"] => Some([PEERS, OURS]),
        ["--list-routers"] => Some([ROUTED_PEERS, ROUTED]),
        _ => None,
    };
    if let Some(list) = list {
        for (name, _) in list.concat() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("contract-bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let &[name, size, count] = arguments else {
        return Err("usage: contract-bench VARIANT small|big|github COUNT, or --list, or --list-routers".into());
    };
    let (name, serve) =
        variants().find(|(known, _)| *known == name).ok_or_else(|| format!("no variant {name}; see --list"))?;
    let count: usize = count.parse().map_err(|e| format!("{count}: {e}"))?;
    let (requests, count) = match size {
        "small" => (requests::small(), count),
        "big" => (requests::big(), count),
        "github" => (routes::requests(), count * routes::PATTERNS.len()),
        _ => return Err(format!("{size} is neither small nor big nor github")),
    };

    let mut client = Client::new(requests, count);
    let before = allocations::taken();
    serve(&mut client);
    let after = allocations::taken();
    if let Some(complaint) = client.complaint(name.contains("header")) {
        return Err(format!("{name}: {complaint}"));
    }
    println!("allocations={} bytes={}", after.calls - before.calls, after.bytes - before.bytes);
    Ok(())
}

fn variants() -> impl Iterator<Item = &'static Variant> {
    PEERS.iter().chain(OURS).chain(ROUTED_PEERS).chain(ROUTED)
}
