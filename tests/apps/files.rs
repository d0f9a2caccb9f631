//! `files`: what is served beneath a directory, and what never is.

#[path = "files/conditions.rs"]
mod conditions;
#[path = "files/paths.rs"]
mod paths;
#[path = "files/place.rs"]
mod place;
#[path = "files/precompressed.rs"]
mod precompressed;
#[path = "files/ranges.rs"]
mod ranges;
#[path = "files/served.rs"]
mod served;
