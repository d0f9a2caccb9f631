//! The file of a unix socket: who may connect, what is replaced, and what is left alone.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use vestibule::adapters::http::{Handle, Server};
use vestibule::app_fn;

/// A path that nothing else uses, in a folder of its own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("vestibule-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("app.sock")
    }

    fn bind(&self) -> vestibule::Result<Server> {
        Server::bind(format!("unix:{}", self.path().display()))
    }

    fn mode(&self) -> u32 {
        fs::metadata(self.path()).unwrap().permissions().mode() & 0o777
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_is_for_its_owner_and_group_unless_something_else_is_said() {
    let place = Place::new("mode");
    let server = place.bind().unwrap();
    assert_eq!(place.mode(), 0o660);
    let server = server.unix_mode(0o666).unwrap();
    assert_eq!(place.mode(), 0o666);
    let metadata = fs::metadata(place.path()).unwrap();
    let server = server.unix_owner(Some(metadata.uid()), Some(metadata.gid())).unwrap();
    assert_eq!(fs::metadata(place.path()).unwrap().uid(), metadata.uid());
    drop(server);
    assert_eq!(place.files(), 0, "nothing is left behind");
}

/// Asks whoever listens there.
fn ask(place: &Place) -> String {
    let mut stream = UnixStream::connect(place.path()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Serves its name until it is stopped.
fn serve(server: Server, name: &'static str) -> (Handle, JoinHandle<vestibule::Result<()>>) {
    let app = app_fn(move |_, start_response| {
        start_response.start(200, ())?;
        Ok(name.into())
    });
    (server.handle(), std::thread::spawn(move || server.run_until(app, std::future::pending())))
}

#[test]
fn a_server_that_stops_leaves_the_file_of_its_successor() {
    let place = Place::new("successor");
    let (first, first_thread) = serve(place.bind().unwrap(), "first");
    assert!(ask(&place).ends_with("first"));
    fs::remove_file(place.path()).unwrap();
    let (second, second_thread) = serve(place.bind().unwrap(), "second");
    first.shutdown();
    first_thread.join().unwrap().unwrap();
    assert!(ask(&place).ends_with("second"));
    second.shutdown();
    second_thread.join().unwrap().unwrap();
    assert_eq!(place.files(), 0, "its own file it removes");
}

#[test]
fn an_address_without_a_file_has_no_mode_and_no_owner() {
    let error = Server::bind("127.0.0.1:0").unwrap().unix_mode(0o666).unwrap_err();
    assert!(error.is_gateway() && error.to_string().contains("has no mode: only a unix socket"), "{error}");
    assert!(Server::bind("127.0.0.1:0").unwrap().unix_owner(Some(0), None).is_err());
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced_and_a_live_one_is_not() {
    let place = Place::new("stale");
    drop(UnixListener::bind(place.path()).unwrap());
    assert!(place.path().exists(), "std leaves the file behind");
    let server = place.bind().unwrap();
    let error = place.bind().unwrap_err();
    assert!(error.to_string().contains("another program listens there"), "{error}");
    drop(server);
}

#[test]
fn a_directory_that_is_not_there_is_told() {
    let error = Server::bind("unix:/there/is/none/app.sock").unwrap_err().to_string();
    assert!(error.ends_with("; the directory of a socket has to be there"), "{error}");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let place = Place::new("file");
    fs::write(place.path(), "precious").unwrap();
    let error = place.bind().unwrap_err();
    assert!(error.to_string().contains("there is a file of this name"), "{error}");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious");
}

#[test]
fn a_socket_that_somebody_else_has_bound_is_served_and_left_to_them() {
    let place = Place::new("given");
    let server = Server::from_unix(UnixListener::bind(place.path()).unwrap());
    assert_eq!(server.url(), format!("unix:{}", place.path().display()));
    let handle = server.handle();
    let app = app_fn(|environ, start_response| {
        start_response.start(200, ())?;
        Ok(format!("{:?}", environ.remote_addr()).into())
    });
    let thread = std::thread::spawn(move || server.run_until(app, std::future::pending()));
    let answer = ask(&place);
    assert!(answer.ends_with("None"), "{answer}");
    handle.shutdown();
    thread.join().unwrap().unwrap();
    assert!(place.path().exists());
}
