//! Programs that a front end starts: that the configurations lead to them, with the path in its two halves.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use super::{configuration, directory};
use crate::front::{Front, await_the_end_of_all};
use crate::place::Place;
use crate::program::PATIENCE;
use crate::servers::Server;

/// Says how it was called.
const PROGRAM: &str = "#!/bin/sh\n\
    printf 'Content-Type: text/plain\\r\\n\\r\\n%s|%s|%s|%s' \
    \"$GATEWAY_INTERFACE\" \"$SCRIPT_NAME\" \"$PATH_INFO\" \"$HTTP_AUTHORIZATION\"\n";

/// A site of Apache as a web space has it: only `.htaccess` is the user's.
const WEB_SPACE: &str = "#   a2enmod cgid rewrite authz_host\n\
    Listen 127.0.0.1:8080\n\
    DocumentRoot /srv/app/public\n\
    <Directory /srv/app/public>\n\
    AllowOverride FileInfo AuthConfig Options=ExecCGI\n\
    Require all granted\n\
    </Directory>\n";

#[test]
fn a_site_of_apache_calls_the_program() {
    let place = Place::new();
    put(&place, "app.cgi");
    let answer = ask(Server::Apache, &configuration(Server::Apache, "cgi.conf"), place, "/a/b%2Fc?d");
    assert_eq!(answer, "CGI/1.1||/a/b%2Fc|Basic dTpw");
}

#[test]
fn a_file_of_a_web_space_calls_the_program() {
    let place = Place::new();
    put(&place, "public/app.cgi");
    let rules = fs::read_to_string(directory().join("shared-hosting/htaccess")).expect("it is there");
    fs::write(place.public().join(".htaccess"), rules).expect("it can be written");
    let answer = ask(Server::Apache, WEB_SPACE, place, "/a/b?c");
    assert_eq!(answer, "CGI/1.1|/app.cgi|/a/b|Basic dTpw");
}

#[test]
fn the_rules_of_a_web_space_lose_nothing_of_a_path() {
    let place = Place::new();
    put(&place, "public/app.cgi");
    let rules = fs::read_to_string(directory().join("shared-hosting/htaccess")).expect("it is there");
    fs::write(place.public().join(".htaccess"), rules).expect("it can be written");
    // What else were an escape, a query, a fragment: mod_rewrite has the path decoded.
    let answer = ask(Server::Apache, WEB_SPACE, place, "/100%25/a%3Fb/c%23d/e%20f/%C3%A4/g&h+i%252Fj?k=%25");
    assert_eq!(answer, "CGI/1.1|/app.cgi|/100%/a?b/c#d/e f/ä/g&h+i%2Fj|Basic dTpw");
}

#[test]
fn lighttpd_calls_the_program() {
    let place = Place::new();
    put(&place, "app.cgi");
    let answer = ask(Server::Lighttpd, &configuration(Server::Lighttpd, "cgi.conf"), place, "/mnt/a/b?c");
    assert_eq!(answer, "CGI/1.1|/mnt|/a/b|Basic dTpw");
}

fn put(place: &Place, name: &str) {
    let path = place.programs().join(name);
    fs::write(&path, PROGRAM).expect("it can be written");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
}

/// The body of the answer to a request.
fn ask(server: Server, configuration: &str, place: Place, target: &str) -> String {
    let directory = place.directory().to_owned();
    let front = Front::start(server, configuration, &[], place, None);
    let mut stream = TcpStream::connect(front.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time above 0");
    // HTTP/1.0, so that the body is not in chunks.
    let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic dTpw\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("the head ends");
    assert!(head.contains(" 200 "), "{answer}\n{}", front.log());
    drop(front);
    await_the_end_of_all(&directory);
    body.to_owned()
}
