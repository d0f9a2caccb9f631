//! An application is called by many threads at once.
use std::cell::Cell;

use vestibule::app_fn;

fn main() {
    let visits = Cell::new(0);
    app_fn(move |_environ, start_response| {
        visits.set(visits.get() + 1);
        start_response.start(200, ())?;
        Ok(visits.get().to_string().into())
    });
}
