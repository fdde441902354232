//! Rotated ids: at login a visitor gets another id, and the old one is dead at once.
//!
//! One thing it still opens: the repeat of the very submit that rotated it, for the browser that never saw the answer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::Identity;
use super::key::VisitorId;
use crate::engine::Core;
use crate::hit::Hit;
use crate::journal::renames::Rename;
use crate::session::Session;
use crate::step::Answered;

/// Rotations that are remembered at once: at 10 minutes each, 16 logins a second.
const REMEMBERED: usize = 10_000;

struct Rotation {
    second: u32,
    old: VisitorId,
    /// The submit that rotated: see `Seal::answer`.
    answer: Answered,
    session: Weak<Session>,
}

/// The rotations of the last minutes.
#[derive(Default)]
pub(crate) struct Rotated {
    /// One id is changed at a time: two sessions of a visitor may want to at once.
    turn: Mutex<()>,
    count: AtomicUsize,
    line: Mutex<VecDeque<Rotation>>,
}

impl Rotated {
    fn remember(&self, rotation: Rotation) {
        let mut line = self.line.lock().expect("no code panics while it holds the rotations");
        line.push_back(rotation);
        if line.len() > REMEMBERED {
            line.pop_front();
        }
        self.count.store(line.len(), Ordering::Relaxed);
    }

    pub(crate) fn forget_until(&self, second: u32) {
        let mut line = self.line.lock().expect("no code panics while it holds the rotations");
        while line.pop_front_if(|rotation| rotation.second < second).is_some() {}
        self.count.store(line.len(), Ordering::Relaxed);
    }

    fn sessions(&self, old: VisitorId) -> Vec<(Answered, Arc<Session>)> {
        let line = self.line.lock().expect("no code panics while it holds the rotations");
        let of = line.iter().rev().filter(|one| one.old == old);
        of.filter_map(|one| Some((one.answer, one.session.upgrade()?))).collect()
    }
}

impl Core {
    /// Gives the visitor of a session another id. All their sessions have it at once.
    pub(crate) fn rotate(&self, session: &Arc<Session>, answer: Answered) {
        let turn = self.rotated.turn.lock().expect("no code panics while it changes an id");
        let current = session.visitor();
        let written_so = session.ledger(|ledger| ledger.renames.iter().any(|rename| rename.new == current));
        let old = match (&self.journal, written_so) {
            // Nobody has been told the one that this step has given them.
            (Some(_), Some(true)) => return,
            (Some(journal), Some(false)) => {
                let rename = journal.renames.begin(current);
                self.rename(session, rename);
                session.was_renamed(rename);
                rename.old
            }
            _ => {
                self.rename(session, Rename { old: current, new: VisitorId::fresh() });
                current
            }
        };
        drop(turn);
        if answer.is_some() {
            let second = self.clock.now();
            self.rotated.remember(Rotation { second, old, answer, session: Arc::downgrade(session) });
        }
    }

    /// A new id that could not be written is none: nobody was told it, and the old one is valid again. That holds for the
    /// session of this step, and for all others of the visitor if no other step of theirs says the same.
    #[cold]
    pub(crate) fn give_up_rename(&self, session: &Session, rename: Rename) {
        let _turn = self.rotated.turn.lock().expect("no code panics while it changes an id");
        if self.journal().renames.failed(rename) {
            self.rename(session, Rename { old: rename.new, new: rename.old });
        }
    }

    /// All sessions of the visitor have another id, and this one, which may not be in the table any more.
    fn rename(&self, session: &Session, Rename { old, new }: Rename) {
        self.table.rename(old, new);
        session.follow(old, new);
    }

    /// The session whose id the very same submit rotated.
    pub(super) fn rotated(&self, identity: &Identity<'_>, hit: &Hit) -> Option<Arc<Session>> {
        if self.rotated.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        hit.token()?;
        let olds = identity.claims().filter_map(|claim| self.keys.verify(claim));
        let sessions = olds.into_iter().flat_map(|old| self.rotated.sessions(old));
        sessions
            .into_iter()
            .find(|(answer, session)| self.seal.answer_of(session.serial, hit) == Some(*answer))
            .map(|(_, session)| session)
    }

    /// Whether this very return rotated the session's id, and comes from who had the one before.
    pub(super) fn rotated_by_return(
        &self,
        ids: &[VisitorId],
        answer: Answered,
        session: &Arc<Session>,
    ) -> bool {
        if self.rotated.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let of_ids = ids.iter().flat_map(|id| self.rotated.sessions(*id));
        of_ids.into_iter().any(|(one, of)| one == answer && Arc::ptr_eq(&of, session))
    }

    /// Brings the repeat to its session, and tells the browser the id it has missed.
    #[cold]
    pub(super) fn deliver_rotated(self: &Arc<Self>, session: &Arc<Session>, mut hit: Box<Hit>) {
        hit.by = session.visitor();
        self.introduce(hit.by, &mut hit);
        self.deliver(session, hit);
    }
}

impl Session {
    /// New ids of the visitor that were not handed out to be written are given up.
    #[cold]
    pub(crate) fn give_up_renames(&self) {
        let renames = self.ledger(|ledger| {
            if !ledger.renames.is_empty() {
                ledger.changes.retain(|change| change.as_rename().is_none());
            }
            std::mem::take(&mut ledger.renames)
        });
        for rename in renames.into_iter().flatten() {
            self.core.give_up_rename(self, rename);
        }
    }
}
