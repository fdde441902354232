//! The cost of rebuilding a parked session from a journal, and how long its visitor waits (budget row 6).
//!
//! Sessions are made once, and the server is stopped as a user would. Each round starts a server on a copy of that
//! journal, so that nothing is in memory but the disk's own cache, and every session is as long as it was. Then each
//! visitor comes once, in random order: their session is played again, takes the step, and answers when it is written.
//! A second visit of all tells what of that is not the rebuilding: fifty of those are what the steps cost live. Then a server
//! that only reads the same rows of the same file is asked as often, for how long a visitor waits can only be compared to that.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::ratio::{mean, median, median_ratio};
use super::{Bench, OURS, Pass};
use crate::load::{Generator, Visitors};

/// Steps of a session: its first page is one.
const STEPS: usize = 50;
/// Visitors who come at once.
const CONNECTIONS: usize = 8;
/// Sessions that are rebuilt before it counts, so that the server's code is in memory.
const WARM_UP: usize = 200;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rebuild {
    pub(crate) sessions: usize,
    pub(crate) steps: usize,
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    /// The cores that others kept busy.
    pub(crate) others: f64,
    pub(crate) lines: Vec<Line>,
}

/// Medians over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) place: String,
    /// How often a second 4 KiB became durable there, before.
    pub(crate) syncs: f64,
    pub(crate) rebuilt: Visits,
    /// The same visitors once more: their sessions are in memory then.
    pub(crate) present: Visits,
    /// A plain read of the same rows.
    pub(crate) read: Visits,
    /// The processor time of a rebuild to that of as many hits to sessions in memory as it plays steps, round by round.
    pub(crate) cpu_ratio: f64,
    /// The p99 of a rebuild to that of a plain read, round by round.
    pub(crate) p99_ratio: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Visits {
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// The CPU time of the server for each.
    pub(crate) cpu_us: f64,
}

/// Figures of all rounds.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    rate: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    cpu_us: Vec<f64>,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Option<Rebuild>, String> {
    if bench.choose(&[OURS]).is_empty() {
        return Ok(None);
    }
    let (quick, sessions) = (bench.options.quick, bench.options.parked);
    let rounds = bench.options.rounds.unwrap_or(if quick { 3 } else { 9 });
    let places = Place::all(bench)?;
    eprintln!("rebuild: {} sessions take {STEPS} steps", sessions + WARM_UP);
    // The last place is the fastest.
    let made = places.last().expect("there is a disk").fresh("made")?;
    let (visitors, port) = make(bench, &made, sessions + WARM_UP)?;
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for place in &places {
        let [mut rebuilt, mut present, mut read]: [Rounds; 3] = Default::default();
        for round in 1..=rounds {
            eprintln!("rebuild: {}, round {round} of {rounds}", place.name);
            let mut visitors = visitors.clone();
            visitors.shuffle(round as u64);
            let [first, second] = play_round(bench, &place.copy(&made, "round")?, port, &mut visitors)?;
            let plain = bench.read_rows(&place.copy(&made, "round")?, sessions, CONNECTIONS)?;
            for (pass, rounds) in [first, second, plain].iter().zip([&mut rebuilt, &mut present, &mut read]) {
                rounds.add(pass);
                others.push(pass.others);
            }
        }
        lines.push(Line {
            place: place.name.to_owned(),
            syncs: place.syncs,
            cpu_ratio: rebuilt.cpu_to_hits(&present, STEPS),
            p99_ratio: rebuilt.p99_to(&read),
            rebuilt: rebuilt.visits(),
            present: present.visits(),
            read: read.visits(),
        });
    }
    let others = mean(&others);
    Ok(Some(Rebuild { sessions, steps: STEPS, connections: CONNECTIONS, rounds, others, lines }))
}

/// Makes a journal of parked sessions; the visitors they belong to, and the port where they know them.
fn make(bench: &mut Bench, journal: &Path, sessions: usize) -> Result<(Visitors, u16), String> {
    let server = bench.start_journaled(journal, 0)?;
    let port = server.address.port();
    let mut visitors = bench.visitors(&server, sessions)?;
    for _ in 1..STEPS {
        bench.pass(&server, &mut visitors, Generator::visit_all)?;
    }
    server.stop()?;
    Ok((visitors, port))
}

/// Everybody comes once to sessions that are not in memory, and once more.
fn play_round(
    bench: &mut Bench,
    journal: &Path,
    port: u16,
    visitors: &mut Visitors,
) -> Result<[Pass; 2], String> {
    let server = bench.start_journaled(journal, port)?;
    let sessions = visitors.len() - WARM_UP;
    let mut generator = bench.connect(&server, CONNECTIONS)?;
    let mut visit = |how_many: usize| {
        bench.run(&server, &mut generator, visitors, |generator, visitors| {
            generator.visit_next(visitors, how_many)
        })
    };
    visit(WARM_UP)?;
    let rebuilt = visit(sessions)?;
    visit(WARM_UP)?;
    let present = visit(sessions)?;
    Ok([rebuilt, present])
}

impl Rounds {
    pub(super) fn add(&mut self, Pass { stats, cpu, .. }: &Pass) {
        self.rate.push(stats.rate());
        self.p50_us.push(stats.latency.quantile(0.5));
        self.p99_us.push(stats.latency.quantile(0.99));
        self.cpu_us.push(cpu.as_secs_f64() * 1e6 / stats.requests as f64);
    }

    /// Its processor time to that of so many of the others, round by round.
    pub(super) fn cpu_to_hits(&self, hits: &Rounds, many: usize) -> f64 {
        median_ratio(&self.cpu_us, &hits.cpu_us).unwrap_or(f64::NAN) / many as f64
    }

    /// Its p99 to the others', round by round.
    pub(super) fn p99_to(&self, others: &Rounds) -> f64 {
        median_ratio(&self.p99_us, &others.p99_us).unwrap_or(f64::NAN)
    }

    pub(super) fn visits(&self) -> Visits {
        let [rate, p50_us, p99_us, cpu_us] = [&self.rate, &self.p50_us, &self.p99_us, &self.cpu_us]
            .map(|values| median(values).unwrap_or(f64::NAN));
        Visits { rate, p50_us, p99_us, cpu_us }
    }
}
