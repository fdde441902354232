//! A session that is not in memory: found by who the visitor is, played again, and given the hit that asked for it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::ledger::Ledger;
use super::reading::{Place, Read};
use super::renames::Looking;
use super::store::{Change, Chunk, Fault, Head, SLOTS, State, StoreError};
use super::tape::{Met, Tape};
use super::{Journal, Submission, hits, inside};
use crate::engine::Core;
use crate::error::Chain;
use crate::hit::Hit;
use crate::log::Line;
use crate::mapper::Whom;
use crate::mapper::key::VisitorId;
use crate::mapper::reap::seconds;
use crate::page::Notice;
use crate::session::Session;
use crate::session::table::Full;

/// Processes that may die while they rebuild a session; then nobody tries any more.
const DEATHS: u32 = 2;
/// Times that a hit asks again for a session that is just leaving or coming.
const TRIES: usize = 100;

/// The token of the link that leads on from a session that could not be rebuilt: who comes without it is told first.
const ANEW: &str = "anew";

const UNREACHABLE: &str = "Where you were cannot be looked up at the moment.";
const CROWDED: &str = "Too many visitors come back at once.";

/// A hit whose session may be in the journal.
pub(crate) struct Recall {
    /// Whom it proves to be: one, mostly.
    pub(crate) ids: Vec<VisitorId>,
    /// Whom a session is started for if there is none, as far as that is known without the journal.
    pub(crate) known: Whom,
    pub(crate) flow: u16,
    pub(crate) label: u64,
    pub(crate) hit: Box<Hit>,
}

impl Recall {
    /// Nothing leads to a session: all ids that it proved were changed.
    fn is_nobodys(&self) -> bool {
        self.ids.is_empty() && self.hit.pass().is_none()
    }
}

impl Core {
    /// Looks into the journal for the session of a hit, without holding anybody up.
    #[inline(never)]
    pub(crate) fn recall(self: &Arc<Self>, mut recall: Recall) {
        recall.hit.reply.defer();
        let core = self.clone();
        self.runtime.spawn(async move { core.recall_now(recall).await });
    }

    async fn recall_now(self: Arc<Self>, mut recall: Recall) {
        let journal = self.journal();
        let Ok(_place) = journal.recalls.try_acquire() else { return self.busy(recall.hit, CROWDED) };
        let looking = Looking::by(&self, &recall.ids);
        let mut sure = false;
        for _ in 0..TRIES {
            // Nothing is found any more by an id that was changed, also while that is not written yet.
            recall.ids.retain(|id| !journal.renames.is_dead(*id));
            let found = match self.look_up(&recall).await {
                Ok(found) => found,
                Err(error) => return self.not_looked_up(recall.hit, &error),
            };
            let Some((id, head, read)) = found.session else {
                match self.in_table(&recall) {
                    Some((session, id, grew)) => return self.deliver_known(&session, id, grew, recall.hit),
                    None if sure || recall.is_nobodys() => return self.start_after(recall, found, looking),
                    // It may have left before the first that is written of it was.
                    None => journal.barrier().await,
                }
                sure = true;
                continue;
            };
            recall.hit.set_own(id != VisitorId::NOBODY);
            recall.hit.by = id;
            match self.resume(id, &head, read, recall.flow) {
                Ok(Some(session)) => return self.deliver(&session, recall.hit),
                // It is just leaving: when all is written it can come back.
                Ok(None) => journal.barrier().await,
                Err(full) => return self.busy(recall.hit, full.reason()),
            }
        }
        self.busy(recall.hit, UNREACHABLE);
    }

    fn not_looked_up(&self, hit: Box<Hit>, error: &StoreError) {
        // That it stopped was said by who failed to write.
        if error.fault() != Fault::Stopped {
            tracing::error!(error = %Line(Chain(error)), "the journal cannot be read");
        }
        self.busy(hit, UNREACHABLE);
    }

    /// There is no such session: the hit starts one, unless it comes from a page of one.
    fn start_after(self: &Arc<Self>, recall: Recall, place: Place, looking: Looking) {
        if recall.hit.pass().is_some() {
            return self.expire(recall.hit);
        }
        let Recall { known, flow, label, mut hit, .. } = recall;
        if hit.token() == Some(ANEW) {
            hit.begin_anew(None);
        } else if place.lost {
            return self.tell_lost(hit);
        } else if hit.token().is_some() {
            if let Some((visitor, head)) = place.over {
                hit.by = visitor;
                // It may have ended just now: then its last page is kept.
                if let Some(session) = self.table.lingering(visitor, label)
                    && session.serial == head.session
                {
                    return self.deliver(&session, hit);
                }
                let core = self.clone();
                self.runtime.spawn(async move { core.repeat_end(looking, (visitor, head), flow, hit).await });
                return;
            }
            // A newborn's page; the newborn is gone. What was answered there is no answer to another session.
            hit.begin_anew(Some(Notice::StartedAgain));
        }
        self.start(known.or_recorded(place.visitor), flow, label, hit);
    }

    /// The session of this number, in memory from here on. `None` if it is just leaving.
    fn resume(
        self: &Arc<Self>,
        id: VisitorId,
        head: &Head,
        (wound, reading): Read,
        flow: u16,
    ) -> Result<Option<Arc<Session>>, Full> {
        let journal = self.journal();
        let mut present = journal.present();
        if let Some(session) = present.get(&head.session).and_then(std::sync::Weak::upgrade) {
            drop(present);
            return self.join(session, id);
        }
        if reading.is_outdated() {
            return Ok(None);
        }
        let place = (head.label, head.session);
        let session = Session::parked(self.clone(), id, place, flow, Ledger::recorded());
        present.insert(head.session, Arc::downgrade(&session));
        drop(present);
        if let Err(full) = self.let_in(&session, id) {
            let left = self.put_out(&session);
            session.hand_back(left);
            return full.or_renamed();
        }
        self.runtime.spawn(self.clone().rebuild(session.clone(), head.clone(), wound));
        Ok(Some(session))
    }

    /// A place for a session that comes back: its visitor's, or none until it is parked again.
    fn let_in(&self, session: &Arc<Session>, id: VisitorId) -> Result<(), Full> {
        if id == VisitorId::NOBODY {
            self.journal().woken().push(session.clone());
            return Ok(());
        }
        self.table.adopt(session, id, self)
    }

    /// A session that is in memory; `None` if it is just leaving.
    fn join(self: &Arc<Self>, session: Arc<Session>, id: VisitorId) -> Result<Option<Arc<Session>>, Full> {
        if session.queue.lock().has_ended() {
            return Ok(None);
        }
        if session.visitor() == VisitorId::NOBODY
            && id != VisitorId::NOBODY
            && let Err(full) = self.table.adopt(&session, id, self)
        {
            return full.or_renamed();
        }
        Ok(Some(session))
    }

    /// Rebuilds a session that nobody has asked for.
    pub(super) async fn rebuild_unasked(self: &Arc<Self>, head: Head) -> Option<Arc<Session>> {
        let journal = self.journal();
        let flow = self.flows.iter().position(|flow| flow.mount() == head.flow)?;
        let flow = u16::try_from(flow).expect("counted when the server was built");
        let session = {
            let mut present = journal.present();
            if present.get(&head.session).is_some_and(|there| there.strong_count() > 0) {
                return None;
            }
            let place = (head.label, head.session);
            let session = Session::parked(self.clone(), VisitorId::NOBODY, place, flow, Ledger::recorded());
            present.insert(head.session, Arc::downgrade(&session));
            session
        };
        self.clone().rebuild(session.clone(), head, None).await;
        Some(session)
    }

    /// Plays a session again, up to where it was.
    async fn rebuild(self: Arc<Self>, session: Arc<Session>, head: Head, wound: Option<Wound>) {
        let wound = match wound {
            Some(wound) => wound,
            None => self.wind(head.clone()).await,
        };
        match wound {
            // The server stops, or what it was to go on with could not be written.
            _ if session.is_leaving() => session.hand_back(self.put_out(&session)),
            Ok((tape, first)) => {
                self.journal().in_place(head.session, session.replay(tape, &first)).await;
                match self.rewound(&session).await {
                    Some(wound) => Box::pin(self.rebuild(session, head, Some(wound))).await,
                    None => self.arrived(&session, &head),
                }
            }
            Err(error) if error.fault() == Fault::Damaged => {
                self.quarantine(&session, &Chain(&error).to_string());
            }
            Err(error) => {
                tracing::error!(session = %session.name(), error = %Line(Chain(&error)), "a session cannot be read");
                self.put_out(&session).into_iter().for_each(|hit| self.busy(hit, UNREACHABLE));
            }
        }
    }

    /// A session was played again, and the process lives.
    fn arrived(self: &Arc<Self>, session: &Arc<Session>, head: &Head) {
        // What it has lost is written down, and who was told before is not told again.
        session.write_on();
        if session.ledger(|ledger| ledger.told) == Some(true) {
            self.tell(vec![session.clone()]);
        }
        if head.deaths > 0 {
            let changes = vec![Change::Deaths { session: head.session, count: 0 }];
            self.journal().submit(Submission { changes, ..Submission::default() }, self.clock.now());
        }
    }

    /// A session that is not rebuilt this time. Gives back the hits that wait for it.
    fn put_out(&self, session: &Arc<Session>) -> Vec<Box<Hit>> {
        // Who comes too late for it looks into the journal.
        session.ledger(|ledger| ledger.leave());
        let hits = session.queue.close_running();
        session.queue.end();
        self.table.remove(session);
        self.journal().leave(session);
        hits
    }

    /// A session that cannot be rebuilt: its visitor is told, and it is kept for who wants to know why.
    pub(crate) fn quarantine(self: &Arc<Self>, session: &Arc<Session>, why: &str) {
        tracing::error!(
            session = %session.name(), why = %Line(why),
            "a session cannot be rebuilt and is quarantined: `continuity journal show` has what is known of it"
        );
        self.put_away(session).for_each(|hit| self.tell_lost(hit));
    }

    /// The session leaves memory for good, and what is known of it stays. Gives back the hits that wait for it.
    pub(super) fn put_away(
        self: &Arc<Self>,
        session: &Arc<Session>,
    ) -> impl Iterator<Item = Box<Hit>> + use<> {
        let hits = session.queue.close_running();
        session.talk(|talk| drop(talk.current.take()));
        session.ledger(|ledger| ledger.leave());
        session.queue.end();
        session.bury_branches();
        self.table.remove(session);
        self.kept.remove(session.serial);
        let due = self.clock.now().saturating_add(seconds(self.limits.ended));
        let end = Change::End { session: session.serial, state: State::Quarantined, due };
        let submission = Submission {
            session: Some(session.clone()),
            changes: vec![end],
            leaves: true,
            ..Submission::default()
        };
        self.journal().submit(submission, self.clock.now());
        hits.into_iter()
    }

    /// Where the visitor was cannot be restored; a link leads on. The page may get lost on its way, so it comes again
    /// until that link is followed.
    fn tell_lost(&self, mut hit: Box<Hit>) {
        let onward = hit.own_link_to(ANEW);
        hit.reply.sensitive = true;
        self.notify(&mut hit, Notice::Unrestorable, Some(&onward));
        self.finish(hit);
    }

    /// Notes sessions during whose rebuilding the last process died.
    pub(crate) fn count_deaths(&self) {
        let Some(journal) = &self.journal else { return };
        for &session in &journal.marked {
            let Ok(Some(head)) = journal.store.head(session) else { continue };
            tracing::warn!(session = %format_args!("{session:x}"), deaths = head.deaths + 1, "the process died while it rebuilt this session");
            let changes = vec![Change::Deaths { session, count: head.deaths + 1 }];
            journal.submit(Submission { changes, ..Submission::default() }, self.clock.now());
        }
    }

    async fn wind(self: &Arc<Self>, head: Head) -> Wound {
        let core = self.clone();
        self.look(move || core.journal().wind(&head)).await
    }

    pub(crate) fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("only a server with a journal comes here")
    }
}

/// The tape of a session that is to be rebuilt, with its first hit.
pub(super) type Wound = Result<(Tape, Box<super::Taken>), StoreError>;

impl Journal {
    /// Replays a session when there is a place for it. It is marked only while its own code runs: what kills the process
    /// meanwhile may be that code.
    pub(super) async fn in_place<T>(&self, session: u64, replay: impl Future<Output = T>) -> T {
        let _place = self.places.acquire().await.expect("it is never closed");
        let slot = self.slots().pop().expect("there are as many slots as places");
        self.store.mark(slot, Some(session));
        let replayed = replay.await;
        self.store.mark(slot, None);
        self.slots().push(slot);
        replayed
    }

    /// What is on a session's tape.
    pub(super) fn wind(&self, head: &Head) -> Wound {
        self.wind_from(head, || self.store.recall(head.session))
    }

    pub(super) fn wind_from(
        &self,
        head: &Head,
        chunks: impl FnOnce() -> Result<Vec<Chunk>, StoreError>,
    ) -> Wound {
        if head.deaths >= DEATHS {
            let why = format!("{} processes died while they rebuilt it", head.deaths);
            return Err(StoreError::new(Fault::Damaged, why));
        }
        Tape::of(&chunks()?, self.build)
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        let slots = self.slots.lock().expect("no code panics while it holds the slots");
        debug_assert!(slots.len() <= SLOTS);
        slots
    }
}

impl Session {
    /// Plays a tape up to its end: then the session waits where it was, or goes on.
    pub(super) async fn replay(self: &Arc<Self>, tape: Tape, first: &super::Taken) {
        let task = self.start_again(tape, first);
        self.run_to_rest(task).await;
    }

    /// Runs the session until it waits for a hit, or is over.
    pub(super) async fn run_to_rest(self: &Arc<Self>, mut task: Option<crate::session::Task>) {
        poll_fn(|cx| {
            task = task.take().and_then(|task| self.poll(task));
            if task.is_none() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Starts the function with the first hit of a tape.
    pub(super) fn start_again(
        self: &Arc<Self>,
        mut tape: Tape,
        first: &super::Taken,
    ) -> Option<crate::session::Task> {
        let mount = self.core.flow(self.talk(|talk| talk.flow)).mount();
        // What has the visitor's id in it cannot be compared where that is not known.
        tape.lenient = self.visitor() == VisitorId::NOBODY;
        let hit = hits::again(first, tape.played(), mount);
        let shared = tape.shared();
        {
            let mut state = self.queue.lock();
            state.talk.current = Some(hit);
            state.talk.step = first.step;
            state.talk.applied = crate::step::Answered::again(first.answer);
            let extra = state.extra();
            (extra.tape, extra.shared) = (Some(Box::new(tape)), shared);
        }
        self.call_function(self.talk(|talk| talk.flow))
    }

    /// What the verb that asks meets: the hit it took then, or the present.
    pub(crate) fn meet(&self, cx: &Context<'_>) -> Replayed {
        let (place, flow) = self.talk(|talk| (talk.place, talk.flow));
        let mount = self.core.flow(flow).mount();
        let met = self.tape(|tape| {
            if tape.diverged.is_some() || tape.takes_a_break() {
                tape.at_verb = true;
                return Replayed::Pending;
            }
            match tape.meet(place) {
                Ok(Met::Present) => Replayed::Present,
                Ok(Met::Told) => Replayed::Told,
                Ok(Met::Hit(taken)) => {
                    let hit = hits::again(&taken, tape.played(), mount);
                    Replayed::Hit(hit, taken)
                }
                Err(_) => {
                    tape.at_verb = true;
                    Replayed::Pending
                }
            }
        });
        let met = met.unwrap_or(Replayed::Present);
        match met {
            Replayed::Hit(..) => {}
            Replayed::Told => {
                self.ledger(|ledger| ledger.told = true);
                inside::unhush();
            }
            // Others have their turn; who has diverged gets none.
            Replayed::Pending => cx.waker().wake_by_ref(),
            Replayed::Present => inside::unhush(),
        }
        met
    }

    /// Where what is recorded cannot be what happens: the session waits to be taken away.
    pub(crate) fn diverge(&self, what: &str) {
        let place = self.talk(|talk| talk.place);
        self.tape(|tape| {
            tape.diverged.get_or_insert_with(|| format!("{what} at {place}"));
            tape.at_verb = true;
        });
    }
}

/// What a verb that asks meets.
pub(crate) enum Replayed {
    Present,
    Hit(Box<Hit>, Box<super::Taken>),
    Told,
    /// Not now, or never.
    Pending,
}
