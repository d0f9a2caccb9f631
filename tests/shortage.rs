//! What is scarce: file descriptors, and clients that stay.
#![cfg(all(feature = "http", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "harness/program.rs"]
mod program;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use program::{Example, until};

/// The processor time that a process has used, in clock ticks of 10 ms.
fn ticks(example: &Example) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", example.process.0.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn open_files(example: &Example) -> usize {
    fs::read_dir(format!("/proc/{}/fd", example.process.0.id())).unwrap().count()
}

fn answers(example: &Example) -> bool {
    let Ok(mut stream) = TcpStream::connect(example.address) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200 ")
}

#[test]
fn without_file_descriptors_it_waits_without_spinning_and_comes_back() {
    let example = Example::start_with_files("hello", 64, |command| command.arg("--quiet"));
    assert!(answers(&example));
    let clients: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(example.address).unwrap()).collect();
    example.await_log("cannot accept connections for a moment: Too many open files");
    let (before, begin) = (ticks(&example), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let (used, lines, seconds) = (ticks(&example) - before, example.log.try_iter().count(), begin.elapsed().as_secs());
    println!("{used} ticks and {lines} lines in {seconds} s");
    // 5 % of a core. A loop that spins would use all of it: 100 ticks a second, and a line each time.
    assert!(used <= 5 * seconds, "{used} ticks in {seconds} s");
    assert!(lines <= 10, "{lines} lines in {seconds} s");
    drop(clients);
    until("it serves again", || answers(&example));
}

#[test]
fn clients_that_leave_without_a_word_leave_nothing_behind() {
    let example = Example::start("hello", |command| command.arg("--quiet"));
    assert!(answers(&example));
    let before = open_files(&example);
    for round in 0..1000 {
        let mut stream = TcpStream::connect(example.address).unwrap();
        match round % 4 {
            0 => {}
            1 => stream.write_all(b"GET / HT").unwrap(),
            // With the response unread, the close is a reset.
            2 => stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap(),
            _ => stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf").unwrap(),
        }
    }
    until("all are closed", || open_files(&example) <= before);
    let used = ticks(&example);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ticks(&example) - used < 20, "it is idle");
    assert!(answers(&example));
}
