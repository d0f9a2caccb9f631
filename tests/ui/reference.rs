//! An application is given by value, as an `Arc` or as an `App`.
use vestibule::testing::TestServer;
use vestibule::{Application, Environ, Result, StartResponse};

struct Shop;

impl Application for Shop {
    fn call(&self, _environ: Environ, start_response: StartResponse) -> Result {
        start_response.start(200, ())?;
        Ok("hello".into())
    }
}

fn main() {
    let shop = Shop;
    TestServer::new(&shop);
}
