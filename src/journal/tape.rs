//! A session's tape: records what comes in while the session lives, and plays it again when it is rebuilt.
//!
//! Pure: it knows entries and nothing of stores, hits on their way or threads. While there is a past to replay, each
//! verb meets what it met then; when the past is used up, the tape records on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::entry::{Blob, Effect, Entry, FORMAT, Outcome, Taken, Verb};
use super::headers::{Fields, Played};
use super::store::{Change, Chunk, Fault, StoreError};

/// Steps that are replayed in a row.
const TURN: u32 = 200;

/// What is recorded of a session, and what is left to replay.
pub(crate) struct Tape {
    /// What is still to be replayed, each with its number.
    pub(super) past: VecDeque<(u64, Entry)>,
    /// Hits among it.
    hits: usize,
    /// What was recorded and not handed out yet.
    fresh: Vec<u8>,
    count: u64,
    /// The number of the first entry that was not handed out.
    first: u64,
    /// The hit in hand, with its place in `fresh`; what is in the hit itself is filled in when it is written.
    taken: Option<(usize, Box<Taken>)>,
    /// The number of the entry after the last complete step.
    good: u64,
    /// The header fields of the last hit that was written, and of the last that was replayed.
    fields: Fields,
    played: Played,
    printed: Option<SipHasher13>,
    /// When the last input came, in microseconds since 1970.
    now: i64,
    /// Effects that were done in steps that are no part of the past.
    done: HashMap<Effect, Outcome>,
    /// Effects that are to be tried once, and were tried in such steps with an end that nobody knows.
    doubtful: HashSet<Effect>,
    /// Effects on the way here, since the last checkpoint.
    tried: HashMap<(String, u64), u32>,
    /// The number of that checkpoint's entry.
    since: u64,
    /// What `restore_or` gives back.
    restored: Option<Blob>,
    /// Values of secrets that the program has read in this step.
    pub(crate) secrets: Vec<String>,
    /// Which program wrote what is replayed, and which one runs.
    build_then: u64,
    build: u64,
    /// What is printed is compared even with that of another program.
    pub(crate) strict: bool,
    /// It has had its second hit or its first effect: it is to be in the store.
    pub(crate) grown: bool,
    /// It is in the store.
    pub(crate) begun: bool,
    /// Changes that go with what is handed out next.
    pub(crate) changes: Vec<Change>,
    /// Parts of it that are on their way to the store.
    pub(crate) unwritten: u32,
    /// Something of it could not be written: the session is to be rebuilt.
    pub(crate) broken: bool,
    /// The session leaves memory, and stays in the journal.
    pub(crate) stays: bool,
    /// Its visitor's id is not known.
    pub(crate) nameless: bool,
    /// A verb is waiting: what the session waits for is known.
    pub(crate) at_verb: bool,
    /// It waited for something else: it cannot be rebuilt as it is now.
    pub(crate) strayed: bool,
    /// It was told to end.
    pub(crate) told: bool,
    /// Why it cannot be replayed.
    pub(crate) diverged: Option<String>,
    /// The last steps could not be replayed, and this is the number of the step that comes in place of theirs.
    pub(crate) resume: Option<u32>,
    /// Hits that were replayed since others had their turn.
    turn: u32,
    /// A verb was polled since the session started: too late for `restore_or`.
    under_way: bool,
    what: String,
}

/// What a verb that asks for a hit meets.
pub(crate) enum Met {
    /// Nothing of the past: it waits for the next hit.
    Present,
    /// The hit that it took then.
    Hit(Box<Taken>),
    /// It was told to end.
    Told,
}

/// What a verb meets is not what was recorded; the report is on the tape.
#[derive(Debug)]
pub(crate) struct Diverged;

/// How an effect stands.
pub(crate) enum Standing {
    /// It was done: this came of it.
    Done(Outcome),
    /// It was tried, and nothing is known of what came of it.
    InDoubt(Effect),
    /// It was never tried.
    New(Effect),
}

impl Tape {
    /// The tape of a session that begins.
    pub(crate) fn blank(build: u64) -> Tape {
        let mut tape = Tape {
            past: VecDeque::new(),
            hits: 0,
            fresh: Vec::new(),
            count: 0,
            first: 0,
            taken: None,
            good: 0,
            fields: Fields::default(),
            played: Played::default(),
            printed: None,
            now: 0,
            done: HashMap::new(),
            doubtful: HashSet::new(),
            tried: HashMap::new(),
            since: 0,
            restored: None,
            secrets: Vec::new(),
            build_then: build,
            build,
            strict: false,
            grown: false,
            begun: false,
            changes: Vec::new(),
            unwritten: 0,
            broken: false,
            stays: false,
            nameless: false,
            at_verb: false,
            strayed: false,
            told: false,
            diverged: None,
            resume: None,
            turn: 0,
            under_way: false,
            what: String::new(),
        };
        tape.push(&Entry::Program { format: FORMAT, build });
        tape
    }

    /// The tape of a session that is to be rebuilt, and its first hit.
    pub(crate) fn of(chunks: &[Chunk], build: u64) -> Result<(Tape, Box<Taken>), StoreError> {
        let mut past = Past::default();
        for chunk in chunks {
            for (entry, number) in Entry::read_all(chunk)?.into_iter().zip(chunk.first..) {
                past.add(number, entry);
            }
        }
        let next = chunks.last().map_or(0, |chunk| chunk.first + chunk.count);
        past.wind(next, build).ok_or_else(|| {
            let session = chunks.first().map_or(0, |chunk| chunk.session);
            StoreError::new(Fault::Damaged, format!("session {session:x}: nothing of it can be replayed"))
        })
    }

    /// Whether what happens now has happened before.
    pub(crate) fn is_replaying(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether what is printed now will not be seen by anybody: there are later steps to replay.
    pub(crate) fn is_hushed(&self) -> bool {
        self.hits > 0
    }

    /// Whether the session can leave memory as it stands and come back.
    pub(crate) fn rests(&self) -> bool {
        self.begun
            && !self.is_replaying()
            && self.count == 0
            && self.changes.is_empty()
            && self.unwritten == 0
            && !(self.strayed || self.told || self.broken || self.stays)
    }

    /// When the last input came.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// Whether there is a complete step to go back to.
    pub(crate) fn has_past(&self) -> bool {
        self.good > 0
    }

    /// The number that the next entry will have.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.count
    }

    /// Records an entry.
    pub(crate) fn push(&mut self, entry: &Entry) {
        if self.build_then != self.build && !self.is_replaying() {
            self.build_then = self.build;
            self.push(&Entry::Program { format: FORMAT, build: self.build });
        }
        entry.write(&mut self.fresh);
        self.count += 1;
    }

    /// A hit was taken: the next step begins.
    pub(crate) fn take(&mut self, taken: Box<Taken>) {
        self.now = taken.at;
        self.begin_step();
        self.taken = Some((self.fresh.len(), taken));
        self.count += 1;
    }

    /// A hit was taken once more.
    pub(crate) fn retake(&mut self, at: i64) {
        self.now = at;
        self.begin_step();
    }

    fn begin_step(&mut self) {
        self.printed = None;
        self.secrets.clear();
        self.what.clear();
    }

    /// Writes the hit in hand, if it is not written yet; `fill` puts in what is in the hit itself.
    pub(crate) fn seal(&mut self, fill: impl FnOnce(&mut Taken, &[String], &mut Fields)) {
        let Some((place, mut taken)) = self.taken.take() else { return };
        fill(&mut taken, &self.secrets, &mut self.fields);
        self.note(&format!("{} {}", taken.method, taken.path));
        let after = self.fresh.split_off(place);
        Entry::Hit(taken).write(&mut self.fresh);
        self.fresh.extend_from_slice(&after);
    }

    /// Says, for people, what the chunk is about.
    fn note(&mut self, what: &str) {
        if !self.what.is_empty() {
            self.what.push_str(", ");
        }
        self.what.push_str(what);
    }

    /// Whether the hit in hand is written already.
    pub(crate) fn is_sealed(&self) -> bool {
        !self.is_replaying() && self.taken.is_none()
    }

    /// Something was printed.
    pub(crate) fn print(&mut self, text: &str) {
        self.printed.get_or_insert_with(SipHasher13::new).write(text.as_bytes());
    }

    /// What was printed is replaced.
    pub(crate) fn unprint(&mut self) {
        self.printed = None;
    }

    /// A verb asks for a hit: the step is complete.
    pub(crate) fn ask(&mut self, verb: Verb, of: &str, place: &str) -> Result<(), Diverged> {
        let printed = self.printed.map_or(0, |printed| printed.finish().max(1));
        self.under_way = true;
        if !self.is_replaying() {
            let (of, place) = (of.to_owned(), place.to_owned());
            self.push(&Entry::Asked { verb, of, printed, place });
            self.good = self.next();
            return Ok(());
        }
        let Some((number, entry)) = self.pop() else { return self.ask(verb, of, place) };
        self.good = number + 1;
        match entry {
            Entry::Asked { verb: v, of: o, .. } if v != verb || o != of => {
                self.diverge(place, &format!("asks by {verb:?} for {of:?}"), &format!("{v:?} for {o:?}"))
            }
            Entry::Asked { printed: then, .. } if then != printed && self.compares_output() => {
                self.diverge(place, "printed something else before it asks", "other text")
            }
            Entry::Asked { .. } => Ok(()),
            other => self.diverge(place, &format!("asks by {verb:?}"), &other.to_string()),
        }
    }

    fn compares_output(&self) -> bool {
        self.strict || self.build_then == self.build
    }

    /// Whether, after many steps in a row, others should have their turn.
    pub(crate) fn takes_a_break(&mut self) -> bool {
        let tired = self.turn >= TURN;
        self.turn = if tired { 0 } else { self.turn + u32::from(self.is_replaying()) };
        tired
    }

    /// What the verb that asks meets.
    pub(crate) fn meet(&mut self, place: &str) -> Result<Met, Diverged> {
        match self.pop() {
            None => Ok(Met::Present),
            Some((_, Entry::Hit(taken))) => {
                self.hits -= 1;
                self.played.apply(&taken.headers);
                if self.past.is_empty() || self.hits == 0 {
                    self.fields = Fields::of(&self.played);
                }
                self.retake(taken.at);
                Ok(Met::Hit(taken))
            }
            Some((_, Entry::Told)) => {
                self.told = true;
                Ok(Met::Told)
            }
            Some((_, other)) => self.diverge(place, "asks for a hit", &other.to_string()),
        }
    }

    /// What an observation gave then.
    pub(crate) fn read(&mut self, name: &str, place: &str) -> Result<Option<Outcome>, Diverged> {
        self.under_way = true;
        match self.pop() {
            None => Ok(None),
            Some((_, Entry::Read { name: then, result, at })) if then == name => {
                self.now = at;
                Ok(Some(result))
            }
            Some((_, other)) => self.diverge(place, &format!("reads {name:?}"), &other.to_string()),
        }
    }

    /// Records what an observation gave.
    pub(crate) fn record_read(&mut self, name: &str, result: Outcome, at: i64) {
        self.now = at;
        self.push(&Entry::Read { name: name.to_owned(), result, at });
    }

    /// How an effect of these arguments stands.
    pub(crate) fn effect(&mut self, name: &str, args: u64, place: &str) -> Result<Standing, Diverged> {
        self.under_way = true;
        let nth = self.tried.entry((name.to_owned(), args)).or_default();
        let effect = Effect { name: name.to_owned(), args, nth: *nth, since: self.since };
        *nth += 1;
        match self.pop() {
            None => match self.done.get(&effect).cloned() {
                None if self.doubtful.contains(&effect) => Ok(Standing::InDoubt(effect)),
                None => Ok(Standing::New(effect)),
                Some(result) => {
                    // Its place on this way: it is found here from now on.
                    let at = self.now;
                    self.push(&Entry::Done { effect, result: result.clone(), at });
                    Ok(Standing::Done(result))
                }
            },
            Some((_, Entry::Intent { effect: then, .. })) if then == effect => match self.pop() {
                None => Ok(Standing::InDoubt(effect)),
                Some((_, Entry::Done { effect: then, result, at })) if then == effect => {
                    self.now = at;
                    Ok(Standing::Done(result))
                }
                Some((_, other)) => self.diverge(place, &format!("does {effect}"), &other.to_string()),
            },
            Some((_, Entry::Done { effect: then, result, at })) if then == effect => {
                self.now = at;
                Ok(Standing::Done(result))
            }
            Some((_, other)) => self.diverge(place, &format!("does {effect}"), &other.to_string()),
        }
    }

    /// Records that an effect is about to be tried.
    pub(crate) fn intend(&mut self, effect: &Effect, once: bool) {
        self.note(&format!("once {:?}", effect.name));
        self.push(&Entry::Intent { effect: effect.clone(), once });
    }

    /// Records what came of an effect.
    pub(crate) fn record_effect(&mut self, effect: Effect, result: Outcome, at: i64) {
        self.now = at;
        self.push(&Entry::Done { effect, result, at });
    }

    /// A seed for chance: `fresh`, or the one that was used then.
    pub(crate) fn entropy(&mut self, fresh: [u8; 32], place: &str) -> Result<[u8; 32], Diverged> {
        match self.pop() {
            None => {
                self.push(&Entry::Entropy { seed: Blob(fresh.to_vec()) });
                Ok(fresh)
            }
            Some((_, Entry::Entropy { seed })) => match seed.0.try_into() {
                Ok(seed) => Ok(seed),
                Err(_) => self.diverge(place, "asks for chance", "a seed of another length"),
            },
            Some((_, other)) => self.diverge(place, "asks for chance", &other.to_string()),
        }
    }

    /// Until when the session sleeps: `until`, or as it was then; and whether that is over because something came
    /// after it.
    pub(crate) fn sleep(&mut self, until: i64, place: &str) -> Result<(i64, bool), Diverged> {
        self.under_way = true;
        match self.pop() {
            None => {
                self.push(&Entry::Sleep { until });
                self.now = until;
                Ok((until, false))
            }
            Some((_, Entry::Sleep { until })) => {
                self.now = until;
                Ok((until, self.is_replaying()))
            }
            Some((_, other)) => self.diverge(place, "sleeps", &other.to_string()),
        }
    }

    /// Records a version of what is shared, or returns the one that was recorded then.
    pub(crate) fn share(&mut self, name: &str, version: Vec<u8>, place: &str) -> Result<Vec<u8>, Diverged> {
        match self.pop() {
            None => {
                self.push(&Entry::Shared { name: name.to_owned(), version: Blob(version.clone()) });
                Ok(version)
            }
            Some((_, Entry::Shared { name: then, version })) if then == name => Ok(version.0),
            Some((_, other)) => {
                self.diverge(place, &format!("changes the shared {name}"), &other.to_string())
            }
        }
    }

    /// What `restore_or` gives: the state of the last checkpoint, if there was one. `Err` if it comes too late.
    pub(crate) fn restore(&mut self) -> Result<Option<Blob>, ()> {
        if self.under_way {
            return Err(());
        }
        Ok(self.restored.take())
    }

    /// Records a checkpoint, with the hit in hand in full: from here on nothing before it is needed.
    pub(crate) fn checkpoint(
        &mut self,
        state: Vec<u8>,
        shared: &[(String, Vec<u8>)],
        hit: impl FnOnce(&mut Fields) -> Box<Taken>,
        place: &str,
    ) -> Result<(), Diverged> {
        self.under_way = true;
        let number = match self.pop() {
            None => {
                let hit = Some(hit(&mut self.fields));
                let shared =
                    shared.iter().map(|(name, version)| (name.clone(), Blob(version.clone()))).collect();
                let number = self.next();
                self.push(&Entry::Checkpoint { state: Blob(state), hit, shared });
                number
            }
            Some((number, Entry::Checkpoint { hit, .. })) => {
                if let Some(hit) = hit {
                    self.played.apply(&hit.headers);
                }
                number
            }
            Some((_, other)) => return self.diverge(place, "makes a checkpoint", &other.to_string()),
        };
        self.since = number;
        self.tried.clear();
        Ok(())
    }

    /// The step failed, or something of it cannot be replayed: the past ends before it.
    pub(crate) fn cut(&mut self, why: &str) {
        self.note("failed");
        self.push(&Entry::Cut { to: self.good, why: why.to_owned() });
    }

    /// What was recorded since the last time, to be written.
    pub(crate) fn hand_out(&mut self, session: u64, at: i64) -> Option<Chunk> {
        debug_assert!(self.taken.is_none(), "the hit in hand is sealed before its entries are handed out");
        if self.count == 0 {
            return None;
        }
        let (first, count) = (self.first, std::mem::take(&mut self.count));
        self.first += count;
        Some(Chunk {
            session,
            first,
            count,
            at,
            what: std::mem::take(&mut self.what),
            entries: std::mem::take(&mut self.fresh),
        })
    }

    fn pop(&mut self) -> Option<(u64, Entry)> {
        loop {
            match self.past.pop_front()? {
                (_, Entry::Program { build, .. }) => self.build_then = build,
                next => return Some(next),
            }
        }
    }

    fn diverge<T>(&mut self, place: &str, now: &str, then: &str) -> Result<T, Diverged> {
        self.diverged = Some(format!("the program {now} at {place}; what was recorded: {then}"));
        Err(Diverged)
    }
}

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
        for (_, entry) in past.drain(..at) {
            if let Entry::Program { build, .. } = entry {
                self.build_then = build;
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
