//! Stopping servers behind a web server: nothing that they have accepted is lost.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use vestibule::{App, End as Ended, app_fn};

use crate::client::{Answer, Client, End, Request, stdin, whole};
use crate::serving::{FASTCGI, Kind, PATIENCE, Place, WAYS};
use crate::web_server::KEEP_CONN;

/// An application that says that it runs, and runs until it is let go.
fn gated() -> (App, Arc<Mutex<()>>, mpsc::Receiver<()>) {
    let gate = Arc::new(Mutex::new(()));
    let (began, has_begun) = mpsc::channel();
    let kept = Arc::clone(&gate);
    let app = app_fn(move |_, start_response| {
        began.send(()).unwrap();
        drop(kept.lock());
        start_response.start(200, ())?;
        Ok("done".into())
    });
    (app, gate, has_begun)
}

fn is_closed(place: &Place) -> bool {
    match place.connect() {
        // On the way to its end a queue may still take it.
        Ok(mut stream) => matches!(stream.read(&mut [0]), Ok(0) | Err(_)),
        Err(_) => true,
    }
}

#[test]
fn what_runs_is_finished_though_the_address_is_closed() {
    for way in WAYS {
        let (app, gate, has_begun) = gated();
        let mut serving = serve!(way, app);
        let held = gate.lock().unwrap();
        let mut stream = serving.connect();
        match way.0 {
            // A kept connection is closed, too, when nothing runs on it.
            Kind::FastCgi => stream.write_all(&Request::get("/").kept(1)).unwrap(),
            kind => stream.write_all(&Request::get("/").bytes(kind)).unwrap(),
        }
        has_begun.recv_timeout(PATIENCE).unwrap();
        serving.handle.shutdown();
        while !is_closed(&serving.place) {}
        drop(held);
        let answer = Answer::read(way.0, stream);
        assert_eq!((answer.text(), answer.end), ("done".to_owned(), whole(way.0)), "{way:?}");
        serving.join();
    }
}

#[test]
fn an_upload_that_is_under_way_is_taken_to_its_end() {
    for way in WAYS {
        let app = app_fn(|mut environ, start_response| {
            let body = environ.input_mut().read_bytes(1_000_000)?;
            start_response.start(200, ())?;
            Ok(body.into())
        });
        let mut serving = serve!(way, app);
        let mut stream = serving.connect();
        let request = Request::post("/", "").with("CONTENT_LENGTH", "200000");
        let part = match way.0 {
            Kind::FastCgi => stdin(1, &[b'x'; 100_000]),
            _ => vec![b'x'; 100_000],
        };
        stream.write_all(&request.head(way.0)).unwrap();
        stream.write_all(&part).unwrap();
        // It was read when a later one is answered.
        assert_eq!(serving.ask(&Request::get("/")).status(), 200);
        serving.handle.shutdown();
        while !is_closed(&serving.place) {}
        stream.write_all(&part).unwrap();
        if way.0 == Kind::FastCgi {
            stream.write_all(&crate::client::end_of_stdin(1)).unwrap();
        }
        let answer = Answer::read(way.0, stream);
        assert_eq!((answer.body.len(), answer.end), (200_000, whole(way.0)), "{way:?}");
        serving.join();
    }
}

#[test]
fn connections_without_a_request_are_closed() {
    for way in WAYS {
        let app = app_fn(|_, start_response| {
            start_response.start(200, ())?;
            Ok("hello".into())
        });
        let mut serving = serve!(way, app);
        let mut idle = vec![serving.connect()];
        if way.0 == Kind::FastCgi {
            let mut client = Client::on(serving.connect());
            assert_eq!(client.ask(1, &Request::get("/")).status(), 200);
            idle.push(client.stream);
        }
        assert_eq!(serving.ask(&Request::get("/")).status(), 200);
        serving.handle.shutdown();
        serving.join();
        for stream in &mut idle {
            assert_eq!(stream.rest(), (Vec::new(), false), "{way:?}");
        }
    }
}

#[test]
fn several_requests_on_one_connection_are_all_finished() {
    for way in FASTCGI {
        let (app, gate, has_begun) = gated();
        let mut serving = serve!(way, app);
        let held = gate.lock().unwrap();
        let mut client = Client::on(serving.connect());
        for id in [1, 3, 5] {
            client.send(Request::get("/").kept(id));
            has_begun.recv_timeout(PATIENCE).unwrap();
        }
        serving.handle.shutdown();
        // The connection is there, so one more is taken.
        client.send(Request::get("/").fastcgi(7, KEEP_CONN));
        has_begun.recv_timeout(PATIENCE).unwrap();
        drop(held);
        for id in [1, 3, 5, 7] {
            let answer = client.answer(id);
            assert_eq!((answer.text(), answer.end), ("done".to_owned(), End::Request(0, 0)));
        }
        assert!(client.is_closed());
        serving.join();
    }
}

#[test]
fn what_takes_longer_than_a_stop_may_is_given_up() {
    for way in WAYS {
        let (tell, told) = mpsc::channel();
        let (began, has_begun) = mpsc::channel();
        let app = vestibule::async_fn(move |mut environ, _| {
            let tell = tell.clone();
            environ.on_finished(move |outcome| tell.send(outcome.end()).unwrap());
            began.send(()).unwrap();
            std::future::pending::<vestibule::Result>()
        });
        let mut serving = serve!(way, app, |server| server.shutdown_timeout(Duration::from_millis(300)));
        let mut stream = serving.connect();
        stream.write_all(&Request::get("/").bytes(way.0)).unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        serving.handle.shutdown();
        serving.join();
        assert_eq!(stream.rest().0, b"", "{way:?}");
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Ended::Disconnected);
    }
}

/// What the web server has seen of a server that was stopped under load.
#[derive(Debug, Default)]
struct Seen {
    /// Calls of the application.
    called: AtomicUsize,
    answered: AtomicUsize,
    /// Connections that ended without a byte of an answer. Nobody was called for them, or there are more calls than answers.
    refused: AtomicUsize,
}

/// Asks again and again, each time on a connection of its own or on one that is kept.
fn ask(kind: Kind, place: &Place, ends: &AtomicBool, seen: &Seen) {
    while !ends.load(Ordering::Relaxed) {
        let Ok(stream) = place.connect() else { return };
        let mut client = Client::on(stream);
        loop {
            let bytes = match kind {
                Kind::FastCgi => Request::get("/").kept(1),
                kind => Request::get("/").bytes(kind),
            };
            if client.stream.write_all(&bytes).is_err() {
                seen.refused.fetch_add(1, Ordering::Relaxed);
                break;
            }
            let answer = match kind {
                Kind::FastCgi => client.answer(1),
                kind => Answer::read(kind, client.stream.again()),
            };
            if answer.head.is_empty() {
                seen.refused.fetch_add(1, Ordering::Relaxed);
                break;
            }
            assert_eq!((answer.seen(), answer.end), ((200, "hello".to_owned()), whole(kind)));
            seen.answered.fetch_add(1, Ordering::Relaxed);
            if kind != Kind::FastCgi || ends.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

#[test]
fn under_load_no_request_is_lost_that_an_application_was_called_for() {
    for way in WAYS {
        for _ in 0..2 {
            let (seen, ends) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
            let counted = Arc::clone(&seen);
            let app = app_fn(move |_, start_response| {
                counted.called.fetch_add(1, Ordering::Relaxed);
                start_response.start(200, ())?;
                Ok("hello".into())
            });
            let mut serving = serve!(way, app);
            let clients: Vec<_> = (0..8)
                .map(|_| {
                    let (ends, seen, place) = (Arc::clone(&ends), Arc::clone(&seen), serving.place.clone());
                    thread::spawn(move || ask(way.0, &place, &ends, &seen))
                })
                .collect();
            let begin = Instant::now();
            while seen.answered.load(Ordering::Relaxed) < 1000 {
                assert!(begin.elapsed() < PATIENCE, "{seen:?}");
                thread::sleep(Duration::from_millis(1));
            }
            serving.handle.shutdown();
            serving.join();
            ends.store(true, Ordering::Relaxed);
            clients.into_iter().for_each(|client| client.join().unwrap());
            println!("{way:?}: {seen:?}");
            let (called, answered) = (seen.called.load(Ordering::Relaxed), seen.answered.load(Ordering::Relaxed));
            assert_eq!(called, answered, "{way:?}: {seen:?}");
            // Those that came in the very moment, on a kept connection and on its successor; they can be sent again.
            assert!(seen.refused.load(Ordering::Relaxed) <= 16, "{way:?}: {seen:?}");
        }
    }
}
