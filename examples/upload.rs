//! Uploads: the request body goes to a file block by block, so that memory holds one block of it at a time.
//! `cargo run --example upload`, then open http://127.0.0.1:8000 or `curl -T FILE http://127.0.0.1:8000/`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use vestibule::{Environ, Error, Input, Method, Result, StartResponse, app_fn};

const LIMIT: u64 = 32 * 1024 * 1024;

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>Upload</title>
<input type="file" onchange="fetch('', { method: 'PUT', body: this.files[0] })
    .then(response => response.text()).then(text => { document.getElementById('answer').textContent = text; })">
<p id="answer"></p>
"#;

fn upload(mut environ: Environ, start_response: StartResponse, path: PathBuf) -> Result {
    if environ.method() == Method::GET {
        start_response.start(200, [("content-type", "text/html; charset=utf-8")])?;
        return Ok(PAGE.into());
    }
    if environ.method() != Method::PUT {
        start_response.start(405, [("allow", "GET, PUT"), ("content-type", "text/plain")])?;
        return Ok("GET the page or PUT a file.\n".into());
    }
    // Who says that it is too long need not send it.
    if environ.content_length().is_some_and(|length| length > LIMIT) {
        return Err(too_long());
    }
    let stored = store(environ.input_mut(), File::create_new(&path)?);
    let size = stored.inspect_err(|_| drop(fs::remove_file(&path)))?; // half a file is of no use to anybody
    start_response.start(201, [("content-type", "text/plain")])?;
    Ok(format!("{size} bytes are in {}\n", path.display()).into())
}

/// An input without a length, or a false one, is counted; an input that breaks off is an `Err` of `copy`.
fn store(input: &mut Input, mut file: File) -> Result<u64> {
    match io::copy(&mut input.take(LIMIT + 1), &mut file)? {
        size if size > LIMIT => Err(too_long()),
        size => Ok(size),
    }
}

fn too_long() -> Error {
    Error::with_status(413, format!("an upload may have {LIMIT} bytes"))
}

fn main() -> Result<()> {
    let uploads = AtomicU64::new(0);
    vestibule::run(app_fn(move |environ, start_response| {
        let name = format!("upload-{}-{}", std::process::id(), uploads.fetch_add(1, Ordering::Relaxed));
        upload(environ, start_response, std::env::temp_dir().join(name))
    }))
}
