//! What Back costs: a new answer to page 25 of a session of 50, and going back and forth between the two tabs (budget row 7).
//!
//! The journal is made once, and each round is played on a copy of it by a server of its own. First every session is brought
//! into memory by a visit, which is not counted. Then each visitor answers an old page in another tab: the session's rows
//! are read, 25 steps are played again, and the answer is written. Then each visitor goes on in turn in both tabs: where
//! the server may keep both branches in memory, and where it may keep one, so that each is found by replay. As for a rebuild, the
//! processor time is compared to that of as many hits, and the wait to that of a plain read of the same rows.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::ratio::mean;
use super::rebuild::{Rounds, Visits};
use super::{Bench, OURS, Pass};
use crate::load::{Generator, Visitors};

/// Steps of a session: its first page is one.
const STEPS: usize = 50;
/// The page that is answered again.
const OLD: usize = 25;
/// Visitors who come at once.
const CONNECTIONS: [usize; 2] = [1, 8];
/// Sessions that take part before it counts, so that the server's code is in memory.
const WARM_UP: usize = 100;
/// How often each tab goes on after the other.
const TURNS: usize = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Branch {
    pub(crate) sessions: usize,
    pub(crate) steps: usize,
    pub(crate) old: usize,
    pub(crate) rounds: usize,
    /// The cores that others kept busy.
    pub(crate) others: f64,
    pub(crate) lines: Vec<Line>,
}

/// Medians over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) place: String,
    pub(crate) connections: usize,
    /// A new answer to an old page.
    pub(crate) branched: Visits,
    /// A plain read of the same rows.
    pub(crate) read: Visits,
    /// The processor time of a new answer to an old page to that of as many answers to current pages as it plays steps.
    pub(crate) cpu_ratio: f64,
    /// Its p99 to that of a plain read, round by round.
    pub(crate) p99_ratio: f64,
    /// An answer in the other tab, whose branch is in memory.
    pub(crate) switched: Visits,
    /// The same, found by replay.
    pub(crate) replayed: Visits,
    /// An answer to the current page.
    pub(crate) present: Visits,
}

/// All visitors, in both tabs.
#[derive(Clone)]
struct Tabs {
    present: Visitors,
    old: Visitors,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Option<Branch>, String> {
    if bench.choose(&[OURS]).is_empty() {
        return Ok(None);
    }
    let (quick, sessions) = (bench.options.quick, bench.options.parked);
    let rounds = bench.options.rounds.unwrap_or(if quick { 2 } else { 5 });
    let places = Place::all(bench)?;
    eprintln!("branch: {} sessions take {STEPS} steps", sessions + WARM_UP);
    // The last place is the fastest.
    let made = places.last().expect("there is a disk").fresh("made")?;
    let (tabs, port) = make(bench, &made, sessions + WARM_UP)?;
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for (place, connections) in places.iter().flat_map(|place| CONNECTIONS.map(|many| (place, many))) {
        let mut all: [Rounds; 5] = Default::default();
        for round in 1..=rounds {
            eprintln!("branch: {}, {connections} at a time, round {round} of {rounds}", place.name);
            let journal = place.copy(&made, "round")?;
            let passes = play_round(bench, &journal, port, &tabs, connections)?;
            for (pass, rounds) in passes.iter().zip(&mut all) {
                rounds.add(pass);
                others.push(pass.others);
            }
            let journal = place.copy(&made, "round")?;
            all[3].add(&play_replayed(bench, &journal, port, &tabs, connections)?);
            all[4].add(&bench.read_rows(&place.copy(&made, "round")?, sessions, connections)?);
        }
        let (cpu_ratio, p99_ratio) = (all[1].cpu_to_hits(&all[0], OLD), all[1].p99_to(&all[4]));
        let [present, branched, switched, replayed, read] = all.map(|rounds| rounds.visits());
        let place = place.name.to_owned();
        let line =
            Line { place, connections, branched, switched, replayed, present, read, cpu_ratio, p99_ratio };
        lines.push(line);
    }
    let others = mean(&others);
    Ok(Some(Branch { sessions, steps: STEPS, old: OLD, rounds, others, lines }))
}

/// Makes a journal of parked sessions; their visitors on the last page, and in another tab on an old one.
fn make(bench: &mut Bench, journal: &Path, sessions: usize) -> Result<(Tabs, u16), String> {
    let server = bench.start_journaled(journal, 0)?;
    let port = server.address.port();
    let mut present = bench.visitors(&server, sessions)?;
    let mut visit = |visitors: &mut Visitors, times: usize| {
        (0..times).try_for_each(|_| bench.pass(&server, visitors, Generator::visit_all).map(drop))
    };
    visit(&mut present, OLD - 2)?;
    present.remember_others();
    visit(&mut present, 1)?;
    let old = present.in_another_tab()?;
    visit(&mut present, STEPS - OLD)?;
    server.stop()?;
    Ok((Tabs { present, old }, port))
}

/// Everybody comes once, so that all are in memory; answers the current page, then the old one; then both tabs in turn.
fn play_round(
    bench: &mut Bench,
    journal: &Path,
    port: u16,
    tabs: &Tabs,
    connections: usize,
) -> Result<[Pass; 3], String> {
    let mut tabs = tabs.clone();
    let server = bench.start_journaled(journal, port)?;
    let mut generator = bench.connect(&server, connections)?;
    let mut visit = |visitors: &mut Visitors| {
        let counted = visitors.len() - WARM_UP;
        let mut some = |how_many| {
            bench.run(&server, &mut generator, visitors, |generator, visitors| {
                generator.visit_next(visitors, how_many)
            })
        };
        some(WARM_UP)?;
        some(counted)
    };
    visit(&mut tabs.present)?;
    let present = visit(&mut tabs.present)?;
    let branched = visit(&mut tabs.old)?;
    tabs.old.go_on();
    let mut switched = visit(&mut tabs.present)?;
    for turn in 1..2 * TURNS {
        let tab = if turn % 2 == 0 { &mut tabs.present } else { &mut tabs.old };
        switched.join(visit(tab)?);
    }
    Ok([present, branched, switched])
}

/// Both tabs in turn, on a server that keeps one branch of a session in memory.
fn play_replayed(
    bench: &mut Bench,
    journal: &Path,
    port: u16,
    tabs: &Tabs,
    connections: usize,
) -> Result<Pass, String> {
    let mut tabs = tabs.clone();
    let server = bench.start_with_branches(journal, port, 1)?;
    let mut generator = bench.connect(&server, connections)?;
    let mut visit =
        |visitors: &mut Visitors| bench.run(&server, &mut generator, visitors, Generator::visit_all);
    visit(&mut tabs.present)?;
    visit(&mut tabs.old)?;
    tabs.old.go_on();
    let mut replayed = visit(&mut tabs.present)?;
    replayed.join(visit(&mut tabs.old)?);
    Ok(replayed)
}
