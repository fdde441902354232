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

/// Rotations that are remembered at once: at 10 minutes each, 16 logins a second.
const REMEMBERED: usize = 10_000;

struct Rotation {
    second: u32,
    old: VisitorId,
    /// The submit that rotated: see `Seal::answer`.
    answer: u64,
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

    fn find(&self, old: VisitorId, answer: u64) -> Option<Arc<Session>> {
        let line = self.line.lock().expect("no code panics while it holds the rotations");
        line.iter().rev().find(|one| one.old == old && one.answer == answer)?.session.upgrade()
    }
}

impl Core {
    /// Gives the visitor of a session another id. All their sessions have it at once.
    pub(crate) fn rotate(&self, session: &Arc<Session>, answer: u64) {
        let (old, new) = (session.visitor(), VisitorId::fresh());
        self.table.rename(old, new);
        if answer != 0 {
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
        let answer = self.seal.answer(hit.query(), hit.body());
        let claims = identity.claims().filter_map(|claim| self.keys.verify(claim.as_bytes()));
        claims.into_iter().find_map(|old| self.rotated.find(old, answer))
    }

    /// Brings the repeat to its session, and tells the browser the id it has missed.
    pub(super) fn deliver_rotated(self: &Arc<Self>, session: &Arc<Session>, mut hit: Box<Hit>) {
        self.introduce(session, &mut hit);
        self.deliver(session, hit);
    }
}
