//! How far a long test is, said now and then; and how long it is to be, where the environment says so.

use std::time::{Duration, Instant};

/// How often it is said.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what a test has tried.
pub struct Progress {
    what: String,
    of: usize,
    done: usize,
    start: Instant,
    said: Instant,
}

impl Progress {
    pub fn new(what: impl Into<String>, of: usize) -> Progress {
        let now = Instant::now();
        Progress { what: what.into(), of, done: 0, start: now, said: now }
    }

    /// So many more are done; `at` says where it is.
    pub fn goes_on(&mut self, more: usize, at: &str) {
        self.done += more;
        if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let (Progress { what, of, done, .. }, elapsed) = (&*self, self.elapsed());
            println!("{what}: {done} of {of}, {elapsed}{}{at}", if at.is_empty() { "" } else { ", at " });
        }
    }

    /// Since the beginning, in seconds.
    pub fn elapsed(&self) -> String {
        format!("{:.1} s", self.start.elapsed().as_secs_f64())
    }
}

/// As many as this variable of the environment says, or else these.
pub fn asked(variable: &str, usual: u64) -> u64 {
    let Ok(number) = std::env::var(variable) else { return usual };
    number.parse().unwrap_or_else(|_| panic!("{variable} is a number, and not {number:?}"))
}
