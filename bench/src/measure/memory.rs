//! Bytes per waiting session (budget row 2).
//!
//! Memory in RAM before and after, divided by the sessions in between: everything is in, tables, allocator and all.
//! Tables grow in jumps, so a single count can flatter; the figure is the worst over a doubling of the count.

use serde::{Deserialize, Serialize};

use super::ratio::mean;
use super::{ACTOR, Bench, HYPER_MAP, OURS, OURS_SIMPLE, TOWER_SESSIONS};
use crate::load::Visitors;
use crate::process::Server;

/// Made before memory is first looked at, so that connections and code are warm.
const WARM_UP: usize = 256;
const FIRST: usize = 10_000;
const STEP: usize = 25_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) lines: Vec<Line>,
    /// The cores that others kept busy.
    pub(crate) others: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) server: String,
    pub(crate) samples: Vec<Sample>,
    /// The most bytes per session from half the sessions to all, and after each was visited again where that was tried.
    pub(crate) worst: f64,
    pub(crate) all: usize,
    /// After every session was visited a second time.
    pub(crate) visited_again: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) sessions: usize,
    pub(crate) bytes_per_session: f64,
}

impl Line {
    /// The bytes per session at the sample with this many sessions.
    pub(crate) fn at(&self, sessions: usize) -> Option<f64> {
        self.samples.iter().find(|sample| sample.sessions == sessions).map(|sample| sample.bytes_per_session)
    }
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Memory, String> {
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for name in bench.choose(&[OURS, OURS_SIMPLE, HYPER_MAP, TOWER_SESSIONS, ACTOR]) {
        let all = bench.options.sessions.unwrap_or_else(|| sessions_for(&name, bench.options.quick));
        lines.push(measure_one(bench, &name, all, &mut others)?);
    }
    Ok(Memory { lines, others: mean(&others) })
}

/// The budget asks for 0.6 to 1.2 million; rivals that take kilobytes each stop earlier.
fn sessions_for(name: &str, quick: bool) -> usize {
    match name {
        _ if quick => 200_000,
        TOWER_SESSIONS | ACTOR => 300_000,
        _ => 1_200_000,
    }
}

fn measure_one(bench: &mut Bench, name: &str, all: usize, others: &mut Vec<f64>) -> Result<Line, String> {
    eprintln!("memory: {name}, {all} sessions");
    let server = bench.start(name)?;
    let mut visitors = Visitors::with_room_for(all + WARM_UP);
    bench.create(&server, &mut visitors, WARM_UP)?;
    let before = server.resident()?;
    let mut samples = Vec::new();
    for sessions in steps(all) {
        let missing = sessions + WARM_UP - visitors.len();
        others.push(bench.create(&server, &mut visitors, missing)?.others);
        samples.push(Sample { sessions, bytes_per_session: per_session(&server, before, sessions)? });
    }
    let visited_again = if matches!(name, OURS | OURS_SIMPLE) {
        bench.pass(&server, &mut visitors, |generator, visitors| generator.visit_all(visitors))?;
        Some(per_session(&server, before, all)?)
    } else {
        None
    };
    let worst = worst(&samples, all).max(visited_again.unwrap_or(0.0));
    Ok(Line { server: name.to_owned(), samples, worst, all, visited_again })
}

fn per_session(server: &Server, before: u64, sessions: usize) -> Result<f64, String> {
    Ok((server.resident()? as f64 - before as f64) / sessions as f64)
}

/// The counts at which memory is looked at.
fn steps(all: usize) -> Vec<usize> {
    let early = [FIRST].into_iter().filter(|first| *first < all);
    let last = [all].into_iter().filter(|all| !all.is_multiple_of(STEP));
    early.chain((STEP..=all).step_by(STEP)).chain(last).collect()
}

fn worst(samples: &[Sample], all: usize) -> f64 {
    let counted = samples.iter().filter(|sample| sample.sessions * 2 >= all);
    counted.map(|sample| sample.bytes_per_session).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_looked_at_in_even_steps() {
        assert_eq!(steps(60_000), [10_000, 25_000, 50_000, 60_000]);
        assert_eq!(steps(10_000), [10_000]);
        assert_eq!(steps(100_000).last(), Some(&100_000));
    }

    #[test]
    fn the_worst_counts_from_half_on() {
        let sample = |sessions, bytes_per_session| Sample { sessions, bytes_per_session };
        let samples = [sample(10, 900.0), sample(50, 300.0), sample(75, 320.0), sample(100, 250.0)];
        assert_eq!(worst(&samples, 100), 320.0);
    }
}
