//! What a million waiting sessions cost those who are active (budget row 4).
//!
//! Two servers of a kind run side by side, one with few sessions and one with a crowd; passes go few, crowd,
//! crowd, few, and the ratio of the slowest hundredth is taken within a round. Rounds are short and many, because
//! on a shared machine the slowest hundredth is often the machine's own stalls: the median leaves out the rounds
//! that had one. What that hides, something slow that happens rarely, shows in the p99 over all rounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ratio::{mean, median, median_ratio};
use super::{Bench, HYPER_MAP, OURS};
use crate::load::{Generator, Histogram, Stats, Visitors};
use crate::process::Server;

const ACTIVE: usize = 1000;
/// Offered to all visitors together, per second.
const OFFERED: f64 = 50_000.0;
/// Of what the server can do, this much is offered at most.
const SHARE_OFFERED: f64 = 0.5;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Crowd {
    pub(crate) server: String,
    pub(crate) waiting: usize,
    pub(crate) active: usize,
    pub(crate) rounds: usize,
    /// The same few are active in both, as fast as they can; in one of them the crowd waits.
    pub(crate) asleep: Pair,
    /// The whole crowd in turn against the few in turn, both at the offered rate.
    pub(crate) awake: Pair,
    /// Requests offered per second, and why not more.
    pub(crate) offered: f64,
    pub(crate) offered_why: String,
    /// The cores that others kept busy.
    pub(crate) others: f64,
}

/// p99 in microseconds: medians over rounds, and of all requests together; the ratio is the median of the rounds'.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) few_p99_us: f64,
    pub(crate) crowd_p99_us: f64,
    pub(crate) few_all_p99_us: f64,
    pub(crate) crowd_all_p99_us: f64,
    pub(crate) ratio: f64,
}

/// The two servers and who visits them.
struct Scene {
    few: Server,
    few_visitors: Visitors,
    crowd: Server,
    active: Visitors,
    waiting: Visitors,
}

struct Rounds {
    few: Vec<f64>,
    crowd: Vec<f64>,
    few_all: Histogram,
    crowd_all: Histogram,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Option<Crowd>, String> {
    let wanted: &[&str] = if bench.options.only.is_some() { &[OURS, HYPER_MAP] } else { &[OURS] };
    let Some(server) = bench.choose(wanted).into_iter().next() else { return Ok(None) };
    let (quick, options) = (bench.options.quick, &bench.options);
    let waiting = options.sessions.unwrap_or(if quick { 200_000 } else { 1_000_000 });
    let rounds = options.rounds.unwrap_or(if quick { 7 } else { 31 });
    let time = Duration::from_secs_f64(options.seconds.unwrap_or(0.5) / 2.0);
    eprintln!("crowd: {server}, {waiting} sessions begin");
    let mut scene = Scene::set(bench, &server, waiting)?;
    let capacity = scene.capacity(bench)?;
    let offered = OFFERED.min(capacity * SHARE_OFFERED);
    let (mut asleep, mut awake, mut others) = (Rounds::new(), Rounds::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("crowd: {server}, round {round} of {rounds}, {offered:.0} requests/s offered");
        scene.play_asleep(bench, time, &mut asleep, &mut others)?;
        scene.play_awake(bench, time, offered, &mut awake, &mut others)?;
    }
    let (asleep, awake, others) = (asleep.pair(), awake.pair(), mean(&others));
    let offered_why = why(offered, capacity);
    Ok(Some(Crowd { server, waiting, active: ACTIVE, rounds, asleep, awake, offered, offered_why, others }))
}

fn why(offered: f64, capacity: f64) -> String {
    if offered == OFFERED {
        "as the budget asks".to_owned()
    } else {
        format!("{:.0} % of the {capacity:.0} requests/s this machine manages", SHARE_OFFERED * 100.0)
    }
}

impl Scene {
    fn set(bench: &mut Bench, name: &str, waiting: usize) -> Result<Self, String> {
        let few = bench.start(name)?;
        let few_visitors = bench.visitors(&few, ACTIVE)?;
        let crowd = bench.start(name)?;
        let waiting = bench.visitors(&crowd, waiting)?;
        let active = bench.visitors(&crowd, ACTIVE)?;
        Ok(Self { few, few_visitors, crowd, active, waiting })
    }

    /// Requests per second that the server with few sessions manages.
    fn capacity(&mut self, bench: &mut Bench) -> Result<f64, String> {
        let second = |generator: &mut Generator, visitors: &mut Visitors| {
            generator.visit(visitors, Duration::from_secs(1))
        };
        Ok(bench.warm_pass(&self.few, &mut self.few_visitors, second)?.stats.rate())
    }

    fn play_asleep(
        &mut self,
        bench: &mut Bench,
        time: Duration,
        rounds: &mut Rounds,
        others: &mut Vec<f64>,
    ) -> Result<(), String> {
        let load = |generator: &mut Generator, visitors: &mut Visitors| generator.visit(visitors, time);
        let few = (&self.few, &mut self.few_visitors);
        rounds.play(bench, few, (&self.crowd, &mut self.active), load, others)
    }

    fn play_awake(
        &mut self,
        bench: &mut Bench,
        time: Duration,
        rate: f64,
        rounds: &mut Rounds,
        others: &mut Vec<f64>,
    ) -> Result<(), String> {
        let load = |generator: &mut Generator, visitors: &mut Visitors| generator.paced(visitors, rate, time);
        let few = (&self.few, &mut self.few_visitors);
        rounds.play(bench, few, (&self.crowd, &mut self.waiting), load, others)
    }
}

impl Rounds {
    fn new() -> Self {
        let (few_all, crowd_all) = (Histogram::new(), Histogram::new());
        Self { few: Vec::new(), crowd: Vec::new(), few_all, crowd_all }
    }

    fn play(
        &mut self,
        bench: &mut Bench,
        few: (&Server, &mut Visitors),
        crowd: (&Server, &mut Visitors),
        load: impl Fn(&mut Generator, &mut Visitors) -> Result<Stats, String>,
        others: &mut Vec<f64>,
    ) -> Result<(), String> {
        let mut sides = [few, crowd];
        let mut latencies = [Histogram::new(), Histogram::new()];
        for side in [0, 1, 1, 0] {
            let (server, visitors) = &mut sides[side];
            let pass = bench.warm_pass(server, visitors, &load)?;
            latencies[side].add(&pass.stats.latency);
            others.push(pass.others);
        }
        let [few, crowd] = latencies;
        self.few.push(few.quantile(0.99));
        self.crowd.push(crowd.quantile(0.99));
        self.few_all.add(&few);
        self.crowd_all.add(&crowd);
        Ok(())
    }

    fn pair(&self) -> Pair {
        Pair {
            few_p99_us: median(&self.few).unwrap_or(f64::NAN),
            crowd_p99_us: median(&self.crowd).unwrap_or(f64::NAN),
            few_all_p99_us: self.few_all.quantile(0.99),
            crowd_all_p99_us: self.crowd_all.quantile(0.99),
            ratio: median_ratio(&self.crowd, &self.few).unwrap_or(f64::NAN),
        }
    }
}
