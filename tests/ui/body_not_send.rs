//! A body may be pulled by another thread than the one that made it.
use std::rc::Rc;

use vestibule::Body;

struct Pages(Rc<Vec<String>>);

impl Iterator for Pages {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0.first().cloned()
    }
}

fn main() {
    let _ = Body::iter(Pages(Rc::default()));
}
