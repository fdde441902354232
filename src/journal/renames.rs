//! Ids that are changed while there is a journal: the new one counts when it is written, and until then the old one opens
//! nothing.
//!
//! A look-up takes its time, and what it finds may have been found by an id that is changed meanwhile. So hits that look say
//! by which ids they do, and an id that was changed is remembered for as long as it is not written or anybody looks by it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::engine::Core;
use crate::mapper::key::VisitorId;

/// A visitor's id takes the place of another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rename {
    pub(crate) old: VisitorId,
    pub(crate) new: VisitorId,
}

/// Ids that are being changed, and those that hits look by.
#[derive(Default)]
pub(crate) struct Renames(Mutex<Ids>);

#[derive(Default)]
struct Ids {
    olds: HashMap<VisitorId, Old>,
    /// The one before, for each new id that is not written yet.
    news: HashMap<VisitorId, VisitorId>,
}

#[derive(Default)]
struct Old {
    /// What takes its place.
    new: Option<VisitorId>,
    /// Steps that say so, and are not written yet.
    unwritten: u32,
    /// It is in the store that it was changed.
    written: bool,
    /// Hits that look by it.
    looking: u32,
}

impl Renames {
    /// The visitor of this id gets another. While that is not written nobody has been told it: whoever changes the id once
    /// more means the same.
    pub(crate) fn begin(&self, id: VisitorId) -> Rename {
        let mut ids = self.ids();
        let old = ids.news.get(&id).copied().unwrap_or(id);
        let entry = ids.olds.entry(old).or_default();
        let new = *entry.new.get_or_insert_with(VisitorId::fresh);
        entry.unwritten += 1;
        if !entry.written {
            ids.news.insert(new, old);
        }
        Rename { old, new }
    }

    /// It is in the store.
    pub(crate) fn written(&self, rename: Rename) {
        let mut ids = self.ids();
        ids.news.remove(&rename.new);
        ids.settle(rename.old, |entry| entry.written = true);
    }

    /// It could not be written, or its step was given up. `true`: nor does any other step say so, and the old id is valid.
    pub(crate) fn failed(&self, rename: Rename) -> bool {
        let mut ids = self.ids();
        let void = ids.olds.get(&rename.old).is_some_and(|entry| !entry.written && entry.unwritten == 1);
        if void {
            ids.news.remove(&rename.new);
        }
        ids.settle(rename.old, |entry| entry.new.take_if(|_| void));
        void
    }

    /// Whether the id was changed, and that is not written yet or somebody still looks by it.
    pub(crate) fn is_dead(&self, id: VisitorId) -> bool {
        self.ids().olds.get(&id).is_some_and(|entry| entry.new.is_some())
    }

    /// The id that the store has for the visitor of this one.
    pub(crate) fn durable(&self, id: VisitorId) -> VisitorId {
        self.ids().news.get(&id).copied().unwrap_or(id)
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().expect("no code panics while it holds the ids that are changed")
    }
}

impl Ids {
    fn settle<T>(&mut self, old: VisitorId, how: impl FnOnce(&mut Old) -> T) {
        if let Entry::Occupied(mut entry) = self.olds.entry(old) {
            entry.get_mut().unwritten -= 1;
            how(entry.get_mut());
            if entry.get().is_settled() {
                entry.remove();
            }
        }
    }
}

impl Old {
    fn is_settled(&self) -> bool {
        self.unwritten == 0 && self.looking == 0
    }
}

/// A hit looks by these ids: one that is changed meanwhile is known to be.
pub(crate) struct Looking {
    core: Arc<Core>,
    ids: Vec<VisitorId>,
}

impl Looking {
    pub(crate) fn by(core: &Arc<Core>, ids: &[VisitorId]) -> Looking {
        let mut known = core.journal().renames.ids();
        for id in ids {
            known.olds.entry(*id).or_default().looking += 1;
        }
        drop(known);
        Looking { core: core.clone(), ids: ids.to_vec() }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let mut known = self.core.journal().renames.ids();
        for id in &self.ids {
            if let Entry::Occupied(mut entry) = known.olds.entry(*id) {
                entry.get_mut().looking -= 1;
                if entry.get().is_settled() {
                    entry.remove();
                }
            }
        }
    }
}
