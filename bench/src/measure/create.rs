//! Sessions created per second up to a million, against hyper with a map of counters (budget row 3).
//!
//! The servers of a round grow side by side, some thousand sessions in turn, so that what the machine does besides
//! meets all alike.

use serde::{Deserialize, Serialize};

use super::entrant::{Entrant, play_in_turn};
use super::ratio::{mean, median, median_ratio};
use super::{ACTOR, Bench, HYPER_MAP, OURS, OURS_SIMPLE, TOWER_SESSIONS};
use crate::load::Visitors;

/// Created by one server before it is the next one's turn.
const TURN: usize = 5_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Create {
    pub(crate) sessions: usize,
    pub(crate) rounds: usize,
    pub(crate) lines: Vec<Line>,
    /// The cores that others kept busy.
    pub(crate) others: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) server: String,
    pub(crate) per_second: f64,
    /// To hyper with a map, round by round; of a server that ran once, in the first round.
    pub(crate) ratio: Option<f64>,
    pub(crate) times: usize,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Create, String> {
    let sessions = bench.options.sessions.unwrap_or(if bench.options.quick { 200_000 } else { 1_000_000 });
    let rounds = bench.options.rounds.unwrap_or(if bench.options.quick { 1 } else { 3 });
    let mut figures: Vec<(String, Vec<f64>)> = Vec::new();
    let mut others = Vec::new();
    for round in 1..=rounds {
        let names = contenders(bench, round);
        eprintln!("create: round {round} of {rounds}: {sessions} sessions each, {}", names.join(", "));
        let (entrants, others_busy) = play_round(bench, &names, sessions)?;
        others.push(others_busy);
        for (name, entrant) in names.into_iter().zip(entrants) {
            let rate = entrant.stats.rate();
            match figures.iter_mut().find(|(known, _)| *known == name) {
                Some((_, rates)) => rates.push(rate),
                None => figures.push((name, vec![rate])),
            }
        }
    }
    let map = figures.iter().find(|(name, _)| name == HYPER_MAP).map(|(_, rates)| rates.clone());
    let lines = figures.into_iter().map(|(name, rates)| line(name, &rates, map.as_deref())).collect();
    Ok(Create { sessions, rounds, lines, others: mean(&others) })
}

/// The two that are compared; the others in the first round only.
fn contenders(bench: &Bench, round: usize) -> Vec<String> {
    let once: &[&str] = match bench.options.only {
        Some(_) => &[OURS_SIMPLE, TOWER_SESSIONS, ACTOR],
        None => &[TOWER_SESSIONS, ACTOR],
    };
    let mut names = bench.choose(&[OURS, HYPER_MAP]);
    if round == 1 {
        names.extend(bench.choose(once));
    }
    names
}

fn play_round(bench: &mut Bench, names: &[String], sessions: usize) -> Result<(Vec<Entrant>, f64), String> {
    let connections = bench.options.connections;
    let enter = |name: &String| {
        Entrant::new(bench, bench.start(name)?, Visitors::with_room_for(sessions), connections)
    };
    let mut entrants = names.iter().map(enter).collect::<Result<Vec<_>, _>>()?;
    let turns = sessions.div_ceil(TURN);
    let others = play_in_turn(&mut entrants, turns, |entrant| {
        let turn = TURN.min(sessions - entrant.stats.requests as usize);
        entrant.play(bench, |generator, visitors| generator.create(visitors, turn))
    })?;
    Ok((entrants, others))
}

fn line(server: String, rates: &[f64], map: Option<&[f64]>) -> Line {
    let ratio = map.and_then(|map| median_ratio(rates, map));
    Line { server, per_second: median(rates).unwrap_or(f64::NAN), ratio, times: rates.len() }
}
