//! A session of an export, played on a test's server: what is printed is compared as well, and what is different is told.
//!
//! The session is the visitor's of the test from here on, under the label that the flow gives to their hits. One that
//! has ended is played up to the last page that it waited at.

use std::any::Any;
use std::fmt::Write;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::HeaderMap;

use super::entry::{Entry, Taken};
use super::headers::Played;
use super::store::{Chunk, Head, State};
use super::tape::Tape;
use super::{Export, export, hits};
use crate::engine::Core;
use crate::error::{BoxError, Chain};
use crate::log::Line;
use crate::mapper::Identity;
use crate::mapper::key::VisitorId;
use crate::session::{Session, Task};
use crate::step::HERE;

/// Records that a report shows.
const SHOWN: usize = 12;

/// Where the visitor is who has such a session.
pub(crate) struct Place {
    pub(crate) cookie: (String, String),
    /// The page where the session waits.
    pub(crate) link: String,
    /// What came with the last hit.
    pub(crate) headers: HeaderMap,
    pub(crate) address: Option<SocketAddr>,
}

impl Core {
    /// Plays the one session of an export, up to where it waits. `Err` is a report for people.
    pub(crate) async fn replay_export(self: &Arc<Self>, export: Export) -> Result<Place, String> {
        let number = export.sessions().count();
        let (head, mut chunks) =
            export.into_only().ok_or_else(|| format!("the export has {number} sessions, not one"))?;
        reopen(&mut chunks)?;
        let (tape, first) = Tape::of(&chunks, self.journal().build).map_err(said)?;
        let (last, played) = last_hit(&tape, &first);
        let Some(at) = self.flows.iter().position(|flow| flow.mount() == head.flow) else {
            return Err(format!("its flow was at {:?}, and there is none here", head.flow));
        };
        let flow = u16::try_from(at).expect("counted when the server was built");
        let (visitor, label, place) = self.place_of(flow, &last, &played);
        let head = self.take_in(&Head { state: State::Live, label, ..head }, &chunks, visitor)?;
        let session = Session::parked(self.clone(), visitor, label, head.session, flow);
        self.journal().enter(&session);
        self.table.adopt(&session, visitor, self).map_err(|full| full.reason().to_owned())?;
        match session.replay_strictly(tape, &first).await {
            None => Ok(place),
            Some(Complaint { entry, why }) => Err(report(&chunks, entry, &why)),
        }
    }

    /// Who has such a hit, under which label, and where they are.
    fn place_of(&self, flow: u16, last: &Taken, played: &Played) -> (VisitorId, u64, Place) {
        let flow = self.flow(flow);
        let mut hit = hits::again(last, played, flow.mount());
        let mut identity = Identity::new(self.cookie.name(false), self.keys.labels());
        flow.identify(&hit, &mut identity);
        let visitor =
            identity.name().map_or_else(|| VisitorId::fresh(&self.chance), |name| self.keys.name(name));
        let label = identity.session_label(flow.label);
        let cut = identity.into_cut();
        hit.cut = cut;
        let id = self.keys.sign(visitor);
        hit.cut.carry_visitor(id.clone());
        let place = Place {
            cookie: (self.cookie.name(false).to_owned(), id),
            link: hit.own_link_to(HERE),
            headers: hit.headers().clone(),
            address: last.peer,
        };
        (visitor, label, place)
    }

    /// Puts the session into the journal.
    fn take_in(&self, head: &Head, chunks: &[Chunk], visitor: VisitorId) -> Result<Head, String> {
        let journal = self.journal();
        // It begins here: its own second may be one that this server has not come to.
        let session = u64::from(self.clock.now()) << 32 | u64::from(u32::MAX);
        let head = Head { session, visitor: journal.visitor(visitor), ..head.clone() };
        journal.store.write(&export::begin_with(&head, chunks)).map_err(said)?;
        Ok(head)
    }
}

/// Takes the end of a session away, if it has ended: back to the last page that it waited at.
fn reopen(chunks: &mut Vec<Chunk>) -> Result<(), String> {
    let (mut waits, mut over) = (None, false);
    for chunk in &*chunks {
        for (entry, number) in Entry::read_all(chunk).map_err(said)?.into_iter().zip(chunk.first..) {
            match entry {
                Entry::Asked { .. } => (waits, over) = (Some(number), false),
                Entry::Told | Entry::End { .. } => over = true,
                _ => {}
            }
        }
    }
    let (Some(last), Some(waits), true) = (chunks.last(), waits, over) else { return Ok(()) };
    let (session, first, at) = (last.session, last.first + last.count, last.at);
    let mut entries = Vec::new();
    Entry::Cut { to: waits + 1, why: "it is replayed".to_owned() }.write(&mut entries);
    chunks.push(Chunk { session, first, count: 1, at, what: String::new(), entries });
    Ok(())
}

/// The last hit of the past, with the header fields it had.
fn last_hit(tape: &Tape, first: &Taken) -> (Taken, Played) {
    let (mut last, mut played) = (first.clone(), Played::default());
    played.apply(&first.headers);
    for (_, entry) in &tape.past {
        if let Entry::Hit(taken) = entry {
            played.apply(&taken.headers);
            last = (**taken).clone();
        }
    }
    (last, played)
}

/// What is different, and from which entry on.
#[derive(Clone)]
struct Complaint {
    entry: u64,
    why: String,
}

impl Session {
    /// Plays a tape up to its end; what is different from what was recorded, if anything is.
    async fn replay_strictly(self: &Arc<Self>, mut tape: Tape, first: &Taken) -> Option<Complaint> {
        tape.strict = true;
        let found = Arc::new(Mutex::new(None));
        let (session, notes) = (self.clone(), found.clone());
        let task = self.start_again(tape, first);
        let task = task.map(|task| Box::pin(Watched { task, session, notes }) as Task);
        self.run_to_rest(task).await;
        found.lock().expect("no code panics while it notes what it found").take()
    }
}

/// A session's function, and what it does that it did not.
struct Watched {
    task: Task,
    session: Arc<Session>,
    notes: Arc<Mutex<Option<Complaint>>>,
}

impl Future for Watched {
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.task.as_mut().poll(cx)));
        let what = what(&polled);
        let place = self.session.talk(|talk| talk.place);
        let found = self.session.tape(|tape| complaint(tape, what.as_deref(), &place.to_string())).flatten();
        if let Some(found) = found {
            let mut notes = self.notes.lock().expect("no code panics while it notes what it found");
            notes.get_or_insert(found);
        }
        polled.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// What the program has come to, if it does not wait.
fn what(polled: &Result<Poll<Result<(), BoxError>>, Box<dyn Any + Send>>) -> Option<String> {
    match polled {
        Ok(Poll::Pending) => None,
        Ok(Poll::Ready(Ok(()))) => Some("returns".to_owned()),
        Ok(Poll::Ready(Err(error))) => Some(format!("fails: {}", Chain(error.as_ref()))),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Some(format!("panics: {}", text.unwrap_or("(no message)")))
        }
    }
}

fn complaint(tape: &Tape, what: Option<&str>, place: &str) -> Option<Complaint> {
    let next = tape.past.front().map_or(tape.next(), |(number, _)| *number);
    if let Some(why) = &tape.diverged {
        return Some(Complaint { entry: next.saturating_sub(1), why: why.clone() });
    }
    let (number, then) = tape.past.front()?;
    let does = match what {
        Some(what) => what,
        None if tape.at_verb => return None,
        None => "waits for something that is no verb",
    };
    let why = format!("the program {does}, after the verb at {place}; what was recorded: {then}");
    Some(Complaint { entry: *number, why })
}

/// What is different, with the records that led there.
fn report(chunks: &[Chunk], entry: u64, why: &str) -> String {
    let mut report =
        format!("from entry {entry} on it does not do what was recorded:\n\n    {}\n", Line(why));
    let records = chunks.iter().filter_map(|chunk| super::records(chunk).ok()).flatten();
    let records: Vec<_> = records.take_while(|record| record.number() <= entry).collect();
    report.push_str("\nWhat was recorded up to there:\n\n");
    for record in &records[records.len().saturating_sub(SHOWN)..] {
        let mark = if record.number() == entry { '>' } else { ' ' };
        writeln!(report, "  {mark} {:>4}  {record}", record.number()).expect("a String takes all text");
    }
    report
}

fn said(error: impl std::error::Error + 'static) -> String {
    Chain(&error).to_string()
}
