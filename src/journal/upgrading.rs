//! New code, old journals: what becomes of a session that the program does not replay any more, and a look ahead at which
//! ones those are.

use std::fmt;
use std::sync::Arc;

use super::ledger::Ledger;
use super::lookups::blocking;
use super::rebuilding::Wound;
use super::renames::Looking;
use super::store::{Head, State, StoreError};
use super::tape::Tape;
use super::tape::tree::Tree;
use crate::engine::Core;
use crate::error::{Chain, Error};
use crate::log::Line;
use crate::mapper::Whom;
use crate::mapper::key::VisitorId;
use crate::page::Notice;
use crate::session::Session;

/// Times that a session goes back a page, in one rebuild: a program that does what it did needs one.
const TRIES: u32 = 3;
/// Sessions that are looked up at once.
const A_LOOK: usize = 1_000;

/// What becomes of a session whose recorded steps the program does not do any more: it asks elsewhere, for something else,
/// or with other arguments than it did. Mostly it was changed meanwhile.
///
/// Set for all flows by [`Server::on_divergence`](crate::Server::on_divergence), for one by
/// [`Flow::on_divergence`](crate::Flow::on_divergence). The log names the session and what is different.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Divergence {
    /// It goes back to the last page that the program still comes to, and the visitor is told. What was done `once` after
    /// that is not done again where the program comes to it again. The default.
    #[default]
    Truncate,
    /// The flow begins anew, and the visitor is told.
    Restart,
    /// It is quarantined: kept for who wants to know why. The visitor is told, and can begin anew.
    Refuse,
}

/// What [`Server::replay_check`](crate::Server::replay_check) has found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReplayCheck {
    /// Sessions that were looked at.
    pub sessions: usize,
    /// Those of them that replay as they were recorded, on all branches.
    pub clean: usize,
    /// The others.
    pub diverged: Vec<DivergedSession>,
}

/// A session that the program does not replay as it was recorded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DivergedSession {
    /// What logs and `continuity journal show` call it.
    pub session: String,
    /// Where its flow is mounted.
    pub flow: String,
    /// What is different, and where in the program.
    pub why: String,
}

impl ReplayCheck {
    /// Whether all sessions replay.
    pub fn is_clean(&self) -> bool {
        self.diverged.is_empty()
    }

    fn add(&mut self, head: &Head, why: Option<String>) {
        self.sessions += 1;
        match why {
            None => self.clean += 1,
            Some(why) => self.diverged.push(DivergedSession {
                session: format!("{:x}", head.session),
                flow: head.flow.clone(),
                why,
            }),
        }
    }
}

impl fmt::Display for ReplayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReplayCheck { sessions, clean, diverged } = self;
        write!(f, "{sessions} sessions: {clean} replay clean, {} diverge", diverged.len())?;
        for DivergedSession { session, flow, why } in diverged {
            let flow = if flow.is_empty() { "/" } else { flow };
            write!(f, "\n  {session} at {flow}: {}", Line(why))?;
        }
        Ok(())
    }
}

impl Core {
    /// A session did not do what was recorded.
    pub(crate) fn diverged(self: &Arc<Self>, session: &Arc<Session>, why: &str) {
        let flow = self.flow(session.talk(|talk| talk.flow));
        match flow.on_divergence.unwrap_or(self.on_divergence) {
            Divergence::Refuse => self.quarantine(session, why),
            Divergence::Truncate if session.goes_back_a_page(why) => {}
            Divergence::Truncate | Divergence::Restart => self.start_over(session, why),
        }
    }

    /// The flow begins anew for whoever waits.
    fn start_over(self: &Arc<Self>, session: &Arc<Session>, why: &str) {
        tracing::error!(
            session = %session.name(), why = %Line(why),
            "a session cannot be rebuilt and begins anew: `continuity journal show` has what is known of it"
        );
        let (flow, _looking) = (session.talk(|talk| talk.flow), Looking::by(self, &[session.visitor()]));
        for mut hit in self.put_away(session) {
            if session.is_past(&hit) {
                session.hand_back([hit]);
                continue;
            }
            hit.begin_anew(Some(Notice::StartedAgain));
            let whom = Whom::Stranger.or_recorded((hit.by != VisitorId::NOBODY).then_some(hit.by));
            self.start(whom, flow, session.label, hit);
        }
    }

    /// The tape of a session that was sent back a page.
    pub(super) async fn rewound(self: &Arc<Self>, session: &Arc<Session>) -> Option<Wound> {
        let tries = session.tape(|tape| tape.is_sent_back().then_some(tape.tries)).flatten()?;
        self.journal().barrier().await;
        let wound = self.wind_again(session.serial).await;
        session.blank_talk();
        if let Some(hit) = session.queue.lock().peek_first() {
            hit.reply.rare().notice = Some(Notice::Truncated);
        }
        Some(wound.map(|(mut tape, first)| {
            tape.tries = tries + 1;
            (tape, first)
        }))
    }

    async fn wind_again(self: &Arc<Self>, session: u64) -> Wound {
        let core = self.clone();
        blocking(move || Tape::of(&core.journal().store.recall(session)?, core.journal().build)).await
    }

    /// Replays all sessions that are not over, beside whatever else is there; nothing is written.
    pub(crate) async fn replay_check(self: &Arc<Self>) -> Result<ReplayCheck, StoreError> {
        let (mut check, mut after) = (ReplayCheck::default(), 0);
        loop {
            let core = self.clone();
            let heads = blocking(move || core.journal().store.list(after, A_LOOK)).await?;
            let Some(last) = heads.last() else { return Ok(check) };
            after = last.session;
            for head in heads.iter().filter(|head| head.state == State::Live) {
                let why = self.check_one(head).await?;
                check.add(head, why);
            }
        }
    }

    /// Why a session does not replay, if it does not.
    async fn check_one(self: &Arc<Self>, head: &Head) -> Result<Option<String>, StoreError> {
        let Some(flow) = self.flows.iter().position(|flow| flow.mount() == head.flow) else {
            return Ok(Some("there is no such flow".to_owned()));
        };
        let flow = u16::try_from(flow).expect("counted when the server was built");
        let (core, session) = (self.clone(), head.session);
        let tapes = blocking(move || {
            let chunks = core.journal().store.recall(session)?;
            Tree::tapes_to_pages(&chunks, core.journal().build)
        });
        let tapes = match tapes.await {
            Ok(tapes) => tapes,
            Err(error) => return Ok(Some(Chain(&error).to_string())),
        };
        for (tape, first) in tapes {
            let of = (head.session, head.label);
            let why = self.rehearse_tape(of, VisitorId::NOBODY, flow, tape, &first).await;
            if why.is_some() {
                return Ok(why);
            }
        }
        Ok(None)
    }

    /// Plays a tape in a session that nobody comes to. Why it does not come to its end, if it does not.
    pub(super) async fn rehearse_tape(
        self: &Arc<Self>,
        (of, label): (u64, u64),
        visitor: VisitorId,
        flow: u16,
        tape: Tape,
        first: &super::Taken,
    ) -> Option<String> {
        // By a number of its own: what is kept of the session is not touched.
        let shadow = Session::parked(self.clone(), visitor, (label, 0), flow, Ledger::beside(of));
        shadow.replay(tape, first).await;
        let report = shadow.tape(|tape| match tape.diverged.take() {
            None if tape.is_replaying() => Some("it does not come to where it was".to_owned()),
            report => report,
        });
        shadow.die_now();
        report.flatten()
    }
}

impl Session {
    /// What was recorded after the last page that was replayed is no part of the past. `false`: there is no such page.
    fn goes_back_a_page(self: &Arc<Self>, why: &str) -> bool {
        let back = self.tape(|tape| tape.tries < TRIES && !tape.strict && tape.truncate(why)) == Some(true);
        if back {
            tracing::warn!(
                session = %self.name(), why = %Line(why),
                "a session goes back to the last page that the program still comes to"
            );
            self.write_on();
        }
        back
    }
}

impl crate::server::Server {
    /// Replays all sessions of the journal on this build, and says which of them replay clean, which diverge and where.
    /// Nothing is recorded, no effect is tried, nobody is served: for the new version of a program, before it takes the
    /// place of the old one, on a copy of the journal (`continuity journal backup`).
    ///
    /// ```
    /// use continuity::prelude::*;
    /// # async fn shop(_: Request) -> Result<()> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// # let store = continuity::journal::Memory::new();
    /// let check = Server::new(shop).journal(store).replay_check().await?;
    /// println!("{check}");
    /// assert!(check.is_clean());
    /// # Ok(()) }
    /// ```
    ///
    /// Fails if the server has no journal, or it cannot be read.
    pub async fn replay_check(self) -> Result<ReplayCheck, Error> {
        let core = self.into_core()?;
        if core.journal.is_none() {
            return Err(Error::new(
                "replay_check: the server has no journal, whose sessions could be replayed",
            ));
        }
        let checked = core.replay_check().await;
        core.journal().close();
        checked.map_err(|error| Error::caused("replay_check: the journal cannot be read", error))
    }
}
