//! The items of `try_iter` have the crate's error: `.map(|row| Ok(row?))`.
use vestibule::Body;

#[derive(Debug)]
struct DatabaseError;

fn rows() -> Vec<Result<String, DatabaseError>> {
    Vec::new()
}

fn main() {
    let _ = Body::try_iter(rows());
}
