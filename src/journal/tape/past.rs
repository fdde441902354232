//! What is left of a session's chunks to be replayed: without steps that failed, or that nobody could replay.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Tape;
use crate::journal::entry::{Effect, Entry, Outcome, Taken};
use crate::journal::headers::{Fields, Played};
use crate::journal::store::{Chunk, Fault, StoreError};

/// What was recorded, without what is no part of the past.
#[derive(Default)]
struct Past {
    entries: Vec<(u64, Entry)>,
    done: HashMap<Effect, Outcome>,
    doubtful: HashSet<Effect>,
    /// From this entry on nothing can be replayed, until it is cut.
    adrift: Option<u64>,
    /// The highest step there was.
    steps: u32,
}

impl Past {
    fn add(&mut self, number: u64, entry: Entry) {
        match entry {
            Entry::Cut { to, .. } => {
                self.cut(to);
                self.adrift = self.adrift.filter(|adrift| to > *adrift);
            }
            Entry::Strayed { .. } if self.adrift.is_none() => {
                // Not past this step: back to where its hit was asked for.
                let last = self.entries.iter().rposition(|(_, entry)| matches!(entry, Entry::Hit(_)));
                self.adrift = Some(last.map_or(number, |at| self.entries[at].0));
            }
            entry => {
                if let Entry::Hit(taken) = &entry {
                    self.steps = self.steps.max(taken.step);
                }
                self.entries.push((number, entry));
            }
        }
    }

    fn cut(&mut self, to: u64) {
        let at = self.entries.partition_point(|(number, _)| *number < to);
        for (_, entry) in self.entries.drain(at..) {
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

    /// A tape that plays this; `None` if there is nothing to begin with.
    fn wind(mut self, next: u64, build: u64) -> Option<(Tape, Box<Taken>)> {
        if let Some(adrift) = self.adrift {
            self.cut(adrift);
        }
        let mut past: VecDeque<_> = self.entries.into();
        let mut tape = Tape::blank(build);
        (tape.first, tape.begun, tape.count) = (next, true, 0);
        tape.fresh.clear();
        (tape.done, tape.doubtful) = (self.done, self.doubtful);
        if let Some(adrift) = self.adrift {
            tape.good = adrift;
            tape.cut("it waited for something that is no verb, and cannot be replayed past that");
            tape.resume = Some(self.steps + 1);
        }
        let checkpoint = past.iter().rposition(|(_, entry)| matches!(entry, Entry::Checkpoint { .. }));
        let first = match checkpoint {
            Some(at) => tape.begin_at(&mut past, at)?,
            None => tape.begin(&mut past)?,
        };
        while let Some((_, Entry::Program { .. })) = past.back() {
            past.pop_back();
        }
        tape.hits = past.iter().filter(|(_, entry)| matches!(entry, Entry::Hit(_))).count();
        tape.past = past;
        tape.played.apply(&first.headers);
        tape.fields = Fields::of(&tape.played);
        tape.retake(first.at);
        Some((tape, first))
    }
}

impl Tape {
    /// The tape of a session that is to be rebuilt, and its first hit.
    pub(crate) fn of(chunks: &[Chunk], build: u64) -> Result<(Tape, Box<Taken>), StoreError> {
        let mut past = Past::default();
        for chunk in chunks {
            let entries = Entry::read_all(chunk)?;
            past.entries.reserve(entries.len());
            for (entry, number) in entries.into_iter().zip(chunk.first..) {
                past.add(number, entry);
            }
        }
        let bytes = chunks.iter().map(|chunk| chunk.entries.len()).sum();
        let next = chunks.last().map_or(0, |chunk| chunk.first + chunk.count);
        let wound = past.wind(next, build);
        let wound = wound.map(|(tape, first)| (Tape { written: bytes, ..tape }, first));
        wound.ok_or_else(|| {
            let session = chunks.first().map_or(0, |chunk| chunk.session);
            StoreError::new(Fault::Damaged, format!("session {session:x}: nothing of it can be replayed"))
        })
    }

    /// Begins with the session's first hit.
    fn begin(&mut self, past: &mut VecDeque<(u64, Entry)>) -> Option<Box<Taken>> {
        loop {
            match past.pop_front()? {
                (_, Entry::Hit(taken)) => return Some(taken),
                (_, Entry::Program { build, .. }) => self.build_then = build,
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
                std::mem::take(shared).into_iter().map(|(name, version)| (name, version.0)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The header fields of the hit that was replayed last.
    pub(crate) fn played(&self) -> &Played {
        &self.played
    }
}
