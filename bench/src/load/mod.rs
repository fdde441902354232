//! The load generator: one thread, some keep-alive connections, visitors who check every page they get.
//!
//! It asks the operating system for events without ever sleeping, so that the server does not pay for waking it.
//! It leaves out all that a browser does beyond following a link with its cookie.

mod connection;
mod histogram;
mod page;
mod schedule;
mod visitors;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use connection::{Connection, Errand};
pub(crate) use histogram::Histogram;
use schedule::{Next, Schedule};
use visitors::Wrong;
pub(crate) use visitors::{Shape, Visitors};

/// A server that answers nothing for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the patience is looked at, in rounds of the event loop.
const ROUNDS_BETWEEN_LOOKS: u32 = 4096;

/// What a run of load saw.
#[derive(Debug, Clone)]
pub(crate) struct Stats {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latency: Histogram,
    /// Answers that were not what the visitor had to get.
    pub(crate) mismatches: u64,
    pub(crate) first_mismatch: Option<String>,
}

impl Stats {
    pub(crate) fn new() -> Self {
        let (elapsed, latency) = (Duration::ZERO, Histogram::new());
        Self { requests: 0, elapsed, latency, mismatches: 0, first_mismatch: None }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.elapsed += other.elapsed;
        self.latency.add(&other.latency);
        self.mismatches += other.mismatches;
        self.first_mismatch = self.first_mismatch.take().or(other.first_mismatch);
    }

    fn record(&mut self, latency: Duration, outcome: Result<(), Wrong>) {
        self.requests += 1;
        self.latency.record(latency);
        if let Err(Wrong(what)) = outcome {
            self.mismatches += 1;
            self.first_mismatch.get_or_insert(what);
        }
    }
}

/// Open connections to one server.
#[derive(Debug)]
pub(crate) struct Generator {
    poll: Poll,
    /// How long it sleeps at most while no answer comes: not at all, so that it is never late, but where it shares its
    /// core with what is measured.
    nap: Duration,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    /// Everything of a request between its target and its cookie.
    middle: Vec<u8>,
    request: Vec<u8>,
    scratch: Vec<u8>,
}

impl Generator {
    pub(crate) fn connect(address: SocketAddr, connections: usize) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("open an event queue: {error}"))?;
        let open = |token| Connection::open(address, &poll, token);
        let connections: Vec<_> = (0..connections)
            .map(open)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("connect to {address}: {error}"))?;
        let middle = format!(
            " HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\n\
             Sec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: document\r\n"
        );
        let (idle, middle) = ((0..connections.len()).collect(), middle.into_bytes());
        Ok(Self {
            poll,
            nap: Duration::ZERO,
            connections,
            idle,
            middle,
            request: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Lets others have its core while it waits for answers.
    pub(crate) fn napping(self) -> Self {
        Generator { nap: Duration::from_millis(1), ..self }
    }

    /// All visitors in turn, each connection sending its next request when it has its answer.
    pub(crate) fn visit(&mut self, visitors: &mut Visitors, time: Duration) -> Result<Stats, String> {
        self.run(visitors, Schedule::until(Instant::now() + time))
    }

    /// Visits each visitor once.
    pub(crate) fn visit_all(&mut self, visitors: &mut Visitors) -> Result<Stats, String> {
        let times = visitors.len();
        self.visit_next(visitors, times)
    }

    /// Visits as many visitors as are next in turn.
    pub(crate) fn visit_next(&mut self, visitors: &mut Visitors, how_many: usize) -> Result<Stats, String> {
        self.run(visitors, Schedule::times(how_many))
    }

    /// As many new visitors.
    pub(crate) fn create(&mut self, visitors: &mut Visitors, how_many: usize) -> Result<Stats, String> {
        self.run(visitors, Schedule::fresh(how_many))
    }

    /// All visitors in turn at `rate` a second, whether the server keeps up or not; latency counts from the
    /// moment a request was due.
    pub(crate) fn paced(
        &mut self,
        visitors: &mut Visitors,
        rate: f64,
        time: Duration,
    ) -> Result<Stats, String> {
        self.run(visitors, Schedule::paced(Instant::now(), rate, time))
    }

    fn run(&mut self, visitors: &mut Visitors, mut schedule: Schedule) -> Result<Stats, String> {
        let mut stats = Stats::new();
        let mut events = Events::with_capacity(1024);
        let begin = Instant::now();
        let (mut last_answer, mut rounds) = (begin, 0u32);
        loop {
            let more = self.dispatch(visitors, &mut schedule)?;
            if !more && self.idle.len() == self.connections.len() {
                stats.elapsed = last_answer - begin;
                return Ok(stats);
            }
            self.poll.poll(&mut events, Some(self.nap)).map_err(|error| format!("poll: {error}"))?;
            for event in &events {
                if let Some(now) = self.take(event.token().0, visitors, &mut stats)? {
                    last_answer = now;
                    self.dispatch(visitors, &mut schedule)?;
                }
            }
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(ROUNDS_BETWEEN_LOOKS) && last_answer.elapsed() > PATIENCE {
                return Err("the server has stopped answering".to_owned());
            }
        }
    }

    /// Sends what is due on the idle connections; false once nothing will ever be due again.
    fn dispatch(&mut self, visitors: &mut Visitors, schedule: &mut Schedule) -> Result<bool, String> {
        while let Some(connection) = self.idle.last().copied() {
            let errand = match schedule.next(Instant::now()) {
                Next::Nothing => return Ok(false),
                Next::Later => return Ok(true),
                Next::Fresh(since) => Errand { visitor: None, since },
                Next::Visit(since) => match visitors.next() {
                    Some(index) => Errand { visitor: Some(index), since },
                    None => return Err("fewer visitors than connections".to_owned()),
                },
            };
            self.idle.pop();
            self.write_request(visitors, errand.visitor);
            self.connections[connection].send(errand, &self.request)?;
        }
        Ok(true)
    }

    fn write_request(&mut self, visitors: &Visitors, visitor: Option<usize>) {
        self.request.clear();
        self.request.extend_from_slice(b"GET ");
        let visitor = visitor.map(|index| visitors.get(index));
        self.request.extend_from_slice(visitor.map_or(b"/", |visitor| visitor.target()));
        self.request.extend_from_slice(&self.middle);
        if let Some(visitor) = visitor {
            self.request.extend_from_slice(b"Cookie: ");
            self.request.extend_from_slice(visitor.cookie());
            self.request.extend_from_slice(b"\r\n");
        }
        self.request.extend_from_slice(b"\r\n");
    }

    /// Takes what came on a connection; the time, if that completed an answer.
    fn take(
        &mut self,
        token: usize,
        visitors: &mut Visitors,
        stats: &mut Stats,
    ) -> Result<Option<Instant>, String> {
        let Some((errand, answer)) = self.connections[token].receive()? else { return Ok(None) };
        let now = Instant::now();
        let outcome = match errand.visitor {
            Some(index) => visitors.visited(index, &answer, &mut self.scratch),
            None => visitors.begun(&answer, &mut self.scratch),
        };
        stats.record(now - errand.since, outcome);
        self.idle.push(token);
        Ok(Some(now))
    }
}
