//! Serves a number of requests, checks the responses and prints the heap's share.

use crate::allocations;
use crate::connection::Client;
use crate::expected::Expected;

/// A name, and what serves the client under it.
pub type Variant = (&'static str, fn(&mut Client));

/// Lets a variant answer `count` requests.
pub fn serve(
    (name, serve): Variant,
    requests: &'static [Vec<u8>],
    count: usize,
    expected: Expected,
) -> Result<(), String> {
    let mut client = Client::new(requests, count);
    let before = allocations::taken();
    serve(&mut client);
    let after = allocations::taken();
    if let Some(complaint) = client.complaint(&expected) {
        return Err(format!("{name}: {complaint}"));
    }
    println!("allocations={} bytes={}", after.calls - before.calls, after.bytes - before.bytes);
    Ok(())
}
