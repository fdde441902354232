//! Requests per second with a journal, each answer after its fsync, against the same server without one (budget row 5).
//!
//! A round starts every variant fresh, on a fresh journal, and gives each a fifth of a second in turn, as the throughput
//! does. The journal is written by a thread of its own: on the server's core, so that all there is to do is done by one
//! core; and once more moved to the generator's, which it must share with it: so here the generator sleeps while it waits,
//! with all variants.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entrant::{Entrant, play_in_turn};
use super::place::Place;
use super::ratio::{mean, median, median_ratio};
use super::{Bench, OURS, WARM_UP};
use crate::process::Server;

const SESSIONS: usize = 1000;
const CONNECTIONS: [usize; 2] = [64, 256];
/// How long a server is under load before it is the next one's turn: many times what a slow disk takes to write.
const TURN: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    pub(crate) sessions: usize,
    /// The cores that others kept busy.
    pub(crate) others: f64,
    pub(crate) lines: Vec<Line>,
}

/// A variant's medians over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) connections: usize,
    /// Where the journal lies; `None` without one.
    pub(crate) place: Option<String>,
    /// How often a second 4 KiB became durable there, before.
    pub(crate) syncs: Option<f64>,
    /// Its writer was on the generator's core.
    pub(crate) apart: bool,
    pub(crate) rate: f64,
    /// To the same server without a journal, round by round.
    pub(crate) ratio: f64,
    /// All threads of the server, the writer too.
    pub(crate) cpu_ns: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Where sessions are kept, and where that is written.
#[derive(Debug, Clone, Copy)]
struct Variant<'a> {
    place: Option<&'a Place>,
    /// The core that the writer is moved to.
    apart: Option<usize>,
}

/// A variant's figures, one for each round.
#[derive(Debug, Clone, Default)]
struct Rounds {
    rate: Vec<f64>,
    cpu_ns: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Option<Journal>, String> {
    if bench.choose(&[OURS]).is_empty() {
        return Ok(None);
    }
    let quick = bench.options.quick;
    let seconds = bench.options.seconds.unwrap_or(if quick { 0.4 } else { 1.0 });
    let rounds = bench.options.rounds.unwrap_or(if quick { 2 } else { 11 });
    let places = Place::all(bench)?;
    let variants = variants(bench, &places);
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for connections in CONNECTIONS {
        let mut figures = vec![Rounds::default(); variants.len()];
        for round in 1..=rounds {
            eprintln!("journal: {connections} connections, round {round} of {rounds}");
            others.push(play_round(bench, &variants, connections, seconds, &mut figures)?);
        }
        let memory = &figures[0];
        lines.extend(variants.iter().zip(&figures).map(|(it, rounds)| rounds.line(it, connections, memory)));
    }
    Ok(Some(Journal { seconds, rounds, sessions: SESSIONS, others: mean(&others), lines }))
}

/// Without a journal first, since the others are compared to it.
fn variants<'a>(bench: &Bench, places: &'a [Place]) -> Vec<Variant<'a>> {
    let mut variants = vec![Variant { place: None, apart: None }];
    for place in places {
        variants.push(Variant { place: Some(place), apart: None });
        if let Some(pins) = bench.pins {
            variants.push(Variant { place: Some(place), apart: Some(pins.generator) });
        }
    }
    variants
}

/// The cores that others kept busy.
fn play_round(
    bench: &mut Bench,
    variants: &[Variant<'_>],
    connections: usize,
    seconds: f64,
    figures: &mut [Rounds],
) -> Result<f64, String> {
    let enter = |variant: &Variant<'_>| enter(bench, variant, connections);
    let mut entrants = variants.iter().map(enter).collect::<Result<Vec<_>, _>>()?;
    let turns = (seconds / TURN.as_secs_f64()).ceil() as usize;
    let others = play_in_turn(&mut entrants, turns, |entrant| {
        entrant.play(bench, |generator, visitors| generator.visit(visitors, TURN))
    })?;
    for (rounds, entrant) in figures.iter_mut().zip(&entrants) {
        rounds.add(entrant);
    }
    Ok(others)
}

/// Begins the sessions, and has each visited again: the journal knows a session from its second hit on.
fn enter(bench: &mut Bench, variant: &Variant<'_>, connections: usize) -> Result<Entrant, String> {
    let server = variant.start(bench)?;
    let visitors = bench.visitors(&server, SESSIONS)?;
    let mut entrant = Entrant::new(bench, server, visitors, connections)?.napping();
    entrant.warm_up(bench, |generator, visitors| generator.visit_all(visitors))?;
    entrant.warm_up(bench, |generator, visitors| generator.visit(visitors, WARM_UP))?;
    Ok(entrant)
}

impl Variant<'_> {
    fn start(&self, bench: &Bench) -> Result<Server, String> {
        let Some(place) = self.place else { return bench.start(OURS) };
        let journal = place.fresh(if self.apart.is_some() { "apart" } else { "together" })?;
        let server = bench.start_journaled(&journal, 0)?;
        if let Some(core) = self.apart {
            server.move_writer(core)?;
        }
        Ok(server)
    }
}

impl Rounds {
    fn add(&mut self, Entrant { stats, cpu, .. }: &Entrant) {
        self.rate.push(stats.rate());
        self.cpu_ns.push(cpu.as_nanos() as f64 / stats.requests as f64);
        self.p50_us.push(stats.latency.quantile(0.5));
        self.p99_us.push(stats.latency.quantile(0.99));
    }

    fn line(&self, variant: &Variant<'_>, connections: usize, memory: &Self) -> Line {
        let of = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        Line {
            connections,
            place: variant.place.map(|place| place.name.to_owned()),
            syncs: variant.place.map(|place| place.syncs),
            apart: variant.apart.is_some(),
            rate: of(&self.rate),
            ratio: median_ratio(&self.rate, &memory.rate).unwrap_or(f64::NAN),
            cpu_ns: of(&self.cpu_ns),
            p50_us: of(&self.p50_us),
            p99_us: of(&self.p99_us),
        }
    }
}
