//! Headers are pairs.
use vestibule::app_fn;

fn main() {
    app_fn(|_environ, start_response| {
        start_response.start(200, "text/plain")?;
        Ok("hello".into())
    });
}
