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
    /// Who has other sessions.
    pub(super) visitor: Option<VisitorId>,
}

impl Core {
    /// What the journal has of the sessions of a hit.
    pub(super) async fn look_up(self: &Arc<Self>, recall: &Recall) -> Result<Place, StoreError> {
        let mut place = Place { session: None, over: None, lost: false, visitor: recall.known };
        if let Some(pass) = recall.hit.pass() {
            place.session = self.find_returned(pass.serial, recall).await?;
            return Ok(place);
        }
        self.look_under(recall.label, recall, &mut place).await?;
        if place.session.is_none() && place.over.is_none() && recall.label != self.flow(recall.flow).label {
            // It may have begun when labels were hashed without a key. In memory it has the label of today.
            let before = self.label_before(recall.flow, &recall.hit);
            self.look_under(before, recall, &mut place).await?;
            place.session.iter_mut().for_each(|(_, head, _)| head.label = recall.label);
        }
        Ok(place)
    }

    /// The same under one label.
    async fn look_under(
        self: &Arc<Self>,
        label: u64,
        recall: &Recall,
        place: &mut Place,
    ) -> Result<(), StoreError> {
        for id in &recall.ids {
            let (found, read) = self.find(*id, label).await?;
            match (found.session, read) {
                (Some(head), Some(read)) => {
                    place.session = Some((*id, head, read));
                    return Ok(());
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
        Ok(())
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
        Ok(live.map(|mut head| {
            if head.label != recall.label && head.label == self.label_before(recall.flow, &recall.hit) {
                head.label = recall.label;
            }
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
    pub(super) fn in_table(&self, recall: &Recall) -> Option<(Arc<Session>, bool)> {
        let now = self.clock.now();
        let there = recall.ids.iter().filter(|_| recall.hit.pass().is_none()).find_map(|id| {
            match self.table.find(*id, recall.label, now) {
                table::Found::Session(session, grew) => Some((session, grew)),
                table::Found::Visitor | table::Found::Nobody => None,
            }
        });
        // Not a tombstone: what is written of that is looked for.
        there.filter(|(session, _)| {
            session.tape(|tape| tape.stays) == Some(true) || !session.queue.lock().has_ended()
        })
    }
}

impl Journal {
    /// How many sessions have left memory so far.
    fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }
}

#[cfg(all(test, feature = "test"))]
mod tests {
    use std::hash::Hasher;

    use maud::html;
    use siphasher::sip::SipHasher13;

    use crate::flow::Flow;
    use crate::journal::export::begin_with;
    use crate::journal::{Change, Head, Memory, Store};
    use crate::mapper::Map;
    use crate::request::Request;
    use crate::server::Server;
    use crate::step::{PARAM, Seal};
    use crate::test::Browser;

    async fn counts(mut req: Request) -> crate::Result<()> {
        let mut count = 0;
        loop {
            req.print(html! { "Count " (count) form method="post" { input name="by"; } });
            count += req.next().await?.param::<u32>("by")?;
        }
    }

    /// The label of a path as it was hashed when there was no key.
    fn label_before(path: &str) -> u64 {
        let mut hasher = SipHasher13::new();
        for part in ["path", path] {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        // The root's flow.
        hasher.write_u64(0);
        hasher.finish()
    }

    /// The same sessions, as a server without the key wrote them.
    fn as_before(store: &Memory, seed: u64) -> Memory {
        let before = Memory::seeded(seed);
        for head in store.list(0, 9).expect("it is in memory") {
            let chunks = store.load(head.session).expect("it is in memory");
            let head = Head { label: label_before("/shop"), ..head };
            before.write(&begin_with(&head, &chunks)).expect("memory takes all");
            before.write(&[Change::Park { session: head.session, due: u32::MAX }]).expect("memory takes all");
        }
        before
    }

    fn server(store: &Memory) -> Server {
        Server::new(Flow::new(counts).map(Map::by_cookie().path())).journal(store.clone())
    }

    /// The token of the form that is shown, as a server without the key made it.
    fn token_before(browser: &Browser, store: &Memory) -> String {
        let seal = Seal::of(&store.opened().secret.expect("it has one"));
        let session = store.list(0, 9).expect("it is in memory")[0].session;
        let token = seal.open(session, &browser.value(PARAM)).expect("it is of this session");
        let mut before = String::new();
        let nth = token.part & (u32::MAX >> 1);
        seal.seal_form((session, token.step, 0), nth, label_before("/shop"), &mut before);
        before
    }

    #[tokio::test]
    async fn a_form_from_before_its_label_had_a_key_is_taken_once() {
        let store = Memory::seeded(6);
        let mut browser = Browser::of(server(&store));
        browser.get("/shop").await.fill("by", 1).submit().await.shows("Count 1");
        let before = as_before(&store, 6);
        let token = token_before(&browser, &store);
        browser.restart(server(&before));
        for _ in 0..2 {
            browser.post("/shop", &[(PARAM, &token), ("by", "2")]).await.shows("Count 3");
        }
    }

    #[tokio::test]
    async fn a_session_from_before_its_label_had_a_key_is_found() {
        let store = Memory::seeded(5);
        let mut browser = Browser::of(server(&store));
        browser.get("/shop").await.fill("by", 1).submit().await.shows("Count 1");
        let before = as_before(&store, 5);
        browser.restart(server(&before)).reload().await.shows("Count 1");
        browser.restart(server(&before)).fill("by", 2).submit().await.shows("Count 3");
        assert_eq!(browser.sessions(), 1);
        browser.reload().await.shows("Count 3");
        browser.get("/other").await.shows("Count 0");
        assert_eq!(
            before.list(0, 9).expect("it is in memory").len(),
            1,
            "no other was begun for the old one"
        );
    }
}
