//! How an application is tested: without a socket, in the file in which it is written.
//! `cargo test --example testing` runs the tests; `cargo run --example testing` serves what they test.

use vestibule::{Environ, Error, Result, StartResponse};

fn double(mut environ: Environ, start_response: StartResponse) -> Result {
    let text = environ.input_mut().read_text(100)?;
    let number: i64 = text.trim().parse().map_err(|error| Error::with_status(400, error))?;
    let doubled = number.checked_mul(2).ok_or("it does not fit")?;
    start_response.start(200, [("content-type", "text/plain")])?;
    Ok(format!("{doubled}\n").into())
}

fn main() -> Result<()> {
    vestibule::run(double)
}

#[cfg(test)]
mod tests {
    use super::double;
    use vestibule::testing::TestServer;

    #[test]
    fn a_number_is_doubled() {
        let response = TestServer::new(double).post("/").body("21").send();
        assert_eq!(response.status(), 200);
        assert_eq!(response.header("content-length"), Some("3"));
        assert_eq!(response.text(), "42\n");
    }

    #[test]
    fn what_the_client_did_wrong_has_its_status() {
        let server = TestServer::new(double);
        for (body, status) in [("tea", 400), ("", 400), (&*"9".repeat(101), 413)] {
            assert_eq!(server.post("/").body(body.to_owned()).send().status(), status, "{body:?}");
        }
    }

    #[test]
    fn what_we_did_wrong_is_in_the_log_and_not_on_the_page() {
        let response = TestServer::new(double).post("/").body(i64::MAX.to_string()).send();
        assert_eq!((response.status().as_u16(), &*response.text()), (500, "500 Internal Server Error\n"));
        assert!(response.errors().contains("it does not fit"), "{}", response.errors());
    }

    #[test]
    fn a_client_that_sends_less_than_it_promised_is_not_answered_with_half_a_number() {
        let response = TestServer::new(double).post("/").body("2").promising(2).send();
        assert_eq!(response.status(), 400);
    }

    #[test]
    fn it_is_the_same_over_http() {
        assert_eq!(TestServer::http(double).post("/").body("21").send().text(), "42\n");
    }
}
