//! A body is made of bytes, not of a list of strings: that is `Body::iter`.
use vestibule::app_fn;

fn main() {
    app_fn(|_environ, start_response| {
        start_response.start(200, ())?;
        Ok(vec!["one", "two"].into())
    });
}
