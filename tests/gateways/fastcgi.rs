//! FastCGI's own: kept connections, several requests on one, management records, roles.

use std::sync::{Arc, Mutex, mpsc};

use tokio::sync::oneshot;
use vestibule::wire::fastcgi::{RecordType, pairs};
use vestibule::{App, Body, app_fn, async_fn};

use crate::client::{Client, End, Request, end_of_stdin, stdin};
use crate::serving::{FASTCGI, Kind, Over, PATIENCE, WAYS};
use crate::web_server::{KEEP_CONN, begin, params, record, stream};

const UNIX: (Kind, Over) = FASTCGI[0];

/// Answers with the path, the query and the body.
fn witness() -> App {
    app_fn(|mut environ, start_response| {
        let body = environ.input_mut().read_text(1_000_000)?;
        start_response.start(200, ())?;
        Ok(format!("{} {} {body}", environ.path_info(), environ.query_string()).into())
    })
}

#[test]
fn a_kept_connection_answers_one_request_after_another() {
    for way in FASTCGI {
        let serving = serve!(way, witness());
        let mut client = Client::on(serving.connect());
        for n in 0..1000_u32 {
            // The ids need not be those of before.
            let id = u16::try_from(1 + n % 3).unwrap();
            let request = match n % 2 {
                0 => Request::get(&format!("/{n}")),
                _ => Request::post(&format!("/{n}"), "tea"),
            };
            let answer = client.ask(id, &request);
            let body = if n % 2 == 0 { "" } else { "tea" };
            assert_eq!((answer.seen(), answer.end), ((200, format!("/{n}  {body}")), End::Request(0, 0)));
        }
        client.send(Request::get("/last").fastcgi(1, 0));
        assert_eq!(client.answer(1).text(), "/last  ");
        assert!(client.is_closed(), "without the flag it closes behind END_REQUEST");
    }
}

#[test]
fn requests_that_are_sent_at_once_are_answered_each() {
    for way in FASTCGI {
        let serving = serve!(way, witness());
        let mut client = Client::on(serving.connect());
        let requests: Vec<u8> = (1..=60).flat_map(|id| Request::post(&format!("/{id}"), "tea").kept(id)).collect();
        client.send(requests);
        for id in (1..=60).rev() {
            assert_eq!(client.answer(id).text(), format!("/{id}  tea"));
        }
    }
}

/// What lets requests be answered, one for each, in the order in which they began.
type Gates = Arc<Mutex<Vec<oneshot::Sender<()>>>>;

/// Tells each path for which it is called, and answers with that when it is let to.
fn gated() -> (App, mpsc::Receiver<String>, Gates) {
    let gates = Gates::default();
    let (began, has_begun) = mpsc::channel();
    let kept = Arc::clone(&gates);
    let app = async_fn(move |environ, start_response| {
        let (open, opened) = oneshot::channel();
        kept.lock().unwrap().push(open);
        began.send(environ.path_info().into_owned()).unwrap();
        async move {
            let _ = opened.await;
            start_response.start(200, ())?;
            Ok(environ.path_info().into_owned().into())
        }
    });
    (app, has_begun, gates)
}

#[test]
fn slow_requests_on_one_connection_do_not_wait_for_each_other() {
    for way in FASTCGI {
        let (app, has_begun, gates) = gated();
        let serving = serve!(way, app);
        let mut client = Client::on(serving.connect());
        for id in [1, 3, 5, 7, 9] {
            client.send(Request::get(&format!("/{id}")).kept(id));
            assert_eq!(has_begun.recv_timeout(PATIENCE).unwrap(), format!("/{id}"));
        }
        // The last one first.
        for id in [9, 7, 5, 3, 1] {
            gates.lock().unwrap().pop().unwrap().send(()).unwrap();
            assert_eq!(client.answer(id).text(), format!("/{id}"));
        }
    }
}

#[test]
fn variables_and_bodies_may_be_interleaved() {
    let serving = serve!(UNIX, witness());
    let mut client = Client::on(serving.connect());
    let both: Vec<Vec<u8>> = [1_u16, 2]
        .map(|id| {
            let request = Request::post(&format!("/{id}"), format!("body of {id}"));
            let mut records = vec![begin(id, 1, KEEP_CONN)];
            records.extend(stream(RecordType::Params, id, &params(request.variables()), &[10], 3));
            records.extend(stream(RecordType::Stdin, id, format!("body of {id}").as_bytes(), &[2], 255));
            records
        })
        .into_iter()
        .reduce(|one, other| one.into_iter().zip(other).flat_map(|(one, other)| [one, other]).collect())
        .unwrap();
    client.send(both.concat());
    for id in [1, 2] {
        assert_eq!(client.answer(id).text(), format!("/{id}  body of {id}"));
    }
}

#[test]
fn an_endless_answer_does_not_keep_others_on_its_connection_from_theirs() {
    let app = async_fn(|environ, start_response| async move {
        start_response.start(200, ())?;
        Ok(match &*environ.path_info() {
            // There is always more at once, and nobody waits for a thread.
            "/endless" => Body::stream(futures::stream::repeat_with(|| Ok(vec![b'x'; 200_000]))),
            path => path.to_owned().into(),
        })
    });
    for way in FASTCGI {
        let serving = serve!(way, app.clone());
        let mut client = Client::on(serving.connect());
        client.send(Request::get("/endless").kept(1));
        // It is under way.
        assert_eq!(client.record().unwrap().unwrap().id, 1);
        client.send(Request::get("/small").kept(2));
        let other = client.stream.again();
        let (answered, is_answered) = mpsc::channel();
        std::thread::spawn(move || {
            loop {
                let record = client.record();
                match record {
                    Ok(Some(record)) if record.id == 2 => return answered.send(record.content).unwrap(),
                    Ok(Some(_)) => {}
                    _ => return,
                }
            }
        });
        let content = is_answered.recv_timeout(PATIENCE).expect("the small one has its turn");
        assert!(content.ends_with(b"/small"));
        drop(other);
    }
}

#[test]
fn more_requests_than_a_connection_may_carry_are_answered_503_and_the_connection_goes_on() {
    let (app, has_begun, gates) = gated();
    let serving = serve!(UNIX, app);
    let mut client = Client::on(serving.connect());
    for id in 1..=64 {
        client.send(Request::get("/").kept(id));
        has_begun.recv_timeout(PATIENCE).unwrap();
    }
    for id in [65, 66] {
        let answer = client.ask(id, &Request::get("/"));
        // OVERLOADED is an empty 200 to the clients of Apache.
        assert_eq!((answer.status(), answer.end), (503, End::Request(0, 0)));
        assert!(answer.has("retry-after: 1") && !answer.body.is_empty(), "{answer:?}");
    }
    gates.lock().unwrap().clear();
    for id in 1..=64 {
        assert_eq!(client.answer(id).status(), 200);
    }
    client.send(Request::get("/").kept(65));
    has_begun.recv_timeout(PATIENCE).unwrap();
    gates.lock().unwrap().clear();
    assert_eq!(client.answer(65).status(), 200);
}

#[test]
fn an_id_may_be_used_again_at_once_though_its_body_was_never_ended() {
    let app = app_fn(|_, start_response| {
        start_response.start(200, ())?;
        Ok("early".into())
    });
    for way in FASTCGI {
        let serving = serve!(way, app.clone());
        let mut client = Client::on(serving.connect());
        for _ in 0..200 {
            // Beyond what is read before the call.
            let head = Request::post("/", "").with("CONTENT_LENGTH", "1000000").fastcgi_head(1, KEEP_CONN);
            client.send(head);
            client.send(stdin(1, &[b'x'; 70_000]));
            assert_eq!(client.answer(1).seen(), (200, "early".to_owned()));
        }
    }
}

#[test]
fn a_body_that_comes_behind_the_answer_is_thrown_away_and_the_next_request_is_right() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(environ.path_info().into_owned().into())
    });
    for way in FASTCGI {
        let serving = serve!(way, app.clone());
        let mut client = Client::on(serving.connect());
        for n in 0..3 {
            client.send(Request::post("/", "").with("CONTENT_LENGTH", "1000000").fastcgi_head(1, KEEP_CONN));
            client.send(stdin(1, &[b'x'; 70_000]));
            assert_eq!(client.answer(1).status(), 200);
            client.send(stdin(1, &[b'x'; 930_000]));
            client.send(end_of_stdin(1));
            assert_eq!(client.ask(1, &Request::get(&format!("/{n}"))).text(), format!("/{n}"));
        }
    }
}

#[test]
fn get_values_is_answered_with_what_is_known() {
    let serving = serve!(UNIX, witness(), |server| server.connection_limit(77));
    let mut client = Client::on(serving.connect());
    let names = [("FCGI_MAX_REQS", ""), ("FCGI_COLOUR", ""), ("FCGI_MPXS_CONNS", ""), ("FCGI_MAX_CONNS", "")];
    let names = names.map(|(name, value)| (name.into(), value.into())).to_vec();
    client.send(record(RecordType::GetValues, 0, &params(&names), 5));
    let answer = client.record().unwrap().unwrap();
    assert_eq!((answer.kind, answer.id), (RecordType::GetValuesResult, 0));
    let values = pairs::parse(answer.content.into()).unwrap();
    let expected = [("FCGI_MAX_CONNS", "77"), ("FCGI_MAX_REQS", "64"), ("FCGI_MPXS_CONNS", "1")];
    assert_eq!(values.len(), 3);
    for (name, value) in expected {
        assert_eq!(values.get(name), Some(value.as_bytes()), "{name}");
    }
    // The connection goes on.
    assert_eq!(client.ask(1, &Request::get("/")).status(), 200);
}

#[test]
fn an_unknown_type_is_named_and_the_connection_goes_on() {
    let serving = serve!(UNIX, witness());
    let mut client = Client::on(serving.connect());
    client.send(record(RecordType::Other(77), 0, b"what", 4));
    let answer = client.record().unwrap().unwrap();
    assert_eq!((answer.kind, &answer.content[..]), (RecordType::UnknownType, &b"\x4d\0\0\0\0\0\0\0"[..]));
    // Of a request that does not run, it is no management record: NGINX gives up a connection for an answer.
    client.send(record(RecordType::Other(77), 5, b"what", 4));
    assert_eq!(client.ask(1, &Request::get("/")).status(), 200);
}

#[test]
fn a_role_that_is_not_played_here_is_refused_by_the_end_alone() {
    let serving = serve!(UNIX, witness());
    let mut client = Client::on(serving.connect());
    for role in [0, 3, 255] {
        client.send(Request::get("/").fastcgi_role(1, role, KEEP_CONN));
        client.send(end_of_stdin(1));
        let answer = client.answer(1);
        assert_eq!((&*answer.head, answer.end), ("", End::Request(0, 3)), "{role}");
    }
    assert_eq!(client.ask(1, &Request::get("/")).status(), 200);
    client.send(Request::get("/").fastcgi_role(2, 3, 0));
    assert_eq!(client.answer(2).end, End::Request(0, 3));
    assert!(client.is_closed(), "without the flag it closes behind END_REQUEST");
}

#[test]
fn an_authorizer_is_called_at_the_end_of_its_variables() {
    let app = app_fn(|environ, start_response| {
        if environ.headers().get("authorization").is_some() {
            start_response.start(200, [("variable-auth_user", "tea"), ("x-other", "1")])?;
            return Ok("".into());
        }
        start_response.start(401, [("www-authenticate", "Basic realm=\"tea\"")])?;
        Ok("who are you?".into())
    });
    for way in FASTCGI {
        let serving = serve!(way, app.clone());
        let mut client = Client::on(serving.connect());
        // Apache sends no STDIN at all, lighttpd an empty one; neither has a path in the variables.
        for ends_stdin in [false, true] {
            let request = Request::get("/secret").without("PATH_INFO").without("SCRIPT_NAME");
            let allowed = request.clone().with("HTTP_AUTHORIZATION", "Basic dGVhOnRlYQ==");
            for (request, status) in [(&request, 401), (&allowed, 200), (&request, 401)] {
                client.send(request.fastcgi_role(1, 2, KEEP_CONN));
                let answer = client.answer(1);
                assert_eq!((answer.status(), answer.end), (status, End::Request(0, 0)));
                match status {
                    200 => assert!(answer.has("Variable-AUTH_USER: tea") && answer.has("x-other: 1"), "{answer:?}"),
                    _ => assert!(answer.has("www-authenticate: Basic realm=\"tea\""), "{answer:?}"),
                }
                if ends_stdin {
                    client.send(end_of_stdin(1));
                }
            }
        }
    }
}

#[test]
fn variables_of_the_gateway_are_not_the_clients_to_set() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        let seen = ["HTTP_PROXY", "REMOTE_USER"].map(|name| environ.var(name).is_some());
        Ok(format!("{seen:?}").into())
    });
    for way in WAYS {
        let request = Request::get("/").with("HTTP_PROXY", "http://evil").with("REMOTE_USER", "root");
        assert_eq!(serve!(way, app.clone()).ask(&request).text(), "[false, false]", "{way:?}");
        let trusting = serve!(way, app.clone(), |server| server.trust_remote_user(true));
        assert_eq!(trusting.ask(&request).text(), "[false, true]", "{way:?}");
    }
}

#[test]
fn what_an_application_writes_to_its_log_goes_to_the_web_server_where_that_is_asked_for() {
    let early = app_fn(|environ, start_response| {
        use std::io::Write;
        writeln!(environ.errors(), "the kettle is cold")?;
        start_response.start(200, ())?;
        Ok("tea".into())
    });
    let late = async_fn(|environ, start_response| async move {
        use std::io::Write;
        start_response.start(200, ())?;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        // Nothing follows that could take it along.
        writeln!(environ.errors(), "the kettle is cold")?;
        Ok("tea".into())
    });
    for app in [early.clone(), early.nonblocking(), late] {
        for (over, kept) in [(Over::Unix, true), (Over::Tcp, false)] {
            let server = vestibule::adapters::fastcgi::Server::bind(crate::serving::Place::new(over).to_string());
            let server = server.unwrap().errors_to_web_server(true);
            let place = match server.local_addr() {
                Some(address) => crate::serving::Place::Tcp(address),
                None => crate::serving::Place::Unix(server.url().strip_prefix("unix:").unwrap().into()),
            };
            let (handle, app) = (server.handle(), app.clone());
            let thread = std::thread::spawn(move || server.run_until(app, std::future::pending()));
            let serving = crate::serving::Serving::new(Kind::FastCgi, place, handle, thread);
            let mut client = Client::on(serving.connect());
            for _ in 0..20 {
                client.send(Request::get("/").fastcgi(1, u8::from(kept)));
                let answer = client.answer(1);
                assert_eq!((answer.text(), &*answer.errors), ("tea".to_owned(), "the kettle is cold\n"));
                if !kept {
                    client = Client::on(serving.connect());
                }
            }
        }
    }
}
