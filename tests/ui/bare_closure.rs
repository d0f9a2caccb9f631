//! A closure needs `app_fn`, which gives it its signature.
use vestibule::testing::TestServer;

fn main() {
    TestServer::new(|_environ, start_response| {
        start_response.start(200, ())?;
        Ok("hello".into())
    });
}
