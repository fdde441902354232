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

    /// The second of the first.
    pub(super) fn oldest(&self) -> Option<u32> {
        let line = self.line.lock().expect("no code panics while it holds the rotations");
        line.front().map(|rotation| rotation.second)
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
        let (old, new) = (session.visitor(), VisitorId::fresh());
        self.table.rename(old, new);
        session.was_renamed(old, new);
        if answer.is_some() {
            let second = self.clock.now();
            self.rotated.remember(Rotation { second, old, answer, session: Arc::downgrade(session) });
        }
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
        self.introduce(session.visitor(), &mut hit);
        self.deliver(session, hit);
    }
}
