//! Requests per second and CPU per request, against a bare hyper hello (budget row 1).
//!
//! A round starts every server fresh and gives each a twentieth of a second in turn, forwards and backwards, so that
//! what the machine does besides meets all alike; ratios are taken within a round. Rounds are short and many: a
//! machine that stalls now and then spoils some of them, and the median leaves those out. The bare hello takes part
//! twice, and the ratio of one to the other tells how fine a difference the run can see.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entrant::{Entrant, play_in_turn};
use super::ratio::{mean, median, median_ratio};
use super::{ACTOR, Bench, HELLO, HELLO_AGAIN, HYPER_MAP, OURS, OURS_SIMPLE, TOWER_SESSIONS, WARM_UP};
use crate::load::Shape;

const SESSIONS: usize = 1000;
/// How long a server is under load before it is the next one's turn.
const TURN: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Throughput {
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    pub(crate) connections: usize,
    pub(crate) sessions: usize,
    /// What the bare hello imitated.
    pub(crate) shape: Shape,
    /// The cores that others kept busy.
    pub(crate) others: f64,
    pub(crate) lines: Vec<Line>,
}

/// A server's medians over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) server: String,
    pub(crate) rate: f64,
    pub(crate) rate_ratio: f64,
    pub(crate) cpu_ns: f64,
    pub(crate) cpu_ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// The share of its core that the server used; well below 1, the generator was the limit.
    pub(crate) busy: f64,
}

/// A server's figures, one for each round.
#[derive(Debug, Default)]
struct Rounds {
    rate: Vec<f64>,
    cpu_ns: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    busy: Vec<f64>,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Throughput, String> {
    let names = contenders(bench);
    let seconds = bench.options.seconds.unwrap_or(if bench.options.quick { 1.0 } else { 1.4 });
    let rounds = bench.options.rounds.unwrap_or(if bench.options.quick { 3 } else { 15 });
    let mut others = Vec::new();
    let mut figures: Vec<Rounds> = names.iter().map(|_| Rounds::default()).collect();
    for round in 1..=rounds {
        eprintln!("throughput: round {round} of {rounds}: {}", names.join(", "));
        let (entrants, others_busy) = play_round(bench, &names, seconds)?;
        others.push(others_busy);
        for (rounds, entrant) in figures.iter_mut().zip(&entrants) {
            rounds.add(entrant);
        }
    }
    let lines = names.iter().zip(&figures).map(|(name, rounds)| rounds.line(name, &figures[0])).collect();
    let (connections, shape) = (bench.options.connections, bench.shape);
    Ok(Throughput { seconds, rounds, connections, sessions: SESSIONS, shape, others: mean(&others), lines })
}

/// The bare hello first, since all others are compared to it, and last, to see what that comparison is worth.
fn contenders(bench: &Bench) -> Vec<String> {
    let mut names = vec![HELLO.to_owned()];
    let known: &[&str] = match bench.options.only {
        Some(_) => &[OURS, OURS_SIMPLE, HYPER_MAP, TOWER_SESSIONS, ACTOR],
        None => &[OURS, HYPER_MAP, TOWER_SESSIONS, ACTOR],
    };
    names.extend(bench.choose(known));
    names.push(HELLO_AGAIN.to_owned());
    names
}

fn play_round(bench: &mut Bench, names: &[String], seconds: f64) -> Result<(Vec<Entrant>, f64), String> {
    let mut entrants = names.iter().map(|name| enter(bench, name)).collect::<Result<Vec<_>, _>>()?;
    let turns = (seconds / TURN.as_secs_f64()).ceil() as usize;
    let others = play_in_turn(&mut entrants, turns, |entrant| {
        entrant.play(bench, |generator, visitors| generator.visit(visitors, TURN))
    })?;
    Ok((entrants, others))
}

fn enter(bench: &mut Bench, name: &str) -> Result<Entrant, String> {
    let server = bench.start(if name == HELLO_AGAIN { HELLO } else { name })?;
    let visitors = bench.visitors(&server, SESSIONS)?;
    let mut entrant = Entrant::new(bench, server, visitors, bench.options.connections)?;
    entrant.warm_up(bench, |generator, visitors| generator.visit(visitors, WARM_UP))?;
    Ok(entrant)
}

impl Rounds {
    fn add(&mut self, Entrant { stats, cpu, .. }: &Entrant) {
        self.rate.push(stats.rate());
        self.cpu_ns.push(cpu.as_nanos() as f64 / stats.requests as f64);
        self.p50_us.push(stats.latency.quantile(0.5));
        self.p99_us.push(stats.latency.quantile(0.99));
        self.busy.push(cpu.as_secs_f64() / stats.elapsed.as_secs_f64());
    }

    fn line(&self, server: &str, hello: &Self) -> Line {
        let of = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        Line {
            server: server.to_owned(),
            rate: of(&self.rate),
            rate_ratio: median_ratio(&self.rate, &hello.rate).unwrap_or(f64::NAN),
            cpu_ns: of(&self.cpu_ns),
            cpu_ratio: median_ratio(&self.cpu_ns, &hello.cpu_ns).unwrap_or(f64::NAN),
            p50_us: of(&self.p50_us),
            p99_us: of(&self.p99_us),
            busy: of(&self.busy),
        }
    }
}
