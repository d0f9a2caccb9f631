//! The HTTP/1.1 adapter, over real sockets.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/serving.rs"]
mod serving;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serving::{Serving, echo, executions, status};
use vestibule::testing::TestServer;
use vestibule::{Body, End, Execution, adapters::http::Server, app_fn, async_fn};

#[test]
fn small_and_large_bodies_are_echoed_under_every_execution() {
    for execution in executions() {
        let serving = Serving::start(echo(), execution);
        for length in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
            let head = format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            let mut request = head.into_bytes();
            request.extend(std::iter::repeat_n(b'x', length));
            let answer = serving.talk(&request).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{length}: {answer:.200}");
            assert!(answer.to_lowercase().contains(&format!("content-length: {length}\r\n")), "{answer:.200}");
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(body.len(), length);
        }
    }
}

#[test]
fn requests_that_http_forbids_are_refused_and_the_connection_is_closed() {
    let serving = Serving::start(echo(), Execution::pool());
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "501"),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", "417"),
    ] {
        let answer = serving.talk(request.as_bytes()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
}

#[test]
fn a_body_that_fails_is_cut_visibly_on_both_versions() {
    let app = || {
        app_fn(|_, start_response| {
            start_response.start(200, ())?;
            Ok(Body::try_iter([Ok("first"), Err("broken".into())]))
        })
    };
    for execution in executions() {
        let serving = Serving::start(app(), execution);
        let answer = serving.talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(answer.contains("5\r\nfirst\r\n") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        // Without a length and without chunks only a reset tells that this was not all.
        let error = serving.talk(b"GET / HTTP/1.0\r\n\r\n").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_client_that_waits_for_100_gets_it_when_the_application_reads() {
    let serving = Serving::start(echo(), Execution::pool());
    let mut stream = serving.connect();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut buffer = [0; 25];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK") && rest.ends_with("ok"), "{rest}");
}

#[test]
fn a_client_that_waits_for_100_does_not_get_it_when_nobody_reads() {
    let app = app_fn(|_, start_response| {
        start_response.start(403, ())?;
        Ok("no".into())
    });
    let serving = Serving::start(app, Execution::pool());
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    let answer = serving.talk(head.as_bytes()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden"), "{answer}");
}

#[test]
fn keep_alive_serves_the_next_request_from_the_same_connection() {
    let serving = Serving::start(echo(), Execution::pool());
    let one = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na";
    let last = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nb";
    let answer = serving.talk(format!("{one}{one}{last}").as_bytes()).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
}

#[test]
fn an_async_application_uses_the_runtime_under_every_execution() {
    let app = || {
        async_fn(|mut environ, start_response| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let text = tokio::spawn(async move { environ.input_mut().read_text_async(1_000_000).await }).await??;
            start_response.start(200, ())?;
            Ok(text.into())
        })
    };
    for execution in executions() {
        let serving = Serving::start(app(), execution);
        let body = "y".repeat(200_000);
        let request =
            format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n{body}");
        let answer = serving.talk(request.as_bytes()).unwrap();
        assert!(answer.ends_with(&body), "{answer:.300}");
    }
}

#[test]
fn a_blocking_application_can_spawn_on_the_runtime() {
    let app = app_fn(|_, start_response| {
        let (mut sender, body) = Body::channel(1);
        tokio::spawn(async move {
            sender.send("from a task").await?;
            sender.finish()
        });
        start_response.start(200, ())?;
        Ok(body)
    });
    assert_eq!(TestServer::http(app).get("/").send().text(), "from a task");
}

#[test]
fn a_full_pool_and_queue_answers_503_with_retry_after() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let entered = std::sync::Arc::new(std::sync::Barrier::new(2));
    let inside = std::sync::Arc::clone(&entered);
    let app = app_fn(move |environ, start_response| {
        if environ.path_info() == "/hold" {
            inside.wait();
            let _ = held.lock().unwrap().recv();
        }
        start_response.start(200, ())?;
        Ok("done".into())
    });
    let serving = Serving::start(app, Execution::pool().max(1).queue(0));
    let mut holding = serving.connect();
    holding.write_all(b"GET /hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    entered.wait();
    let answer = serving.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    release.send(()).unwrap();
    let mut answer = String::new();
    holding.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    let answer = serving.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    assert!(answer.ends_with("done"), "{answer}");
}

#[test]
fn a_large_response_streams_with_back_pressure() {
    let pulled = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&pulled);
    let app = app_fn(move |_, start_response| {
        start_response.start(200, ())?;
        let counter = std::sync::Arc::clone(&counter);
        Ok(Body::iter((0..10_000).map(move |_| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            vec![b'z'; 100_000]
        })))
    });
    for execution in executions() {
        pulled.store(0, std::sync::atomic::Ordering::Relaxed);
        let serving = Serving::start(app.clone(), execution);
        let mut stream = serving.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut block = vec![0; 1_000_000];
        stream.read_exact(&mut block).unwrap();
        // The client reads no more: what is pulled is bounded by the window and the sockets, far below the 10,000 blocks.
        let settled = wait_until_settled(&pulled);
        assert!(settled < 1_000, "{settled} blocks were pulled for a client that had read ten");
    }
}

/// Waits until the count stays the same.
fn wait_until_settled(count: &std::sync::atomic::AtomicUsize) -> usize {
    let mut before = usize::MAX;
    for _ in 0..100 {
        let now = count.load(std::sync::atomic::Ordering::Relaxed);
        if now == before {
            return now;
        }
        before = now;
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the body is pulled without end");
}

#[test]
fn a_client_that_leaves_closes_the_body_once_and_cancels_the_request() {
    for execution in executions() {
        let (closed, is_closed) = std::sync::mpsc::channel();
        let app = app_fn(move |mut environ, start_response| {
            let (on_close, on_end) = (closed.clone(), closed.clone());
            environ.on_finished(move |outcome| on_end.send(format!("{:?}", outcome.end())).unwrap());
            start_response.start(200, ())?;
            let endless = Body::iter(std::iter::repeat_with(|| vec![0; 10_000]));
            Ok(endless.on_close(move || on_close.send("closed".to_owned()).unwrap()))
        });
        let serving = Serving::start(app, execution);
        let mut stream = serving.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        drop(stream);
        let seen = [is_closed.recv().unwrap(), is_closed.recv().unwrap()];
        assert_eq!(seen, ["closed".to_owned(), format!("{:?}", End::Disconnected)]);
        assert!(is_closed.recv_timeout(Duration::from_millis(200)).is_err());
    }
}

#[test]
fn the_test_server_over_http_answers_as_the_one_in_memory() {
    let app = || {
        app_fn(|mut environ, start_response| {
            let text = environ.input_mut().read_text(100)?;
            let line = format!("{} {} {} {text}", environ.method(), environ.script_name(), environ.path_info());
            start_response.start(201, [("content-type", "text/plain"), ("set-cookie", "a=1")])?;
            Ok(line.into())
        })
    };
    for server in [TestServer::new(app()), TestServer::http(app())] {
        let server = server.mounted_at("/mnt").with_cookies();
        let response = server.post("/x").body("hello").send();
        assert_eq!((response.status().as_u16(), &*response.text()), (201, "POST /mnt /x hello"));
        assert_eq!(response.header("content-length"), Some("18"));
        assert!(response.is_complete());
        assert_eq!(response.end(), Some(End::Complete));
        let response = futures::executor::block_on(server.get("").into_future());
        assert_eq!(response.text(), "GET /mnt  ");
    }
}

#[test]
fn a_unix_socket_is_served_and_its_file_removed() {
    let path = std::env::temp_dir().join(format!("vestibule-http-{}.sock", std::process::id()));
    let server = Server::bind(format!("unix:{}", path.display())).unwrap();
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || server.run_until(echo(), async { _ = stopped.await }).unwrap());
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hi"), "{answer}");
    stop.send(()).unwrap();
    thread.join().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_response_with_trailers_is_complete() {
    for execution in executions() {
        let (ended, has_ended) = std::sync::mpsc::channel();
        let app = app_fn(move |mut environ, start_response| {
            let ended = ended.clone();
            environ.on_finished(move |outcome| ended.send(outcome.end()).unwrap());
            start_response.start(200, [("trailer", "x-sum")])?;
            let trailers = || http::HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
            Ok(Body::iter(["a", "b"]).with_trailers(trailers))
        });
        let serving = Serving::start(app, execution);
        let request = b"GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n";
        let answer = serving.talk(request).unwrap();
        assert!(answer.ends_with("1\r\nb\r\n0\r\nx-sum: 7\r\n\r\n"), "{answer}");
        assert_eq!(has_ended.recv().unwrap(), End::Complete);
    }
}

#[test]
fn a_body_that_nobody_wants_is_closed_on_the_pool_and_not_on_the_reactor() {
    for execution in executions() {
        let (closed, is_closed) = std::sync::mpsc::channel();
        let app = app_fn(move |_, start_response| {
            let closed = closed.clone();
            start_response.start(200, ())?;
            let name = || std::thread::current().name().unwrap_or_default().to_owned();
            Ok(Body::iter(["a", "b"]).on_close(move || closed.send(name()).unwrap()))
        });
        let serving = Serving::start(app, execution);
        let answer = serving.talk(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let thread = is_closed.recv().unwrap();
        assert!(thread.starts_with("vestibule-") && !thread.starts_with("vestibule-io"), "{thread}");
    }
}

#[test]
fn head_and_get_of_a_205_have_no_length_but_0() {
    let app = app_fn(|_, start_response| {
        start_response.start(205, ())?;
        Ok("abc".into())
    });
    let serving = Serving::start(app, Execution::pool());
    for method in ["GET", "HEAD"] {
        let answer = serving.talk(format!("{method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        let answer = answer.unwrap().to_lowercase();
        let length = answer.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert!(matches!(length, None | Some("0")) && answer.ends_with("\r\n\r\n"), "{method}: {answer}");
    }
}

#[test]
fn an_upload_that_breaks_off_is_a_400_to_who_still_listens() {
    for execution in executions() {
        let serving = Serving::start(echo(), execution);
        let mut stream = serving.connect();
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[b'x'; 70_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn many_small_chunks_are_read_in_time_that_grows_with_their_number() {
    let serving = Serving::start(echo(), Execution::pool());
    let mut request = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..60_000 {
        request.extend_from_slice(b"1\r\nx\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let answer = serving.talk(&request).unwrap();
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 60_000);
}

#[test]
fn a_hook_of_the_deployer_that_panics_is_a_500() {
    let server = Server::bind("127.0.0.1:0").unwrap().environ(|_| panic!("a bad hook"));
    let address = server.local_addr().unwrap();
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || server.run_until(echo(), async { _ = stopped.await }).unwrap());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    stop.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_server_can_be_run_from_inside_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let served = runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0").unwrap();
        server.run_until(echo(), std::future::ready(()))
    });
    served.unwrap();
}

#[test]
fn an_async_application_that_blocks_on_its_input_is_told_so_also_in_tests() {
    let app = || {
        async_fn(|mut environ, start_response| async move {
            let text = environ.input_mut().read_text(100)?;
            start_response.start(200, ())?;
            Ok(text.into())
        })
    };
    let slow = || {
        let mut blocks = 0;
        futures::stream::poll_fn(move |cx| {
            blocks += 1;
            cx.waker().wake_by_ref();
            match blocks {
                1 | 3 => std::task::Poll::Pending,
                2 => std::task::Poll::Ready(Some(Ok("ab"))),
                _ => std::task::Poll::Ready(None),
            }
        })
    };
    for server in [TestServer::new(app()), TestServer::http(app())] {
        let response = server.post("/").body(vestibule::Input::stream(slow())).send();
        assert_eq!(response.status(), 500);
        assert!(response.errors().contains("read_text_async"), "{}", response.errors());
    }
}

#[test]
fn a_target_does_not_change_the_scheme_of_the_connection() {
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(format!("{} {} {}", environ.url_scheme(), environ.var("HTTPS").is_some(), environ.server_port() == 443)
            .into())
    });
    for execution in executions() {
        let serving = Serving::start(app.clone(), execution);
        let request = b"GET https://x.example/ HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n";
        assert!(serving.talk(request).unwrap().ends_with("\r\n\r\nhttp false false"));
    }
}

#[test]
fn a_mounted_application_sees_its_mount_point_and_gets_nothing_from_beside_it() {
    let app = || {
        app_fn(|environ, start_response| {
            start_response.start(200, ())?;
            Ok([&environ.script_name(), &*environ.path_info(), environ.raw_path()].join("|").into())
        })
    };
    for execution in executions() {
        let mounted = |prefix: &str| {
            Serving::with(app(), |server| server.mounted_at(prefix).unwrap().execution(execution.clone()))
        };
        let ask = |serving: &Serving, request: &str, body: &str| {
            let request = format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{body}");
            let answer = serving.talk(request).unwrap();
            let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
            (status(&answer), body)
        };
        let serving = mounted("/app");
        for (target, seen) in [
            ("GET /app", "/app||/app"),
            ("GET /app/", "/app|/|/app/"),
            ("GET /app?q", "/app||/app"),
            ("GET /app/a%2Fb?q", "/app|/a/b|/app/a%2Fb"),
            ("GET /%61pp/tea", "/app|/tea|/%61pp/tea"),
            ("GET http://b/app/tea", "/app|/tea|/app/tea"),
            // RFC 9110, section 9.3.7: it is about the server.
            ("OPTIONS *", "|*|*"),
        ] {
            assert_eq!(ask(&serving, target, "\r\n"), (200, seen.to_owned()), "{target}");
        }
        for target in ["GET /", "GET /ap", "GET /apple", "GET /other/app", "GET /App", "GET //app", "OPTIONS /*"] {
            assert_eq!(ask(&serving, target, "\r\n").0, 404, "{target}");
        }
        assert_eq!(ask(&serving, "POST /apple", "Content-Length: 3\r\n\r\ntea").0, 404);
        assert_eq!(ask(&serving, "POST /app/le", "Content-Length: 3\r\n\r\ntea").1, "/app|/le|/app/le");
        // What follows on the connection is answered.
        let two = "GET /apple HTTP/1.1\r\nHost: a\r\n\r\nGET /app/tea HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answers = serving.talk(two).unwrap();
        assert!(answers.starts_with("HTTP/1.1 404 ") && answers.ends_with("/app|/tea|/app/tea"), "{answers}");
        for root in ["", "/"] {
            assert_eq!(ask(&mounted(root), "GET /tea", "\r\n").1, "|/tea|/tea", "{root:?}");
        }
    }
    for prefix in ["app", "/app/", "//"] {
        let error = Server::bind("127.0.0.1:0").unwrap().mounted_at(prefix).unwrap_err().to_string();
        assert!(error.contains(&format!("{prefix:?} is no mount point")), "{error}");
    }
}
