//! What comes in from the outside: recorded the first time, the same ever after.

use super::{Diverged, Place, Tape};
use crate::journal::entry::{Blob, Effect, Entry, Outcome, Taken};
use crate::journal::headers::Fields;
use crate::journal::identity::{Args, Salt, fingerprint};

/// Steps before a checkpoint that stay.
const REACHABLE: u32 = 20;

/// How an effect stands. In a box: a session that waits for its effect holds it more than once.
pub(crate) enum Standing {
    /// It was done: this came of it.
    Done(Outcome),
    /// It was tried, and nothing is known of what came of it.
    InDoubt(Box<Effect>),
    /// It was never tried.
    New(Box<Effect>),
}

impl Tape {
    /// What an observation gave then.
    pub(crate) fn read(
        &mut self,
        name: &str,
        scope: &str,
        place: Place,
    ) -> Result<Option<Outcome>, Diverged> {
        self.under_way = true;
        match self.pop() {
            None => Ok(None),
            Some((_, Entry::Read { name: then, result, at, scope: of })) if then == name && of == scope => {
                self.now = at;
                Ok(Some(result))
            }
            Some((_, other)) => self.diverge(place, &format!("reads {name:?}"), &other.to_string()),
        }
    }

    /// Records what an observation gave.
    pub(crate) fn record_read(&mut self, name: &str, scope: &str, result: Outcome, at: i64) {
        self.now = at;
        self.push(&Entry::Read { name: name.to_owned(), result, at, scope: scope.to_owned() });
    }

    /// How an effect of these arguments stands; `once`: the program does not try it again where nobody knows.
    pub(crate) fn effect(
        &mut self,
        name: &str,
        scope: &str,
        args: Args,
        once: bool,
        place: Place,
    ) -> Result<Standing, Diverged> {
        let effect = self.next_effect(name, scope, args);
        let met = match self.pop() {
            None => return Ok(self.standing(effect)),
            // Perhaps nobody knew then either, and the program went on from that.
            Some((_, Entry::Intent { effect: then, once: was })) if then == effect => {
                let known = !(once && was) || self.was_done(&effect);
                let Some((_, met)) = known.then(|| self.pop()).flatten() else {
                    return Ok(Standing::InDoubt(Box::new(effect)));
                };
                met
            }
            Some((_, met)) => met,
        };
        match met {
            Entry::Done { effect: then, result, at } if then == effect => {
                self.now = at;
                Ok(Standing::Done(result))
            }
            other => self.diverge(place, &format!("does {effect}"), &other.to_string()),
        }
    }

    /// The effect that is meant: how many such came before it is a part of it.
    fn next_effect(&mut self, name: &str, scope: &str, args: Args) -> Effect {
        self.under_way = true;
        let first =
            Effect { name: name.to_owned(), args, nth: 0, since: self.since, scope: scope.to_owned() };
        let tried = self.tried.entry(first.clone()).or_default();
        let effect = Effect { nth: *tried, ..first };
        *tried += 1;
        effect
    }

    /// Whether what comes next on the tape is what came of this effect.
    fn was_done(&self, effect: &Effect) -> bool {
        let aside =
            |entry: &Entry| matches!(entry, Entry::Program { .. } | Entry::Commit | Entry::Patched { .. });
        let next = self.past.iter().find(|(_, entry)| !aside(entry));
        matches!(next, Some((_, Entry::Done { effect: then, .. })) if then == effect)
    }

    /// How an effect stands that is not on the way here.
    fn standing(&mut self, effect: Effect) -> Standing {
        match self.done.get(&effect).cloned() {
            None if self.doubtful.contains(&effect) => Standing::InDoubt(Box::new(effect)),
            None => Standing::New(Box::new(effect)),
            Some(result) => {
                // Its place on this way: it is found here from now on.
                let at = self.now;
                self.push(&Entry::Done { effect, result: result.clone(), at });
                Standing::Done(result)
            }
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
        self.effects += 1;
        self.push(&Entry::Done { effect, result, at });
    }

    /// A seed for chance: `fresh`, or the one that was used then.
    pub(crate) fn entropy(&mut self, fresh: [u8; 32], place: Place) -> Result<[u8; 32], Diverged> {
        self.under_way = true;
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
    pub(crate) fn sleep(&mut self, until: i64, place: Place) -> Result<(i64, bool), Diverged> {
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

    /// What another branch had made of the shared value, where the program looked at it then; now it is written down if
    /// this branch does not know it.
    pub(crate) fn look(&mut self, name: &str, version: Option<&[u8]>) -> Option<Vec<u8>> {
        self.skip_marks();
        if let Some((_, Entry::Saw { name: then, .. })) = self.past.front() {
            if then != name {
                return None;
            }
            let Some((_, Entry::Saw { version, .. })) = self.pop() else { return None };
            self.know(name, &version.0);
            return Some(version.0);
        }
        let version = version.filter(|_| !self.is_replaying())?;
        let hash = fingerprint([version]);
        if self.known.iter().all(|known| (&*known.0, known.1) != (name, hash)) {
            self.push(&Entry::Saw { name: name.to_owned(), version: Blob(version.to_owned()) });
            self.know(name, version);
        }
        None
    }

    /// Whether the program is past this change of its code: it is where the change is new, and where it was when this was
    /// recorded.
    pub(crate) fn patched(&mut self, name: &str) -> bool {
        let is_mark =
            |entry: &Entry| matches!(entry, Entry::Program { .. } | Entry::Commit | Entry::Patched { .. });
        let marks = self.past.iter().take_while(|(_, entry)| is_mark(entry));
        let mut marks = marks.enumerate();
        let of_name = |entry: &Entry| matches!(entry, Entry::Patched { name: then } if then == name);
        if let Some((at, _)) = marks.find(|(_, (_, entry))| of_name(entry)) {
            self.past.remove(at);
            return true;
        }
        if self.is_replaying() {
            return false;
        }
        self.push(&Entry::Patched { name: name.to_owned() });
        true
    }

    /// Goes on to the next entry that a verb meets.
    fn skip_marks(&mut self) {
        while let Some((_, Entry::Program { .. } | Entry::Commit | Entry::Patched { .. })) = self.past.front()
        {
            if let Some((_, Entry::Program { build, .. })) = self.past.pop_front() {
                self.build_then = build;
            }
        }
    }

    /// This branch knows the shared value as it is now.
    pub(super) fn know(&mut self, name: &str, version: &[u8]) {
        let hash = fingerprint([version]);
        match self.known.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = hash,
            None => self.known.push((name.to_owned(), hash)),
        }
    }

    /// Records a version of what is shared, or returns the one that was recorded then.
    pub(crate) fn share(&mut self, name: &str, version: Vec<u8>, place: Place) -> Result<Vec<u8>, Diverged> {
        self.under_way = true;
        self.know(name, &version);
        match self.pop() {
            None => {
                self.push(&Entry::Shared { name: name.to_owned(), version: Blob(version.clone()) });
                Ok(version)
            }
            Some((_, Entry::Shared { name: then, version })) if then == name => {
                self.know(name, &version.0);
                Ok(version.0)
            }
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

    /// Records a checkpoint, with the hit in hand in full: from here on nothing before it is needed. Returns its number.
    /// What was printed so far in this step is not compared: who is rebuilt from here prints only what comes after it.
    pub(crate) fn checkpoint(
        &mut self,
        state: Vec<u8>,
        shared: &[(String, Vec<u8>)],
        hit: impl FnOnce(&mut Fields) -> Box<Taken>,
        place: Place,
    ) -> Result<u64, Diverged> {
        self.under_way = true;
        let (number, nth) = match self.pop() {
            None => {
                let nth = self.since + 1;
                let (hit, salt) = (Some(hit(&mut self.fields)), Salt::written(self.salt));
                let shared =
                    shared.iter().map(|(name, version)| (name.clone(), Blob(version.clone()))).collect();
                self.push(&Entry::Checkpoint { nth, state: Blob(state), hit, shared, salt });
                (self.written, self.said) = (0, false);
                (self.next() - 1, nth)
            }
            Some((number, Entry::Checkpoint { nth, hit, .. })) => {
                if let Some(hit) = hit {
                    self.played.apply(&hit.headers);
                }
                (number, nth)
            }
            Some((_, other)) => return self.diverge(place, "makes a checkpoint", &other.to_string()),
        };
        (self.since, self.printed) = (nth, None);
        self.tried.clear();
        Ok(number)
    }

    /// After a checkpoint in this step, by its entry's number: the entry before which nothing is needed any more, if that has changed.
    pub(crate) fn let_go(&mut self, checkpoint: u64, step: u32) -> Option<u64> {
        self.checkpoints.push_back((checkpoint, step));
        let before = self.checkpoints.len();
        while self.checkpoints.get(1).is_some_and(|(_, made)| made + REACHABLE <= step) {
            self.checkpoints.pop_front();
        }
        (self.checkpoints.len() < before).then(|| self.checkpoints[0].0)
    }
}
