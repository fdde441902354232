//! Thousands of clients who take all the time they can get, and one who is in a hurry.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::program::Program;

const SLOW: usize = 5_000;
const ROUNDS: usize = 9;
const ATTEMPTS: usize = 3;
/// Requests a round.
const HURRY: usize = 400;

/// Ways to hang on: what is sent at first, before a byte a second. The last one sends no more, and reads nothing.
const WAYS: [&str; 4] = [
    "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    "GET /favicon.ico HTTP/1.1\r\nHost: a\r\n\r\nGET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// A crowd of slow clients, until it is dropped.
struct Crowd {
    leave: Arc<AtomicBool>,
    dripping: Option<std::thread::JoinHandle<()>>,
}

impl Crowd {
    fn at(address: &str) -> Crowd {
        let mut clients: Vec<TcpStream> = (0..SLOW)
            .map(|number| {
                let mut client = TcpStream::connect(address).expect("there is room for all");
                client.write_all(WAYS[number % WAYS.len()].as_bytes()).expect("it is small");
                client.set_nonblocking(true).expect("a socket can be");
                client
            })
            .collect();
        let leave = Arc::new(AtomicBool::new(false));
        let told = leave.clone();
        let dripping = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_secs(1));
                for (number, client) in clients.iter_mut().enumerate() {
                    if number % WAYS.len() != WAYS.len() - 1 {
                        // Who was cut off meanwhile is as slow as can be.
                        drop(client.write(b"a"));
                    }
                }
            }
        });
        Crowd { leave, dripping: Some(dripping) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
        drop(self.dripping.take().map(std::thread::JoinHandle::join));
    }
}

/// A visitor in a hurry, on one connection.
struct Hurried {
    stream: TcpStream,
    cookie: String,
}

impl Hurried {
    fn at(address: &str) -> Hurried {
        let stream = TcpStream::connect(address).expect("there is room");
        stream.set_nodelay(true).expect("a socket can be");
        stream.set_read_timeout(Some(crate::PATIENCE)).expect("a socket can be");
        let mut hurried = Hurried { stream, cookie: String::new() };
        let first = hurried.get();
        let cookie = first.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        hurried.cookie = cookie.and_then(|cookie| cookie.split(';').next()).expect("an id").to_owned();
        hurried
    }

    fn get(&mut self) -> String {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", self.cookie);
        self.stream.write_all(request.as_bytes()).expect("the server reads");
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while !bytes.ends_with(b"</html>") {
            let read = self.stream.read(&mut piece).expect("the server answers");
            assert!(read > 0, "the server has closed: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(bytes).expect("pages are text")
    }

    /// The time within which 99 of 100 were answered.
    fn p99(&mut self) -> Duration {
        let mut times: Vec<Duration> = (0..HURRY)
            .map(|_| {
                let start = Instant::now();
                assert!(self.get().contains("Count: 0"));
                start.elapsed()
            })
            .collect();
        times.sort();
        times[HURRY * 99 / 100]
    }
}

/// The connections of a crowd are files of this process and of the server's.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = SLOW as u64 + 1_000;
    assert!(limit.maximum.is_none_or(|most| most >= wanted), "a process here may open {limit:?} files");
    if limit.current.is_some_and(|now| now < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).expect("it is allowed");
    }
}

/// Both servers are asked in turn, so that what the machine does besides meets both alike.
#[test]
fn r27_thousands_of_slow_clients_cost_little_and_hold_nobody_up() {
    allow_files();
    let (quiet, crowded) = (Program::start("counter", "0"), Program::start("counter", "0"));
    let (mut there, mut here) = (Hurried::at(&quiet.address()), Hurried::at(&crowded.address()));
    there.p99();
    here.p99();
    let before = crowded.resident();
    let _crowd = Crowd::at(&crowded.address());
    let each = crowded.resident().saturating_sub(before) / SLOW;
    assert!(each < 24 * 1024, "a slow client costs {each} bytes");
    // A machine that does something else at the wrong moments gets another chance.
    let medians: Vec<f64> = (0..ATTEMPTS).map(|_| median_ratio(&mut here, &mut there)).collect();
    assert!(medians.iter().any(|ratio| *ratio < 2.0), "of the p99: {medians:.2?}");
}

/// How much longer than `there` it takes `here`.
fn median_ratio(here: &mut Hurried, there: &mut Hurried) -> f64 {
    let ratio = |_| {
        let quiet = there.p99();
        here.p99().as_secs_f64() / quiet.as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..ROUNDS).map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}
