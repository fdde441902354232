//! What was recorded of a session: steps, each begun by a hit, as a tree, since a new answer to an old page begins a
//! branch. The way from the first step to one of them is what can be replayed.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Tape, Turn};
use crate::journal::entry::{Blob, Effect, Ending, Entry, Outcome, Taken};
use crate::journal::headers::{Fields, Played};
use crate::journal::store::{Chunk, Fault, StoreError};

/// Entries that most steps have: a hit, and what asks for the next one.
const MOST: usize = 2;

/// All that was recorded of a session.
#[derive(Default)]
pub(crate) struct Tree {
    session: u64,
    steps: Vec<Step>,
    /// The step that was recorded last.
    here: Option<usize>,
    /// What comes before the session's first hit.
    lead: Vec<(u64, Entry)>,
    /// The next hit goes on from an earlier page.
    turned: bool,
    /// Which program wrote last.
    build: u64,
    /// What is shared, as it was left.
    shared: Vec<(String, Blob)>,
    /// What came of effects that are not on the way that is replayed.
    outcomes: Outcomes,
    /// Where the way that is replayed is cut off, because what follows cannot be.
    adrift: Option<u64>,
    /// The number of the entry after the last one, and how many bytes all are.
    next: u64,
    bytes: usize,
}

/// A hit, and what came of it.
struct Step {
    number: u32,
    answer: u64,
    before: Option<usize>,
    /// The number of its first entry.
    first: u64,
    entries: Vec<(u64, Entry)>,
    /// The session begins with it.
    root: bool,
    /// It waited for something that is no verb: neither it nor what follows can be replayed.
    adrift: bool,
    /// It failed, or somebody went back behind it: it is no part of the past.
    cut: bool,
    /// What was shared before each change that it made.
    shared_before: Vec<(String, Option<Blob>)>,
}

/// Effects that were done on other ways than the one that is replayed.
#[derive(Default)]
struct Outcomes {
    done: HashMap<Effect, Outcome>,
    /// To be tried once, and tried with an end that nobody knows.
    doubtful: HashSet<Effect>,
}

impl Outcomes {
    fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Intent { effect, once: true } => drop(self.doubtful.insert(effect)),
            Entry::Done { effect, result, .. } => {
                self.doubtful.remove(&effect);
                if matches!(result, Outcome::Ok(_)) {
                    self.done.insert(effect, result);
                }
            }
            _ => {}
        }
    }
}

/// What an answer to an earlier page leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// It was given before: the step that it led to.
    Repeat(usize),
    /// It is new: the step whose page it answers; with `true` nothing was answered there yet.
    New(usize, bool),
    /// The page is before a point that the session does not go back behind.
    Committed,
    /// There is no such page any more.
    Nowhere,
}

impl Step {
    fn is_over(&self) -> bool {
        matches!(self.entries.last(), Some((_, Entry::End { .. })))
    }

    /// It has come to its page.
    fn is_whole(&self) -> bool {
        self.entries.iter().any(|(_, entry)| matches!(entry, Entry::Asked { .. }))
    }

    fn has_checkpoint(&self) -> bool {
        self.entries.iter().any(|(_, entry)| matches!(entry, Entry::Checkpoint { .. }))
    }

    /// The number of its last point of no return.
    fn commit(&self) -> Option<u64> {
        let mut commits = self.entries.iter().rev().filter(|(_, entry)| matches!(entry, Entry::Commit));
        commits.next().map(|(number, _)| *number)
    }
}

impl Tree {
    /// Reads what was written of a session.
    pub(crate) fn of(chunks: &[Chunk]) -> Result<Tree, StoreError> {
        let mut tree = Tree { session: chunks.first().map_or(0, |chunk| chunk.session), ..Tree::default() };
        for chunk in chunks {
            Entry::each(chunk, |number, entry| tree.add(number, entry))?;
            tree.next = chunk.first + chunk.count;
            tree.bytes += chunk.entries.len();
        }
        Ok(tree)
    }

    fn add(&mut self, number: u64, entry: Entry) {
        match &entry {
            Entry::Cut { to, .. } => return self.cut(*to),
            Entry::Turned { to } => return (self.here, self.turned) = (self.find(*to), true),
            Entry::Strayed { .. } => return self.here_mut().into_iter().for_each(|step| step.adrift = true),
            Entry::Hit(taken) => self.begin(taken.step, taken.answer, number, self.here.is_none()),
            Entry::Program { build, .. } => self.build = *build,
            Entry::Shared { name, version } => self.share(name, version),
            Entry::Checkpoint { shared, hit, .. } => {
                shared.iter().for_each(|(name, version)| self.share(name, version));
                if let Some(taken) = hit.as_ref().filter(|_| self.here.is_none()) {
                    // What was before is not needed any more, and gone.
                    self.begin(taken.step, taken.answer, number, false);
                }
            }
            _ => {}
        }
        match self.here_mut() {
            Some(step) => step.entries.push((number, entry)),
            None => self.lead.push((number, entry)),
        }
    }

    fn begin(&mut self, number: u32, answer: u64, first: u64, root: bool) {
        let mut entries = std::mem::take(&mut self.lead);
        let root = root && !self.turned;
        if std::mem::take(&mut self.turned) {
            // On this way nobody has said yet which program writes.
            entries = vec![(first, Entry::Program { format: 0, build: self.build })];
        }
        entries.reserve_exact(MOST);
        let before = self.here;
        self.here = Some(self.steps.len());
        let (adrift, cut, shared_before) = (false, false, Vec::new());
        self.steps.push(Step { number, answer, before, first, entries, root, adrift, cut, shared_before });
    }

    fn share(&mut self, name: &str, version: &Blob) {
        let known = self.shared.iter_mut().find(|(known, _)| known == name);
        let before = match known {
            Some((_, known)) => Some(std::mem::replace(known, version.clone())),
            None => {
                self.shared.push((name.to_owned(), version.clone()));
                None
            }
        };
        if let Some(step) = self.here_mut() {
            step.shared_before.push((name.to_owned(), before));
        }
    }

    /// A step failed: what is shared is what it was before.
    fn unshare(&mut self, changes: Vec<(String, Option<Blob>)>) {
        for (name, before) in changes.into_iter().rev() {
            self.shared.retain(|(known, _)| *known != name);
            self.shared.extend(before.map(|before| (name, before)));
        }
    }

    fn here_mut(&mut self) -> Option<&mut Step> {
        self.here.map(|at| &mut self.steps[at])
    }

    fn find(&self, number: u32) -> Option<usize> {
        self.steps.iter().rposition(|step| step.number == number && !step.cut)
    }

    /// What is on the way here from this entry on is no part of the past.
    fn cut(&mut self, to: u64) {
        while let Some(step) = self.here_mut().filter(|step| step.first >= to) {
            step.cut = true;
            // Who goes back leaves what all branches share as it is.
            let failed = !step.is_whole() && !step.is_over();
            let changes = std::mem::take(&mut step.shared_before);
            self.here = step.before;
            if failed {
                self.unshare(changes);
            }
        }
        let Some(step) = self.here_mut() else { return };
        let at = step.entries.partition_point(|(number, _)| *number < to);
        let rest = step.entries.split_off(at);
        rest.into_iter().for_each(|(_, entry)| self.outcomes.note(entry));
    }

    /// The way to a step, from its end.
    fn back_from(&self, step: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(step), |at| self.steps[*at].before)
    }

    fn answers_of(&self, page: usize) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(move |(_, step)| step.before == Some(page) && !step.cut)
    }

    /// Whether the way to a step can be replayed.
    fn is_playable(&self, step: usize) -> bool {
        let begins = |at: usize| self.steps[at].root || self.steps[at].has_checkpoint();
        !self.steps[step].cut
            && self.back_from(step).all(|at| !self.steps[at].adrift)
            && self.back_from(step).any(begins)
    }

    /// Whether nothing that cannot be undone was done off the way to a step.
    fn is_after_commit(&self, step: usize) -> bool {
        let commits = self.steps.iter().enumerate().filter(|(_, step)| !step.cut);
        let last = commits.filter_map(|(at, step)| Some((step.commit()?, at))).max();
        last.is_none_or(|(_, last)| self.back_from(step).any(|at| at == last))
    }

    /// Ends of branches, all but one, that somebody may go on from.
    fn open_ends(&self, but: usize) -> impl Iterator<Item = usize> {
        let mut answered = vec![false; self.steps.len()];
        let pages = self.steps.iter().filter(|step| !step.cut).filter_map(|step| step.before);
        pages.for_each(|page| answered[page] = true);
        (0..self.steps.len()).filter(move |at| {
            let step = &self.steps[*at];
            *at != but
                && !answered[*at]
                && !step.is_over()
                && step.is_whole()
                && self.is_playable(*at)
                && self.is_after_commit(*at)
        })
    }

    /// The step where the session is; if that branch is over, where another one is.
    fn present(&self) -> Option<usize> {
        let here = self.here?;
        if !self.steps[here].is_over() {
            return Some(here);
        }
        let last = |at: &usize| self.steps[*at].entries.last().map(|(number, _)| *number);
        Some(self.open_ends(here).max_by_key(last).unwrap_or(here))
    }

    /// Where an answer to the page of a step leads.
    pub(crate) fn seek(&self, number: u32, answer: u64) -> Sought {
        let Some(page) = self.find(number).filter(|page| self.is_playable(*page)) else {
            return Sought::Nowhere;
        };
        let given = self.answers_of(page).filter(|(_, step)| step.answer == answer && answer != 0).last();
        let sought = match given {
            Some((at, _)) => Sought::Repeat(at),
            // Nobody answers the last page of what is over, but it may be asked for.
            None if answer == 0 && self.steps[page].is_over() => Sought::Repeat(page),
            None if !self.steps[page].is_whole() => return Sought::Nowhere,
            None => Sought::New(page, self.answers_of(page).next().is_none()),
        };
        match sought {
            Sought::Repeat(at) | Sought::New(at, _) if !self.is_after_commit(at) => Sought::Committed,
            Sought::Repeat(at) if !self.is_playable(at) => Sought::Nowhere,
            other => other,
        }
    }

    /// The step that ended the session, if it ended as programs do.
    pub(crate) fn last_words(&self) -> Option<usize> {
        let here = self.here?;
        let returned =
            matches!(self.steps[here].entries.last(), Some((_, Entry::End { how: Ending::Returned })));
        (returned && self.is_playable(here)).then_some(here)
    }

    /// The answer that led to a step.
    pub(crate) fn answer(&self, step: usize) -> u64 {
        self.steps[step].answer
    }

    /// The number of a step.
    pub(crate) fn number(&self, step: usize) -> u32 {
        self.steps[step].number
    }

    /// Whether a step is on the way to where the session is.
    pub(crate) fn is_behind(&self, step: usize) -> bool {
        self.here.is_some_and(|here| self.back_from(here).any(|at| at == step))
    }

    /// A tape that plays the way to a step: up to its page, or to its end.
    pub(crate) fn wind(mut self, step: usize, to_page: bool, build: u64) -> Option<(Tape, Box<Taken>)> {
        let answered = self.answers_of(step).map(|(_, step)| step.answer).collect();
        let ends = self.open_ends(step).map(|at| self.steps[at].number).collect();
        let mut way: Vec<_> = self.back_from(step).collect();
        way.reverse();
        let mut past = VecDeque::with_capacity(way.iter().map(|at| self.steps[*at].entries.len()).sum());
        for at in &way {
            past.extend(std::mem::take(&mut self.steps[*at].entries));
        }
        let mut top = 0;
        for step in std::mem::take(&mut self.steps) {
            top = top.max(step.number);
            step.entries.into_iter().for_each(|(_, entry)| self.outcomes.note(entry));
        }
        if to_page {
            let page = past.iter().rposition(|(_, entry)| matches!(entry, Entry::Asked { .. }))?;
            past.truncate(page + 1);
        }
        let mut tape = Tape { written: self.bytes, ..Tape::begun(self.next, build) };
        (tape.done, tape.doubtful) = (self.outcomes.done, self.outcomes.doubtful);
        (tape.answered, tape.ends, tape.top) = (answered, ends, top);
        tape.latest = self.shared.into_iter().map(|(name, version)| (name, version.0)).collect();
        if let Some(first) = self.adrift {
            tape.good = first;
            tape.cut("it waited for something that is no verb, and cannot be replayed past that");
            tape.resume = Some(top + 1);
        }
        let first = tape.begin(past)?;
        Some((tape, first))
    }

    /// A tape that plays the way to where the session is, or as far as that can be played.
    fn wind_all(mut self, build: u64) -> Option<(Tape, Box<Taken>)> {
        let present = self.present()?;
        let way: Vec<_> = self.back_from(present).collect();
        let Some(at) = way.iter().rposition(|at| self.steps[*at].adrift) else {
            let elsewhere = self.here != Some(present);
            let turned = elsewhere.then_some(Turn::Branch(self.steps[present].number));
            let (tape, first) = self.wind(present, false, build)?;
            return Some((Tape { turned, ..tape }, first));
        };
        for step in &way[..=at] {
            self.steps[*step].cut = true;
        }
        let adrift = &self.steps[way[at]];
        let before = adrift.before?;
        self.adrift = Some(adrift.first);
        self.wind(before, false, build)
    }
}

impl Tree {
    /// Tapes that play a session up to its last page, on each of its branches.
    pub(crate) fn tapes_to_pages(
        chunks: &[Chunk],
        build: u64,
    ) -> Result<Vec<(Tape, Box<Taken>)>, StoreError> {
        let tree = Tree::of(chunks)?;
        let whole = |at: &usize| tree.steps[*at].is_whole();
        let present = tree.present().and_then(|at| tree.back_from(at).find(whole));
        let ends: Vec<_> = present.into_iter().flat_map(|at| tree.open_ends(at).chain([at])).collect();
        let mut tapes = Vec::new();
        for at in ends {
            tapes.extend(Tree::of(chunks)?.wind(at, true, build));
        }
        Ok(tapes)
    }
}

impl Tape {
    /// The tape of a session that is to be rebuilt, and its first hit.
    pub(crate) fn of(chunks: &[Chunk], build: u64) -> Result<(Tape, Box<Taken>), StoreError> {
        let tree = Tree::of(chunks)?;
        let session = tree.session;
        tree.wind_all(build).ok_or_else(|| {
            StoreError::new(Fault::Damaged, format!("session {session:x}: nothing of it can be replayed"))
        })
    }

    /// Begins at the last checkpoint, or with the session's first hit.
    fn begin(&mut self, mut past: VecDeque<(u64, Entry)>) -> Option<Box<Taken>> {
        let checkpoint = past.iter().rposition(|(_, entry)| matches!(entry, Entry::Checkpoint { .. }));
        let first = match checkpoint {
            Some(at) => self.begin_at(&mut past, at)?,
            None => self.begin_with_hit(&mut past)?,
        };
        while let Some((_, Entry::Program { .. } | Entry::Commit | Entry::Patched { .. })) = past.back() {
            past.pop_back();
        }
        self.hits = past.iter().filter(|(_, entry)| matches!(entry, Entry::Hit(_))).count();
        self.past = past;
        self.played.apply(&first.headers);
        self.fields = Fields::of(&self.played);
        self.retake(first.at);
        Some(first)
    }

    /// Begins with the session's first hit.
    fn begin_with_hit(&mut self, past: &mut VecDeque<(u64, Entry)>) -> Option<Box<Taken>> {
        loop {
            match past.pop_front()? {
                (_, Entry::Hit(taken)) => return Some(taken),
                (_, Entry::Program { build, .. }) => self.build_then = build,
                (_, Entry::Commit | Entry::Patched { .. }) => {}
                _ => return None,
            }
        }
    }

    /// Begins at a checkpoint; its entry stays: the program comes to it first.
    fn begin_at(&mut self, past: &mut VecDeque<(u64, Entry)>, at: usize) -> Option<Box<Taken>> {
        for (number, entry) in past.drain(..at) {
            match entry {
                Entry::Program { build, .. } => self.build_then = build,
                // Where to go back to if the checkpoint's own step fails.
                Entry::Asked { .. } => self.good = number + 1,
                _ => {}
            }
        }
        let Some((_, Entry::Checkpoint { state, hit, .. })) = past.front_mut() else { return None };
        self.restored = Some(state.clone());
        hit.take()
    }

    /// What is shared where the past begins.
    pub(crate) fn shared(&mut self) -> Vec<(String, Vec<u8>)> {
        match self.past.front_mut() {
            Some((_, Entry::Checkpoint { shared, .. })) => {
                let shared: Vec<_> =
                    std::mem::take(shared).into_iter().map(|(name, version)| (name, version.0)).collect();
                for (name, version) in &shared {
                    self.know(name, version);
                }
                shared
            }
            _ => Vec::new(),
        }
    }

    /// The header fields of the hit that was replayed last.
    pub(crate) fn played(&self) -> &Played {
        &self.played
    }
}
