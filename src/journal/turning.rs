//! Answers to old pages: the session is brought to the page that was answered, by replay or because that branch is still
//! in memory, takes the answer there and goes on. If there is nothing to take it goes back to where it was.
//!
//! A session has one runner, whatever branch it is on: hits wait meanwhile, and the tape's entries stay in order.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::StatusCode;

use super::store::StoreError;
use super::tape::tree::{Sought, Tree};
use super::tape::{Tape, Turn};
use crate::engine::Core;
use crate::error::Chain;
use crate::hit::Hit;
use crate::log::Line;
use crate::mapper::key::VisitorId;
use crate::page::Notice;
use crate::reply::{Kept, Preface};
use crate::session::{Session, Talk, Task};
use crate::step::{Answered, HERE, OldPages, Token};

/// Seconds in which `replays` are counted.
pub(crate) const WINDOW: u32 = 10;

const HURRIED: &str = "You go back and forth faster than we can follow.";
const TOO_LONG: &str = "That page cannot be found again in time.";
const UNREACHABLE: &str = "That page cannot be looked up at the moment.";

/// The branches of a session, where it has more than one or is about to.
#[derive(Default)]
pub(crate) struct Branches {
    /// An answer to another page than the one where the session is.
    wish: Option<Wish>,
    /// Where the session goes back to if it takes nothing where it was brought.
    pub(super) back: Option<Branch>,
    /// What the branches share, for the way back: a replay begins with what was shared then.
    shared: Option<Vec<(String, Vec<u8>)>>,
    /// An old page is looked for: what is made again meanwhile is for who asked for it.
    pub(super) seeks: bool,
    pub(super) made: Option<Arc<Kept>>,
    /// Other branches that are in memory; the one that was left last is the last.
    aside: Vec<Branch>,
}

/// An answer to another page.
struct Wish {
    hit: Box<Hit>,
    step: u32,
    answer: Answered,
    policy: OldPages,
}

/// A branch that rests: where the program waits, with what belongs to that.
pub(super) struct Branch {
    task: Task,
    talk: Talk,
    preface: Option<Box<Preface>>,
    tape: Box<Tape>,
    kept: Option<Arc<Kept>>,
}

/// Where a session is to be brought.
enum Goal {
    /// To a branch that is in memory.
    Aside(usize),
    Replay(Box<Tape>, Box<super::Taken>),
}

/// Why it is not brought anywhere.
pub(super) enum Refusal {
    /// There is no such page any more, or no new answer to it: the current one is shown, with a notice.
    Outdated,
    /// The page is before a point that the session does not go back behind.
    Committed,
    Busy(&'static str),
}

/// What a runner has to do after a poll.
pub(crate) enum After {
    Rests,
    Diverged,
    /// The session is to be brought to another page.
    Turns,
}

impl Session {
    /// What a new answer to one of the session's old pages does.
    pub(crate) fn policy_of(&self, token: &Token) -> OldPages {
        let flow = self.core.flow(self.talk(|talk| talk.flow));
        token.old.or(flow.old_pages).unwrap_or(self.core.old_pages)
    }

    /// An answer that is none to the page where the session is: it is looked for where it belongs. Gives the hit back
    /// where the session cannot go there; then, if it is known, with what is to be said.
    pub(crate) fn turn_to(
        &self,
        mut hit: Box<Hit>,
        step: u32,
        policy: OldPages,
        answer: Answered,
    ) -> Result<(), Box<Hit>> {
        let mut state = self.queue.lock();
        let Some(extra) = state.peek_extra() else { return Err(hit) };
        let Some(tape) = extra.tape.as_deref_mut().filter(|tape| !hit.told && tape.turns()) else {
            return Err(hit);
        };
        tape.at_verb = true;
        hit.reply.defer();
        extra.branches.get_or_insert_default().wish = Some(Wish { hit, step, answer, policy });
        Ok(())
    }

    /// Whether an answer to the page where the session is was given before, on another branch.
    pub(crate) fn was_answered(&self, answer: Answered) -> bool {
        self.tape(|tape| tape.was_answered(answer.number())) == Some(true)
    }

    /// Brings the session to where its wish belongs, or back.
    pub(crate) fn turn(self: &Arc<Self>, task: Task) {
        self.queue.run_on();
        let session = self.clone();
        self.core.runtime.spawn(async move {
            let (wish, away) = session
                .branches(|branches| (branches.wish.take(), branches.back.is_some()))
                .unwrap_or_default();
            match wish {
                Some(wish) if !away => session.go(task, wish).await,
                // The answer before it was none here: what this one is to the page where the session was is seen there.
                wish => {
                    wish.into_iter().for_each(|wish| session.queue.lock().put_first(wish.hit));
                    session.go_back_to(Some(task), None);
                }
            }
        });
    }

    pub(super) fn branches<R>(&self, look: impl FnOnce(&mut Branches) -> R) -> Option<R> {
        self.queue.lock().peek_extra()?.branches.as_deref_mut().map(look)
    }

    async fn go(self: &Arc<Self>, task: Task, wish: Wish) {
        let goal = self.seek(wish.step, wish.answer, wish.policy).await;
        let hit = wish.hit;
        match goal {
            Err(refusal) => {
                self.refuse(hit, &refusal);
                self.run_elsewhere(task);
            }
            Ok(Goal::Aside(at)) => {
                let branch = self.branches(|branches| branches.aside.remove(at));
                let mut branch = branch.expect("it was found there, and nobody else takes it");
                let back = self.put_aside(task);
                branch.goes_on_beside(&back);
                let task = self.take_up(branch, (back.tape.next(), back.tape.top));
                self.wait_for(back, hit);
                self.run_elsewhere(task);
            }
            Ok(Goal::Replay(mut tape, first)) => {
                let back = self.put_aside(task);
                tape.effects = back.tape.effects;
                if tape.turned == Some(Turn::Rewind) {
                    tape.ends.retain(|end| *end != back.talk.step);
                }
                self.wait_for(back, hit);
                if !self.core.journal().in_place(self.serial, self.replay_in_time(*tape, &first)).await {
                    self.go_back_to(None, Some(Refusal::Busy(TOO_LONG)));
                }
            }
        }
    }

    fn refuse(&self, mut hit: Box<Hit>, refusal: &Refusal) {
        match refusal {
            Refusal::Outdated => {
                hit.told = true;
                self.queue.lock().put_first(hit);
            }
            Refusal::Committed => self.core.tell_committed(hit),
            Refusal::Busy(why) => self.core.busy(hit, why),
        }
    }

    /// The hit is the next one that is met; if it is not taken, the session goes back.
    fn wait_for(&self, back: Branch, mut hit: Box<Hit>) {
        hit.told = true;
        let mut state = self.queue.lock();
        let extra = state.extra();
        let branches = extra.branches.get_or_insert_default();
        debug_assert!(branches.back.is_none(), "who is away goes back first");
        (branches.back, branches.seeks, branches.shared) = (Some(back), true, Some(extra.shared.clone()));
        state.put_first(hit);
    }

    /// Plays a tape, and then what is new. `false`: it was not over in time, and was given up.
    async fn replay_in_time(self: &Arc<Self>, tape: Tape, first: &super::Taken) -> bool {
        let end = tokio::time::Instant::now() + self.core.limits.replay;
        let mut task = self.start_again(tape, first);
        poll_fn(|cx| {
            if tokio::time::Instant::now() > end && self.is_replaying() {
                tracing::warn!(session = %self.name(), "an old page was not found again within `replay`");
                task.take().into_iter().for_each(|task| self.bury_branch(task));
                return Poll::Ready(false);
            }
            task = task.take().and_then(|task| self.poll(task));
            if task.is_none() {
                return Poll::Ready(true);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Where an answer belongs: a branch in memory, or the way to its page.
    async fn seek(self: &Arc<Self>, page: u32, answer: Answered, policy: OldPages) -> Result<Goal, Refusal> {
        let effects = self.tape(|tape| tape.effects).unwrap_or_default();
        let aside = self.branches(|branches| {
            branches.aside.iter().position(|branch| branch.waits_for(page, answer, effects))
        });
        self.write_on();
        if self.tape(|tape| tape.unwritten > 0) == Some(true) {
            self.core.journal().barrier().await;
        }
        if let Some(at) = aside.flatten() {
            return Ok(Goal::Aside(at));
        }
        if !self.core.journal().count_replay(self.visitor(), self.core.limits.replays) {
            return Err(Refusal::Busy(HURRIED));
        }
        match self.core.tree_of(self.serial).await {
            Ok(tree) => self.way(tree, page, answer, policy),
            Err(error) => {
                tracing::error!(session = %self.name(), error = %Line(Chain(&error)), "an old page cannot be looked up");
                Err(Refusal::Busy(UNREACHABLE))
            }
        }
    }

    /// The way to the page of an answer.
    fn way(&self, tree: Tree, page: u32, answer: Answered, policy: OldPages) -> Result<Goal, Refusal> {
        let (step, to_page) = match tree.seek(page, answer.number()) {
            Sought::Nowhere => return Err(Refusal::Outdated),
            Sought::Committed => return Err(Refusal::Committed),
            Sought::Repeat(step) => (step, false),
            Sought::New(_, false) if matches!(policy, OldPages::Refuse | OldPages::Latest) => {
                return Err(Refusal::Outdated);
            }
            Sought::New(step, _) => (step, true),
        };
        let rewinds = to_page && policy == OldPages::Rewind && tree.is_behind(step);
        let turn = if rewinds { Turn::Rewind } else { Turn::Branch(tree.number(step)) };
        let (mut tape, first) =
            tree.wind(step, to_page, self.core.journal().build).ok_or(Refusal::Outdated)?;
        tape.turned = Some(turn);
        Ok(Goal::Replay(Box::new(tape), first))
    }

    /// Leaves the branch that the session is on. All of it is written.
    fn put_aside(self: &Arc<Self>, task: Task) -> Branch {
        let made = self.branches(|branches| branches.made.take()).flatten();
        let kept = made.or_else(|| self.core.kept.take(self.serial));
        let mut state = self.queue.lock();
        let blank = Talk::new(state.talk.flow, state.talk.place);
        let talk = std::mem::replace(&mut state.talk, blank);
        let extra = state.extra();
        let tape = extra.tape.take().expect("a session that turns is recorded");
        Branch { task, talk, preface: extra.preface.take(), tape, kept }
    }

    /// Goes on with a branch that was left. The session's next entry and its highest step are these.
    fn take_up(self: &Arc<Self>, branch: Branch, (next, top): (u64, u32)) -> Task {
        let Branch { task, mut talk, preface, mut tape, kept } = branch;
        talk.kept = kept.is_some_and(|page| self.core.kept.keep(self.serial, page));
        tape.goes_on_at(next, top);
        let mut state = self.queue.lock();
        state.talk = talk;
        let extra = state.extra();
        (extra.preface, extra.tape) = (preface, Some(tape));
        state.waits();
        task
    }

    /// Nothing was taken where the session was brought, or it could not be brought there: back to where it was.
    pub(super) fn go_back_to(self: &Arc<Self>, task: Option<Task>, refusal: Option<Refusal>) {
        let Some(mut back) = self.branches(|branches| branches.back.take()).flatten() else {
            debug_assert!(false, "who goes back came from somewhere");
            return;
        };
        let mut here = task.map(|task| self.put_aside(task));
        if let Some(here) = here.as_mut().filter(|here| here.talk.step == back.talk.step) {
            // It was there all the time; only its page was made again.
            back.kept = here.kept.take();
        }
        // What could not be brought there has its hit still before it.
        let hit = refusal.as_ref().and_then(|_| self.queue.lock().take_first());
        let (next, step, effects) = (back.tape.next(), back.talk.step, back.tape.effects);
        let top = back.tape.top;
        self.branches(|branches| (branches.seeks, branches.made) = (false, None));
        let task = self.take_up(back, (next, top));
        let shared = self.branches(|branches| branches.shared.take()).flatten();
        shared.into_iter().for_each(|shared| self.queue.lock().extra().shared = shared);
        match here {
            Some(branch) if branch.talk.step != step && branch.is_worth_keeping(effects) => {
                self.keep_aside(branch);
            }
            Some(branch) => self.bury_branch(branch.task),
            None => {}
        }
        if let (Some(hit), Some(refusal)) = (hit, &refusal) {
            self.refuse(hit, refusal);
        }
        self.run_elsewhere(task);
    }

    /// The answer was taken: the branch that was left stays in memory, if there is room.
    fn settle_on_branch(self: &Arc<Self>) {
        let Some(back) = self.branches(Branches::arrive).flatten() else { return };
        let goes_on = self.tape(|tape| tape.ends.contains(&back.talk.step)) == Some(true);
        if goes_on && back.kept.is_none() {
            self.keep_aside(back);
        } else {
            self.bury_branch(back.task);
        }
    }

    /// After a poll: whether the session is to be brought elsewhere.
    pub(super) fn is_turning(self: &Arc<Self>) -> bool {
        let (wishes, left) =
            self.branches(|branches| (branches.wish.is_some(), branches.back.is_some())).unwrap_or_default();
        let under_way = left && self.tape(|tape| tape.turned.is_some()) == Some(true);
        if left && !under_way {
            self.settle_on_branch();
        }
        wishes || (under_way && !self.is_replaying() && self.queue.lock().is_waiting())
    }

    fn keep_aside(self: &Arc<Self>, mut branch: Branch) {
        branch.tape.turned = None;
        // The one that runs is one of them.
        let limit = self.core.limits.branches.saturating_sub(1);
        let mut over = Vec::new();
        {
            let mut state = self.queue.lock();
            let aside = &mut state.extra().branches.get_or_insert_default().aside;
            aside.push(branch);
            let surplus = aside.len().saturating_sub(limit);
            over.extend(aside.drain(..surplus));
        }
        over.into_iter().for_each(|branch| self.bury_branch(branch.task));
    }

    /// The session cannot be brought to the page that was answered.
    pub(crate) fn turn_failed(self: &Arc<Self>, why: &str) -> bool {
        if self.branches(|branches| branches.back.is_some()) != Some(true) {
            return false;
        }
        tracing::warn!(
            session = %self.name(), why = %Line(why),
            "an old page of a session cannot be found again by replay: its answer is refused"
        );
        self.go_back_to(None, Some(Refusal::Outdated));
        true
    }

    /// Other branches leave memory.
    pub(crate) fn bury_branches(self: &Arc<Self>) {
        let branches = self.queue.lock().peek_extra().and_then(|extra| extra.branches.take());
        let Some(Branches { wish, back, aside, .. }) = branches.map(|branches| *branches) else { return };
        aside.into_iter().chain(back).for_each(|branch| self.bury_branch(branch.task));
        if let Some(Wish { hit, .. }) = wish {
            self.hand_back([hit]);
        }
    }

    /// Drops a branch's task: nothing of that is the session's doing.
    fn bury_branch(&self, task: Task) {
        let _quiet = super::inside::bury();
        self.bury(task);
    }
}

impl Branches {
    /// The session stays where it was brought. Gives back the branch that it has left.
    fn arrive(&mut self) -> Option<Branch> {
        (self.seeks, self.made, self.shared) = (false, None, None);
        self.back.take()
    }
}

impl Branch {
    /// The session comes here from another branch, that others can go on from.
    fn goes_on_beside(&mut self, other: &Branch) {
        let step = self.talk.step;
        let own = other.tape.answered.is_empty().then_some(other.talk.step);
        let ends = other.tape.ends.iter().copied().chain(own);
        self.tape.ends = ends.filter(|end| *end != step).collect();
        self.tape.turned = Some(Turn::Branch(step));
    }

    /// Whether an answer to this page is met by this branch: where it waits, or as a repeat.
    fn waits_for(&self, step: u32, answer: Answered, effects: u32) -> bool {
        // What other branches did since is not on its tape.
        self.tape.effects == effects
            && (self.talk.step == step || (answer.is_some() && self.talk.applied == answer))
    }

    /// Not one that waits where others have gone on from: the answer decides what that is.
    fn is_worth_keeping(&self, effects: u32) -> bool {
        self.tape.effects == effects && self.tape.answered.is_empty() && self.kept.is_none()
    }
}

impl Core {
    pub(super) async fn tree_of(self: &Arc<Self>, session: u64) -> Result<Tree, StoreError> {
        let core = self.clone();
        self.look(move || Tree::of(&core.journal().store.recall(session)?)).await
    }

    /// The page is before a point of no return.
    #[cold]
    fn tell_committed(&self, mut hit: Box<Hit>) {
        let onward = hit.own_link_to(HERE);
        (hit.reply.status, hit.reply.sensitive) = (StatusCode::GONE, true);
        self.notify(&mut hit, Notice::Committed, Some(&onward));
        self.finish(hit);
    }
}

impl super::Journal {
    /// Counts that an old page of this visitor is found by replay; `false`: there were too many.
    pub(super) fn count_replay(&self, visitor: VisitorId, limit: usize) -> bool {
        let mut replays = self.replays.lock().expect("no code panics while it holds the counts");
        let count = replays.entry(visitor).or_default();
        *count += 1;
        *count <= limit
    }

    /// Whether any were counted in this window.
    pub(crate) fn counts_replays(&self) -> bool {
        !self.replays.lock().expect("no code panics while it holds the counts").is_empty()
    }

    /// A new window begins.
    pub(super) fn forget_replays(&self) {
        self.replays.lock().expect("no code panics while it holds the counts").clear();
    }
}
