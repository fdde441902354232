//! What every [`Store`] promises, as a test: for who keeps journals somewhere else.
//!
//! Left out: that what is written survives the loss of power, and what follows from a full or broken disk. Only the
//! store's own tests can bring that about.

mod failing;
mod lives;
mod reopening;

pub use failing::Failing;

use crate::journal::{Change, Chunk, Head, State, Store, Visitor};

/// Checks that a store keeps the promises of [`Store`]; panics with what it does not keep.
///
/// `open` opens a journal that is empty at first. When it is called again, after what it gave before was dropped, it
/// opens the same journal anew.
///
/// ```
/// # use continuity::journal::Memory;
/// let journal = Memory::new();
/// continuity::test::store::contract(|| journal.clone());
/// ```
pub fn contract<S: Store>(mut open: impl FnMut() -> S) {
    let store = open();
    let opened = store.opened();
    let checks: [fn(&dyn Store); 18] = [
        what_begins_is_there,
        chunks_come_back_in_order,
        only_the_next_entry_can_be_appended,
        all_changes_are_written_or_none,
        changes_to_what_is_not_there_change_nothing,
        changes_of_one_call_follow_each_other,
        the_newest_under_a_label_is_found,
        who_has_a_live_session_is_known,
        lives::what_is_parked_is_due_at_its_second,
        lives::what_sleeps_is_due_at_its_time,
        lives::what_ends_is_due_and_sleeps_no_more,
        lives::who_is_renamed_has_all_their_sessions,
        lives::what_is_trimmed_is_gone_and_the_rest_is_there,
        lives::deaths_are_counted_and_what_is_forgotten_is_gone,
        lives::sessions_are_listed_in_order_by_pages,
        lives::who_is_found_is_recalled_if_they_live_and_are_wanted,
        lives::many_read_while_one_writes,
        lives::what_is_kept_of_a_visitor_is_told,
    ];
    for check in checks {
        check(&store);
    }
    drop(store);
    reopening::what_was_written_is_there_and_time_goes_on(&mut open, opened);
}

/// The numbers of no sessions.
const NOBODY: [u64; 0] = [];

/// The number of the `nth` session of a check.
fn number(check: u32, nth: u32) -> u64 {
    u64::from(check) << 32 | u64::from(nth)
}

/// A visitor of a check.
fn visitor(check: u8, nth: u8) -> Visitor {
    let mut visitor = [check; 16];
    visitor[7] = nth;
    visitor
}

fn begin(session: u64, visitor: Visitor, label: u64) -> Change {
    Change::Begin { session, visitor, label, flow: "/shop".to_owned() }
}

fn chunk(session: u64, first: u64, count: u64) -> Chunk {
    let entries = format!("{session}: {first} and {count}\0\u{e9}").into_bytes();
    let at = 1_000_000_000_000 + i64::try_from(first).expect("a small number");
    Chunk { session, first, count, at, what: format!("GET /{first}"), entries }
}

fn append(session: u64, first: u64, count: u64) -> Change {
    Change::Append(chunk(session, first, count))
}

fn write(store: &dyn Store, changes: &[Change]) {
    store.write(changes).unwrap_or_else(|error| panic!("{changes:?} must be written: {error}"));
}

fn head(store: &dyn Store, session: u64) -> Option<Head> {
    store.head(session).unwrap_or_else(|error| panic!("session {session} must be read: {error}"))
}

/// The head of a session that is there.
fn there(store: &dyn Store, session: u64) -> Head {
    head(store, session).unwrap_or_else(|| panic!("session {session} must be there"))
}

fn load(store: &dyn Store, session: u64) -> Vec<Chunk> {
    let must = |what, error| panic!("session {session} must be {what}: {error}");
    let loaded = store.load(session).unwrap_or_else(|error| must("loaded", error));
    let recalled = store.recall(session).unwrap_or_else(|error| must("recalled", error));
    let bytes = |chunks: &[Chunk]| chunks.iter().flat_map(|chunk| chunk.entries.clone()).collect::<Vec<_>>();
    // Somebody may write meanwhile.
    assert!(bytes(&recalled).starts_with(&bytes(&loaded)), "what is loaded is recalled");
    loaded
}

fn what_begins_is_there(store: &dyn Store) {
    let (session, who) = (number(1, 1), visitor(1, 1));
    assert_eq!(head(store, session), None, "what has not begun is not there");
    write(store, &[begin(session, who, u64::MAX)]);
    let begun = Head::new(session, who, u64::MAX, "/shop");
    assert_eq!(head(store, session), Some(begun.clone()), "a session is as it began");
    let found = store.find(&who, u64::MAX).expect("a visitor is found");
    assert_eq!((found.session, found.known), (Some(begun), true));
    assert_eq!(load(store, session), [], "nothing has happened in it");
}

fn chunks_come_back_in_order(store: &dyn Store) {
    let (one, two) = (number(2, 1), number(2, 2));
    write(store, &[begin(one, visitor(2, 1), 0), begin(two, visitor(2, 2), 0)]);
    let (mut of_one, mut of_two) = (Vec::new(), Vec::new());
    for first in 0..40 {
        let (a, b) = (chunk(one, 2 * first, 2), chunk(two, first, 1));
        write(store, &[Change::Append(a.clone()), Change::Append(b.clone())]);
        of_one.push(a);
        of_two.push(b);
    }
    assert_eq!(load(store, one), of_one, "chunks come back as they were written, in order");
    assert_eq!(load(store, two), of_two, "and each session has its own");
    let (head, last) = (there(store, one), of_one.last().expect("40 were written"));
    let bytes = of_one.iter().map(|chunk| chunk.entries.len() as u64).sum();
    assert_eq!((head.entries, head.bytes, head.at), (80, bytes, last.at), "the head has come as far");
    assert!(store.bytes() > 0, "what is kept takes bytes");
}

fn only_the_next_entry_can_be_appended(store: &dyn Store) {
    let session = number(3, 1);
    write(store, &[begin(session, visitor(3, 1), 0), append(session, 0, 3)]);
    for first in [0, 2, 4] {
        assert!(store.write(&[append(session, first, 1)]).is_err(), "entry {first} is not the next one");
    }
    assert!(store.write(&[append(number(3, 2), 0, 1)]).is_err(), "a session that is not there");
    assert_eq!(load(store, session), [chunk(session, 0, 3)], "what was refused left nothing");
    write(store, &[append(session, 3, 1)]);
    assert_eq!(there(store, session).entries, 4, "the next one is taken");
}

fn all_changes_are_written_or_none(store: &dyn Store) {
    let (old, new, who) = (number(4, 1), number(4, 2), visitor(4, 1));
    write(store, &[begin(old, who, 0), append(old, 0, 1)]);
    let before = there(store, old);
    let changes = [
        begin(new, visitor(4, 2), 0),
        append(new, 0, 1),
        append(old, 1, 1),
        Change::Park { session: old, due: 4 },
        Change::Deaths { session: old, count: 4 },
        Change::Rename { from: who, to: visitor(4, 3) },
        append(old, 7, 1),
    ];
    assert!(store.write(&changes).is_err(), "the last change is wrong");
    assert_eq!(there(store, old), before, "none of the others happened");
    assert_eq!(load(store, old), [chunk(old, 0, 1)]);
    assert_eq!(head(store, new), None);
    assert!(!store.find(&visitor(4, 2), 0).expect("a visitor is found").known);
    write(store, &changes[..6]);
    assert_eq!((there(store, old).entries, there(store, new).entries), (2, 1), "without it they all do");
    write(store, &[Change::Unpark { session: old }]);
}

fn changes_to_what_is_not_there_change_nothing(store: &dyn Store) {
    let (session, due) = (number(5, 9), 1);
    let all = |store: &dyn Store| store.list(0, usize::MAX).expect("sessions are listed");
    let before = all(store);
    write(
        store,
        &[
            Change::Park { session, due },
            Change::Unpark { session },
            Change::Sleep { session, wake: Some(1) },
            Change::End { session, state: State::Ended, due },
            Change::End { session, state: State::Quarantined, due },
            Change::Rename { from: visitor(5, 1), to: visitor(5, 2) },
            Change::Trim { session, before: 5 },
            Change::Deaths { session, count: 1 },
            Change::Forget { session },
        ],
    );
    assert_eq!(all(store), before, "a session that is not there is not made by a change");
    assert!(store.write(&[]).is_ok(), "no changes are written as well");
}

fn changes_of_one_call_follow_each_other(store: &dyn Store) {
    let session = number(6, 1);
    write(
        store,
        &[
            begin(session, visitor(6, 1), 0),
            append(session, 0, 2),
            Change::Park { session, due: 9 },
            append(session, 2, 1),
            Change::Trim { session, before: 2 },
            append(session, 3, 1),
            Change::Unpark { session },
        ],
    );
    assert_eq!(load(store, session), [chunk(session, 2, 1), chunk(session, 3, 1)]);
    let head = there(store, session);
    assert_eq!((head.entries, head.due), (4, None), "each change sees those before it");
}

fn the_newest_under_a_label_is_found(store: &dyn Store) {
    let who = visitor(7, 1);
    let (older, newer, other) = (number(7, 1), number(7, 2), number(7, 3));
    write(store, &[begin(newer, who, 1), begin(older, who, 1), begin(other, who, 2)]);
    let found = |label| store.find(&who, label).expect("a visitor is found").session.map(|head| head.session);
    assert_eq!((found(1), found(2), found(3)), (Some(newer), Some(other), None));
    write(store, &[Change::End { session: newer, state: State::Ended, due: u32::MAX }]);
    assert_eq!(found(1), Some(newer), "also where it has ended");
    write(store, &[append(newer, 0, 5)]);
    let session = store.find(&who, 1).expect("a visitor is found").session;
    assert_eq!(session, head(store, newer), "it is found as it is");
}

fn who_has_a_live_session_is_known(store: &dyn Store) {
    let (who, one, two) = (visitor(8, 1), number(8, 1), number(8, 2));
    let known = || store.find(&who, 99).expect("a visitor is found").known;
    assert!(!known(), "a stranger");
    write(store, &[begin(one, who, 1), begin(two, who, 2)]);
    assert!(known(), "under whatever label");
    write(store, &[Change::End { session: one, state: State::Quarantined, due: u32::MAX }]);
    assert!(known(), "by the other session");
    write(store, &[Change::End { session: two, state: State::Ended, due: u32::MAX }]);
    assert!(!known(), "what has ended does not count");
}
