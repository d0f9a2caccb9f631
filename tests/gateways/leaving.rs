//! Clients that leave, web servers that break off, and bodies that are not as long as they say.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use vestibule::{App, Body, End as Ended, Error, app_fn, async_fn};

use crate::client::{Client, End, Request, end_of_stdin, stdin};
use crate::serving::{FASTCGI, Kind, Over, PATIENCE, WAYS, at_once};
use crate::web_server::{KEEP_CONN, RESPONDER, begin, params, record};
use vestibule::wire::fastcgi::RecordType;

struct OnDrop(std::sync::mpsc::Sender<String>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send("dropped".to_owned());
    }
}

/// An async application that never ends, and what becomes of it.
fn waiting() -> (App, Receiver<String>) {
    let (tell, told) = channel();
    let app = async_fn(move |mut environ, start_response| {
        let tell = tell.clone();
        async move {
            let (ended, dropped) = (tell.clone(), OnDrop(tell.clone()));
            environ.on_finished(move |outcome| ended.send(format!("{:?}", outcome.end())).unwrap());
            tell.send("begun".to_owned()).unwrap();
            if environ.path_info() == "/small" {
                start_response.start(200, ())?;
                return Ok("small".into());
            }
            std::future::pending::<()>().await;
            drop(dropped);
            Ok("".into())
        }
    });
    (app, told)
}

fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).unwrap()
}

/// Both, in whatever order, and nothing more.
fn assert_left(told: &Receiver<String>) {
    let mut both = [next(told), next(told)];
    both.sort();
    assert_eq!(both, ["Disconnected", "dropped"]);
    assert!(told.try_recv().is_err());
}

#[test]
fn an_abort_drops_the_future_and_the_end_is_still_told() {
    for way in FASTCGI {
        let (app, told) = waiting();
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        for _ in 0..3 {
            client.send(Request::get("/").kept(1));
            assert_eq!(next(&told), "begun");
            client.send(record(RecordType::AbortRequest, 1, b"", 0));
            let answer = client.answer(1);
            assert_eq!((&*answer.head, answer.end), ("", End::Request(0, 0)));
            assert_left(&told);
        }
        // The id and the connection go on.
        assert_eq!(client.ask(1, &Request::get("/small")).text(), "small");
    }
}

#[test]
fn an_abort_while_the_variables_come_is_answered_by_the_end() {
    for way in FASTCGI {
        let (app, _told) = waiting();
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        let variables = params(Request::get("/").variables());
        for flags in [KEEP_CONN, KEEP_CONN, 0] {
            client.send(begin(1, RESPONDER, flags));
            client.send(record(RecordType::Params, 1, &variables, 0));
            client.send(record(RecordType::AbortRequest, 1, b"", 0));
            assert_eq!(client.answer(1).end, End::Request(0, 0));
            // With another role and flag, so that nothing of the first is left.
            if flags == KEEP_CONN {
                client.send(Request::get("/small").fastcgi_role(1, 2, KEEP_CONN));
                assert_eq!(client.answer(1).text(), "small");
            }
        }
        assert!(client.is_closed(), "without the flag it closes behind END_REQUEST");
    }
}

#[test]
fn an_abort_in_the_middle_of_an_answer_ends_it() {
    for way in FASTCGI {
        let (closed, is_closed) = channel();
        let app = app_fn(move |mut environ, start_response| {
            let closed = closed.clone();
            environ.on_finished(move |outcome| closed.send(outcome.end()).unwrap());
            start_response.start(200, ())?;
            Ok(Body::iter(std::iter::repeat(vec![b'x'; 10_000])))
        });
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        client.send(Request::get("/").kept(1));
        client.record().unwrap();
        client.send(record(RecordType::AbortRequest, 1, b"", 0));
        let answer = client.answer(1);
        assert_eq!((answer.end, is_closed.recv_timeout(PATIENCE).unwrap()), (End::Request(0, 0), Ended::Disconnected));
    }
}

#[test]
fn a_web_server_that_leaves_drops_the_future() {
    at_once(&WAYS, |way| {
        let (app, told) = waiting();
        let serving = serve!(way, app);
        let mut stream = serving.connect();
        stream.write_all(&Request::get("/").bytes(way.0)).unwrap();
        assert_eq!(next(&told), "begun");
        drop(stream);
        assert_left(&told);
    });
}

#[test]
fn a_blocking_application_is_told_that_the_client_has_left() {
    at_once(&WAYS, |way| {
        let (tell, told) = channel();
        let app = app_fn(move |mut environ, start_response| {
            let ended = tell.clone();
            environ.on_finished(move |outcome| ended.send(format!("{:?}", outcome.end())).unwrap());
            tell.send("begun".to_owned()).unwrap();
            let (cancellation, since) = (environ.cancellation(), std::time::Instant::now());
            while !cancellation.is_cancelled() {
                assert!(since.elapsed() < PATIENCE, "nobody told");
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            tell.send("cancelled".to_owned()).unwrap();
            start_response.start(200, ())?;
            Ok("".into())
        });
        let serving = serve!(way, app);
        let mut stream = serving.connect();
        stream.write_all(&Request::get("/").bytes(way.0)).unwrap();
        assert_eq!(next(&told), "begun");
        drop(stream);
        assert_eq!((next(&told), next(&told)), ("cancelled".to_owned(), "Disconnected".to_owned()), "{way:?}");
    });
}

/// Reads what comes, and tells how that ends.
fn reader(blocking: bool) -> (App, Receiver<Result<usize, u16>>) {
    let (tell, told) = channel();
    let app = match blocking {
        true => app_fn(move |mut environ, start_response| {
            let read = environ.input_mut().read_bytes(10_000_000);
            let status = |error: &Error| error.status().map_or(500, |status| status.as_u16());
            tell.send(read.as_ref().map(vestibule::Bytes::len).map_err(status)).unwrap();
            start_response.start(200, ())?;
            Ok(read?.into())
        }),
        false => async_fn(move |mut environ, start_response| {
            let tell = tell.clone();
            async move {
                let read = environ.input_mut().read_bytes_async(10_000_000).await;
                let status = |error: &Error| error.status().map_or(500, |status| status.as_u16());
                tell.send(read.as_ref().map(vestibule::Bytes::len).map_err(status)).unwrap();
                start_response.start(200, ())?;
                Ok(read?.into())
            }
        }),
    };
    (app, told)
}

#[test]
fn a_stdin_that_is_not_as_long_as_its_content_length_is_an_error_and_never_a_short_body() {
    for way in FASTCGI {
        for blocking in [true, false] {
            let (app, told) = reader(blocking);
            let serving = serve!(way, app);
            let mut client = Client::on(serving.connect());
            // Below and above what is read before a blocking application is called.
            for (announced, comes) in [(10, 0), (10, 9), (10, 11), (100_000, 99_999), (100_000, 100_001), (70_000, 1)] {
                let body = vec![b'x'; comes];
                let request = Request::post("/", body).with("CONTENT_LENGTH", announced.to_string());
                let answer = client.ask(1, &request);
                let end = (answer.status(), answer.end);
                assert_eq!(end, (400, End::Request(0, 0)), "{way:?} {blocking}: {comes} of {announced}");
                if let Ok(read) = told.try_recv() {
                    assert_eq!(read, Err(400), "{comes} of {announced}");
                }
            }
            let answer = client.ask(1, &Request::post("/", "tea"));
            assert_eq!((answer.text(), told.recv_timeout(PATIENCE).unwrap()), ("tea".to_owned(), Ok(3)));
        }
    }
}

#[test]
fn a_body_of_unknown_length_ends_where_stdin_does() {
    for way in FASTCGI {
        for blocking in [true, false] {
            let (app, told) = reader(blocking);
            let serving = serve!(way, app);
            let mut client = Client::on(serving.connect());
            for size in [0, 3, 65_536, 200_000] {
                let minus_one = Request::post("/", vec![b'x'; size]).with("CONTENT_LENGTH", "-1");
                let chunked = minus_one.clone().without("CONTENT_LENGTH").with("HTTP_TRANSFER_ENCODING", "chunked");
                for request in [minus_one, chunked] {
                    assert_eq!(client.ask(1, &request).body.len(), size);
                    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ok(size));
                }
            }
        }
    }
}

#[test]
fn a_body_that_nobody_announced_is_thrown_away() {
    for way in FASTCGI {
        let (app, told) = reader(true);
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        for length in [None, Some(""), Some("0")] {
            let request = Request::get("/").bringing("surprise");
            let request = length.map_or(request.clone(), |length| request.with("CONTENT_LENGTH", length));
            assert_eq!(client.ask(1, &request).seen(), (200, String::new()));
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ok(0));
        }
    }
}

#[test]
fn a_web_server_that_leaves_in_the_middle_of_a_body_is_an_error_and_never_a_short_body() {
    for way in WAYS {
        for blocking in [true, false] {
            let (app, told) = reader(blocking);
            let serving = serve!(way, app);
            for (announced, comes) in [(10, 5), (200_000, 150_000)] {
                for halves in [false, true] {
                    let mut stream = serving.connect();
                    let head = Request::post("/", "").with("CONTENT_LENGTH", announced.to_string()).head(way.0);
                    stream.write_all(&head).unwrap();
                    let body = vec![b'x'; comes];
                    let body = if way.0 == Kind::FastCgi { stdin(1, &body) } else { body };
                    stream.write_all(&body).unwrap();
                    // With FastCGI this breaks a record off, too.
                    if way.0 == Kind::FastCgi {
                        stream.write_all(&record(RecordType::Stdin, 1, b"half", 0)[..10]).unwrap();
                    }
                    if halves {
                        stream.end();
                        let _ = stream.rest();
                    }
                    drop(stream);
                    if !blocking || announced > 100_000 {
                        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Err(400), "{way:?} {blocking} {announced}");
                    }
                }
            }
            // A blocking application was not called for the short ones.
            assert_eq!(serving.ask(&Request::post("/", "tea")).text(), "tea");
            assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ok(3));
        }
    }
}

#[test]
fn a_web_server_that_leaves_behind_an_answer_without_a_body_has_had_it_all() {
    for way in FASTCGI {
        let (tell, told) = channel();
        let app = app_fn(move |mut environ, start_response| {
            let tell = tell.clone();
            environ.on_finished(move |outcome| tell.send(format!("{:?}", outcome.end())).unwrap());
            start_response.start(304, ())?;
            // NGINX has left before this is over, if it has the head by then.
            Ok(Body::iter(["nobody reads this"]).on_close(|| std::thread::sleep(Duration::from_millis(20))))
        });
        let serving = serve!(way, app);
        for _ in 0..5 {
            let mut client = Client::on(serving.connect());
            client.send(Request::get("/").bytes(way.0));
            let head = client.record().unwrap().unwrap();
            assert!(head.content.starts_with(b"Status: 304 "), "{way:?} {head:?}");
            drop(client);
            assert_eq!(next(&told), "Complete", "{way:?}");
        }
    }
}

#[test]
fn an_answer_that_fails_cuts_the_connection_and_others_on_it_are_answered_whole() {
    for way in FASTCGI {
        let (tell, told) = channel();
        let app = async_fn(move |mut environ, start_response| {
            let tell = tell.clone();
            async move {
                start_response.start(200, ())?;
                if environ.path_info() == "/fails" {
                    return Ok(Body::try_iter([Ok("some"), Err(Error::from("the kettle is cold"))]));
                }
                tell.send(()).unwrap();
                let body = environ.input_mut().read_bytes_async(1_000_000).await?;
                Ok(Body::iter([body]))
            }
        });
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        // Their bodies come before and behind the failure of another.
        for id in [1, 5] {
            client.send(Request::post("/", "").with("CONTENT_LENGTH", "200000").fastcgi_head(id, KEEP_CONN));
            client.send(stdin(id, &[b'a'; 100_000]));
            told.recv_timeout(PATIENCE).unwrap();
        }
        client.send(Request::get("/fails").kept(3));
        // Its head and block, which tell that it has failed or is about to.
        assert_eq!(client.record().unwrap().unwrap().id, 3);
        for id in [5, 1] {
            client.send(stdin(id, &[b'b'; 100_000]));
            client.send(end_of_stdin(id));
        }
        for id in [1, 5] {
            let answer = client.answer(id);
            assert_eq!((answer.status(), answer.body.len(), answer.end), (200, 200_000, End::Request(0, 0)), "{way:?}");
        }
        // A reset could take the others along.
        assert_eq!(client.answer(3).end, End::Closed, "{way:?}");
    }
}

#[test]
fn behind_an_answer_that_was_cut_a_shared_connection_answers_until_it_has_nothing_to_do() {
    for way in FASTCGI {
        let (open, opened) = tokio::sync::oneshot::channel::<()>();
        let opened = Mutex::new(Some(opened));
        let app = async_fn(move |environ, start_response| {
            let opened = if environ.path_info() == "/long" { opened.lock().unwrap().take() } else { None };
            async move {
                start_response.start(200, ())?;
                if let Some(opened) = opened {
                    let _ = opened.await;
                }
                Ok(match &*environ.path_info() {
                    "/fails" => Body::try_iter([Ok("some"), Err(Error::from("the kettle is cold"))]),
                    path => Body::iter([path.to_owned()]),
                })
            }
        });
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        client.send(Request::get("/long").kept(1));
        client.send(Request::get("/fails").kept(3));
        assert_eq!(client.record().unwrap().unwrap().id, 3);
        // HAProxy knows nothing of the failure, and goes on to use the connection.
        for id in [5, 7, 5] {
            assert_eq!(client.ask(id, &Request::get("/new")).seen(), (200, "/new".to_owned()), "{way:?}");
        }
        // It waits for the one that failed no longer.
        client.send(record(RecordType::AbortRequest, 3, b"", 0));
        assert!(matches!(client.answer(3).end, End::Request(..)), "{way:?}");
        open.send(()).unwrap();
        assert_eq!(client.answer(1).seen(), (200, "/long".to_owned()), "{way:?}");
        assert!(client.is_closed(), "{way:?}");
    }
}

#[test]
fn an_answer_that_the_web_server_does_not_wait_for_is_told_as_disconnected() {
    for way in WAYS {
        let (tell, told) = channel();
        let app = app_fn(move |mut environ, start_response| {
            let tell = tell.clone();
            environ.on_finished(move |outcome| tell.send(outcome.end()).unwrap());
            start_response.start(200, ())?;
            Ok(Body::iter(std::iter::repeat_n(vec![b'x'; 64 * 1024], 1000)))
        });
        let serving = serve!(way, app);
        let mut stream = serving.connect();
        stream.write_all(&Request::get("/").bytes(way.0)).unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0; 1000]).unwrap();
        drop(stream);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ended::Disconnected, "{way:?}");
        assert!(told.try_recv().is_err());
    }
}

#[test]
fn an_answer_whose_last_bytes_nobody_took_is_not_told_as_complete() {
    for way in WAYS.into_iter().filter(|(_, over)| *over == Over::Unix) {
        let (tell, told) = channel();
        let app = app_fn(move |mut environ, start_response| {
            let (tell, closed) = (tell.clone(), tell.clone());
            environ.on_finished(move |outcome| tell.send(format!("{:?}", outcome.end())).unwrap());
            start_response.start(200, ())?;
            // Less than may wait to be written, and more than the kernel takes at once.
            let blocks = std::iter::repeat_n(vec![b'x'; 63_000], 4);
            Ok(Body::iter(blocks.inspect(move |_| closed.send("made".to_owned()).unwrap())))
        });
        let serving = serve!(way, app);
        let mut stream = serving.connect();
        stream.write_all(&Request::get("/").bytes(way.0)).unwrap();
        assert!((0..4).all(|_| next(&told) == "made"));
        // Nothing more is told while the rest is not taken.
        assert!(told.recv_timeout(std::time::Duration::from_millis(200)).is_err());
        drop(stream);
        assert_eq!(next(&told), "Disconnected", "{way:?}");
    }
}

#[test]
fn an_answer_that_was_taken_is_told_as_complete_though_its_end_comes_later() {
    for way in WAYS {
        let (tell, told) = channel();
        let app = async_fn(move |mut environ, start_response| {
            let tell = tell.clone();
            async move {
                environ.on_finished(move |outcome| tell.send(outcome.end()).unwrap());
                start_response.start(200, ())?;
                let blocks = futures::stream::unfold(0, |made| async move {
                    // What was made before has gone out by then.
                    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                    (made < 2).then(|| (Ok("tea"), made + 1))
                });
                Ok(Body::stream(blocks))
            }
        });
        let serving = serve!(way, app);
        assert_eq!(serving.ask(&Request::get("/")).text(), "teatea");
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ended::Complete, "{way:?}");
    }
}
