//! An async function needs `async_fn`.
use vestibule::{App, Environ, Result, StartResponse};

async fn hello(_environ: Environ, start_response: StartResponse) -> Result {
    start_response.start(200, ())?;
    Ok("hello".into())
}

fn main() {
    let _ = App::new(hello);
}
