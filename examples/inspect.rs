//! What an application is told: it answers with its own environ. `cargo run --example inspect`, then
//! `curl -d tea 'http://127.0.0.1:8000/a%2Fb/c%20d?page=2'`.

use std::fmt::Write;

use vestibule::{Environ, Result, StartResponse};

fn inspect(mut environ: Environ, start_response: StartResponse) -> Result {
    let body = environ.input_mut().read_bytes(1_000_000)?;
    let mut page = String::new();

    writeln!(page, "The request")?;
    writeln!(page, "  method       {}", environ.method())?;
    writeln!(page, "  url          {}", environ.url())?;
    writeln!(page, "  raw_path     {}", environ.raw_path())?;
    writeln!(page, "  script_name  {:?}", environ.script_name())?;
    writeln!(page, "  path_info    {:?}", environ.path_info())?;
    writeln!(page, "  body         {} bytes", body.len())?;

    writeln!(page, "\nThe headers, as `http` types")?;
    for (name, value) in environ.headers() {
        writeln!(page, "  {name}: {value:?}")?;
    }

    writeln!(page, "\nThe CGI variables, computed from the above")?;
    let mut variables: Vec<_> = environ.vars().collect();
    variables.sort();
    for (name, value) in variables {
        writeln!(page, "  {name} = {:?}", String::from_utf8_lossy(&value))?;
    }

    writeln!(page, "\nThe server")?;
    writeln!(page, "  it calls from many threads    {}", environ.multithread())?;
    writeln!(page, "  it runs in many processes     {}", environ.multiprocess())?;
    writeln!(page, "  it runs for one request only  {}", environ.run_once())?;

    // As text, and taken for nothing else, what the client sent needs no escaping.
    let headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")];
    start_response.start(200, headers)?;
    Ok(page.into())
}

fn main() -> Result<()> {
    vestibule::run(inspect)
}
