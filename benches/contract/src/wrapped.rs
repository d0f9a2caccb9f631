//! What middleware adds to a request: a program of its own, so that neither table changes how the other is compiled.
//!
//! `middleware-bench VARIANT REQUEST COUNT` answers COUNT requests, checks the responses and prints
//! the heap's share. `middleware-bench --list` prints the rows: the name, the request, what is bare,
//! and who has the middleware. The variants are `vestibule_` or `tower_` and the name of a row, or
//! of what is bare.

mod allocations;
mod connection;
mod expected;
mod gateway;
mod hello;
mod middleware;
mod rows;
mod serving;
mod tower_http;

use std::process::ExitCode;

use serving::{Variant, serve};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("middleware-bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), String> {
    match *arguments {
        ["--list"] => {
            list();
            Ok(())
        }
        [name, request, count] => {
            let &variant =
                variants().find(|(known, _)| *known == name).ok_or_else(|| format!("no variant {name}; see --list"))?;
            let requests = rows::request(request).ok_or_else(|| format!("no request {request}"))?;
            let expected = rows::expected(name, request).ok_or_else(|| format!("{name} has another request"))?;
            serve(variant, requests, count.parse().map_err(|e| format!("{count}: {e}"))?, expected)
        }
        _ => Err("usage: middleware-bench VARIANT REQUEST COUNT, or --list".into()),
    }
}

fn list() {
    for row in rows::ROWS {
        let has = |who: &&str| variants().any(|(name, _)| name.split_once('_') == Some((who, row.name)));
        let who: Vec<&str> = ["vestibule", "tower"].into_iter().filter(has).collect();
        println!("{} {} {} {}", row.name, row.request, row.bare, who.join(" "));
    }
}

fn variants() -> impl Iterator<Item = &'static Variant> {
    middleware::VARIANTS.iter().chain(tower_http::VARIANTS)
}
