//! Requests per second behind nginx by FastCGI, against the same server behind nginx by HTTP (budget row 8).
//!
//! nginx and the server share the server's core, so that all there is to do for a request is done by one core. A round
//! starts both sides fresh and gives each a twentieth of a second in turn, as the throughput does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entrant::{Entrant, play_in_turn};
use super::ratio::{mean, median, median_ratio};
use super::{Bench, OURS, WARM_UP};
use crate::front::{self, By};
use crate::report;

const SESSIONS: usize = 1000;
/// How long one side is under load before it is the other's turn.
const TURN: Duration = Duration::from_millis(50);
/// HTTP twice: how far the second is from the first is what the run cannot tell apart.
const SIDES: [(&str, By); 3] = [("HTTP", By::Http), ("FastCGI", By::FastCgi), ("HTTP again", By::Http)];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fronted {
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    pub(crate) connections: usize,
    pub(crate) sessions: usize,
    /// The cores that others kept busy.
    pub(crate) others: f64,
    pub(crate) lines: Vec<Line>,
}

/// A side's medians over all rounds; the processor time is nginx's and the server's together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) by: String,
    pub(crate) rate: f64,
    /// To HTTP, round by round.
    pub(crate) rate_ratio: f64,
    pub(crate) cpu_ns: f64,
    pub(crate) cpu_ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// A side's figures, one for each round.
#[derive(Debug, Default)]
struct Rounds {
    rate: Vec<f64>,
    cpu_ns: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// `None` without nginx, or if the library is not among the servers.
pub(crate) fn measure(bench: &mut Bench) -> Result<Option<Fronted>, String> {
    if front::nginx().is_none() || bench.choose(&[OURS]).is_empty() {
        return Ok(None);
    }
    let seconds = bench.options.seconds.unwrap_or(if bench.options.quick { 0.5 } else { 1.0 });
    let rounds = bench.options.rounds.unwrap_or(if bench.options.quick { 3 } else { 11 });
    let (mut figures, mut others) = (SIDES.map(|_| Rounds::default()), Vec::new());
    for round in 1..=rounds {
        eprintln!("fronted: round {round} of {rounds}");
        let enter = |(at, (_, by)): (usize, &(&str, By))| enter(bench, *by, at);
        let mut entrants = SIDES.iter().enumerate().map(enter).collect::<Result<Vec<_>, _>>()?;
        let turns = (seconds / TURN.as_secs_f64()).ceil() as usize;
        others.push(play_in_turn(&mut entrants, turns, |entrant| {
            entrant.play(bench, |generator, visitors| generator.visit(visitors, TURN))
        })?);
        figures.iter_mut().zip(&entrants).for_each(|(rounds, entrant)| rounds.add(entrant));
    }
    let lines = SIDES.iter().zip(&figures).map(|((by, _), rounds)| rounds.line(by, &figures[0])).collect();
    let connections = bench.options.connections;
    Ok(Some(Fronted { seconds, rounds, connections, sessions: SESSIONS, others: mean(&others), lines }))
}

fn enter(bench: &mut Bench, by: By, at: usize) -> Result<Entrant, String> {
    let folder = report::default_path().with_file_name(format!("nginx-{at}"));
    let server = bench.start_behind(by == By::FastCgi)?;
    let fronted = front::before(server, by, bench.pins, &folder)?;
    let visitors = bench.visitors(&fronted, SESSIONS)?;
    let mut entrant = Entrant::new(bench, fronted, visitors, bench.options.connections)?;
    entrant.warm_up(bench, |generator, visitors| generator.visit(visitors, WARM_UP))?;
    Ok(entrant)
}

impl Rounds {
    fn add(&mut self, Entrant { stats, cpu, .. }: &Entrant) {
        self.rate.push(stats.rate());
        self.cpu_ns.push(cpu.as_nanos() as f64 / stats.requests as f64);
        self.p50_us.push(stats.latency.quantile(0.5));
        self.p99_us.push(stats.latency.quantile(0.99));
    }

    fn line(&self, by: &str, http: &Self) -> Line {
        let of = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        let to = |ours: &[f64], theirs: &[f64]| median_ratio(ours, theirs).unwrap_or(f64::NAN);
        Line {
            by: by.to_owned(),
            rate: of(&self.rate),
            rate_ratio: to(&self.rate, &http.rate),
            cpu_ns: of(&self.cpu_ns),
            cpu_ratio: to(&self.cpu_ns, &http.cpu_ns),
            p50_us: of(&self.p50_us),
            p99_us: of(&self.p99_us),
        }
    }
}
