//! What the journal has for a hit: its visitor's session is looked up and read, while other hits may bring it into memory and out
//! again.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Journal;
use super::rebuilding::{Recall, Wound};
use super::store::{Found, Head, State, StoreError};
use crate::engine::Core;
use crate::mapper::key::VisitorId;
use crate::session::{Session, table};

/// That a session which is not in memory is read. Another hit may bring it there meanwhile, and it may leave again.
pub(super) struct Reading {
    core: Arc<Core>,
    session: u64,
}

impl Reading {
    pub(super) fn begin(core: &Arc<Core>, session: u64) -> Reading {
        core.journal().reading().entry(session).or_default().0 += 1;
        Reading { core: core.clone(), session }
    }

    /// Whether what was read may not be all any more.
    pub(super) fn is_outdated(&self) -> bool {
        self.core.journal().reading().get(&self.session).is_some_and(|(_, left)| *left)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Entry::Occupied(mut reading) = self.core.journal().reading().entry(self.session) {
            reading.get_mut().0 -= 1;
            if reading.get().0 == 0 {
                reading.remove();
            }
        }
    }
}

/// What was read of a session, while it is.
pub(super) type Read = (Option<Wound>, Reading);

/// What was found of a visitor.
pub(super) struct Place {
    pub(super) session: Option<(VisitorId, Head, Read)>,
    /// There was a session, and it is over.
    pub(super) over: Option<(VisitorId, Head)>,
    /// It could not be rebuilt.
    pub(super) lost: bool,
    /// Who has sessions in the journal.
    pub(super) visitor: Option<VisitorId>,
}

impl Core {
    /// What the journal has of the sessions of a hit.
    pub(super) async fn look_up(self: &Arc<Self>, recall: &Recall) -> Result<Place, StoreError> {
        let mut place = Place { session: None, over: None, lost: false, visitor: None };
        if let Some(pass) = recall.hit.pass() {
            place.session = self.find_returned(pass.serial, recall).await?;
            return Ok(place);
        }
        for id in &recall.ids {
            let (found, read) = self.find(*id, recall.label).await?;
            match (found.session, read) {
                (Some(head), Some(read)) => {
                    place.session = Some((*id, head, read));
                    return Ok(place);
                }
                (Some(head), None) => {
                    place.lost |= head.state == State::Quarantined;
                    place.over = Some((*id, head));
                }
                (None, _) => {}
            }
            if found.known {
                place.visitor = place.visitor.or(Some(*id));
            }
        }
        Ok(place)
    }

    /// The session that a return leads to, with its visitor if the hit proves to be theirs.
    async fn find_returned(
        self: &Arc<Self>,
        serial: u64,
        recall: &Recall,
    ) -> Result<Option<(VisitorId, Head, Read)>, StoreError> {
        let core = self.clone();
        let head = self.look(move || core.journal().store.head(serial)).await?;
        let mount = self.flow(recall.flow).mount();
        let live = head.filter(|head| head.state == State::Live && head.flow == mount);
        Ok(live.map(|head| {
            let is_theirs = |id: &VisitorId| self.journal().visitor(*id) == head.visitor;
            let theirs = recall.ids.iter().copied().find(is_theirs).filter(|_| head.label == recall.label);
            (theirs.unwrap_or(VisitorId::NOBODY), head, (None, Reading::begin(self, serial)))
        }))
    }

    /// What is known of a visitor; and of a session that is not in memory its tape, while we are there.
    async fn find(self: &Arc<Self>, id: VisitorId, label: u64) -> Result<(Found, Option<Read>), StoreError> {
        let core = self.clone();
        self.look(move || core.find_now(id, label)).await
    }

    fn find_now(self: &Arc<Self>, id: VisitorId, label: u64) -> Result<(Found, Option<Read>), StoreError> {
        let (journal, mut reading) = (self.journal(), None);
        let left = journal.left();
        let (found, chunks) = journal.store.find_to_play(&journal.visitor(id), label, &mut |session| {
            reading = Some(Reading::begin(self, session));
            // Who has left memory since may have come further than what was found.
            journal.left() == left && !journal.has(session)
        })?;
        let live = found.session.as_ref().filter(|head| head.state == State::Live);
        let read = live.map(|head| {
            let reading = reading.unwrap_or_else(|| Reading::begin(self, head.session));
            let wound = match chunks {
                Some(chunks) => Some(journal.wind_from(head, || chunks)),
                None => (!journal.has(head.session)).then(|| journal.wind(head)),
            };
            (wound, reading)
        });
        Ok((found, read))
    }

    /// The session of a hit, if it is in memory after all: it came meanwhile, or has not quite left.
    pub(super) fn in_table(&self, recall: &Recall) -> Option<(Arc<Session>, VisitorId, bool)> {
        let now = self.clock.now();
        let there = recall.ids.iter().filter(|_| recall.hit.pass().is_none()).find_map(|id| {
            match self.table.find(*id, recall.label, now) {
                table::Found::Session(session, grew) => Some((session, *id, grew)),
                table::Found::Visitor | table::Found::Nobody => None,
            }
        });
        // Not a tombstone: what is written of that is looked for.
        there.filter(|(session, ..)| session.is_leaving() || !session.queue.lock().has_ended())
    }
}

impl Journal {
    /// How many sessions have left memory so far.
    fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }
}
