//! How a session stands with its journal: whether it is in there, how much is on its way, whether it leaves memory.
//!
//! All of it is true of the session, on whichever branch it is, and also while it is on none: when it is being brought to
//! another page, and before it is rebuilt. Tapes are swapped then; the ledger stays.

use super::renames::Rename;
use super::store::Change;

/// How a session stands with its journal.
#[derive(Default)]
pub(crate) struct Ledger {
    /// It has had its second hit or its first effect: it is to be in the store.
    pub(crate) grown: bool,
    /// It is in the store.
    pub(crate) begun: bool,
    /// It was told to end.
    pub(crate) told: bool,
    /// It is played beside the session of this number, and leaves nothing in the journal.
    pub(crate) stands_for: Option<u64>,
    /// Changes that go with what is handed out next.
    pub(crate) changes: Vec<Change>,
    /// New ids of its visitor among them.
    pub(crate) renames: Vec<Rename>,
    /// Effects that were recorded since it came into memory, on all branches.
    pub(crate) effects: u32,
    /// Parts of it that are on their way to the store.
    unwritten: u32,
    /// Something of it could not be written.
    broken: bool,
    /// It leaves memory, and stays in the journal.
    leaves: bool,
}

impl Ledger {
    /// That of a session which is in the store.
    pub(crate) fn recorded() -> Ledger {
        Ledger { begun: true, ..Ledger::default() }
    }

    /// That of a copy which is played beside the session of this number.
    pub(crate) fn beside(session: u64) -> Ledger {
        Ledger { begun: true, stands_for: Some(session), ..Ledger::default() }
    }

    /// The session leaves memory, and stays in the journal: it is not over.
    pub(crate) fn leave(&mut self) {
        self.leaves = true;
    }

    /// Whether the session leaves memory, and stays in the journal; by our doing, or to be rebuilt from what was written.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaves || self.broken
    }

    /// Whether something of the session could not be written. What it shows since may never have been.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether anything of the session is, or is to be, in the store.
    pub(crate) fn is_kept(&self) -> bool {
        self.begun || self.grown
    }

    /// Whether all that was handed out is in the store.
    pub(crate) fn is_written(&self) -> bool {
        self.unwritten == 0
    }

    /// Whether the session can be brought to another page.
    pub(crate) fn may_turn(&self) -> bool {
        self.begun && self.stands_for.is_none() && !self.told && !self.is_leaving()
    }

    /// Whether the session can leave memory, and come back.
    pub(crate) fn may_rest(&self) -> bool {
        self.begun && self.changes.is_empty() && self.is_written() && !self.told && !self.is_leaving()
    }

    /// Whether the session is over where its function returns, or is told, or killed: only then an end is written.
    pub(crate) fn may_end(&self) -> bool {
        self.is_kept() && self.stands_for.is_none() && !self.is_leaving()
    }

    /// Something is handed out, if there is anything to wait for: these changes, or what is on its way.
    pub(crate) fn hands_out(&mut self, changes: bool) -> bool {
        let waits = changes || self.unwritten > 0 || self.broken;
        self.unwritten += u32::from(waits);
        waits
    }

    /// Something that was handed out is in the store, or could not be put there. Whether the session goes on.
    pub(crate) fn settle(&mut self, written: bool) -> bool {
        self.unwritten = self.unwritten.saturating_sub(1);
        self.broken |= !written;
        !self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_never_forgotten() {
        let mut ledger = Ledger::recorded();
        assert!(ledger.hands_out(true) && ledger.hands_out(false), "the second waits for the first");
        assert!(!ledger.settle(false));
        assert!(!ledger.settle(true), "what comes after it does not mend it");
        assert!(ledger.is_written() && ledger.is_broken() && ledger.is_leaving());
        assert!(!(ledger.may_turn() || ledger.may_rest() || ledger.may_end()));
        assert!(ledger.hands_out(false), "who asks now is told that it is broken");
    }

    #[test]
    fn what_leaves_memory_is_not_over() {
        let mut ledger = Ledger::recorded();
        assert!(ledger.may_turn() && ledger.may_rest() && ledger.may_end());
        ledger.leave();
        assert!(!(ledger.may_turn() || ledger.may_rest() || ledger.may_end()));
        assert!(!ledger.is_broken());
    }

    #[test]
    fn a_copy_is_never_over_and_a_newborn_leaves_nothing() {
        assert!(!Ledger::beside(7).may_end() && !Ledger::beside(7).may_turn());
        assert!(!Ledger::default().may_end() && !Ledger::default().may_rest());
    }
}
