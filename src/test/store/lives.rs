//! What becomes of a session: parked, asleep, ended, another's, trimmed, forgotten.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{NOBODY, append, begin, chunk, head, load, number, there, visitor, write};
use crate::journal::{Change, Chunk, State, Store};

/// The numbers of the sessions that are due.
fn due(store: &dyn Store, now: u32, wall: i64, limit: usize) -> Vec<u64> {
    let due = store.due(now, wall, limit).expect("what is due is found");
    due.into_iter().map(|head| head.session).collect()
}

pub(super) fn what_is_parked_is_due_at_its_second(store: &dyn Store) {
    let [late, soon, never] = [1, 2, 3].map(|nth| number(9, nth));
    for session in [late, soon, never] {
        write(store, &[begin(session, visitor(9, 1), session), append(session, 0, 1)]);
    }
    assert_eq!(due(store, u32::MAX - 1, 0, 9), NOBODY, "what is in memory is not due");
    write(store, &[Change::Park { session: late, due: 200 }, Change::Park { session: soon, due: 100 }]);
    assert_eq!(there(store, soon).due, Some(100));
    assert_eq!(due(store, 99, 0, 9), NOBODY, "not before its second");
    assert_eq!(due(store, 100, 0, 9), [soon], "at its second");
    assert_eq!(due(store, 300, 0, 9), [soon, late], "the earliest first");
    assert_eq!(due(store, 300, 0, 1), [soon], "not more than asked for");
    let found = store.due(100, 0, 9).expect("what is due is found");
    assert_eq!(found, [there(store, soon)], "it is as it is");
    write(store, &[Change::Unpark { session: soon }]);
    assert_eq!(due(store, 300, 0, 9), [late], "what is in memory again is not due");
    assert_eq!(there(store, soon).due, None);
    write(store, &[Change::Unpark { session: late }]);
}

pub(super) fn what_sleeps_is_due_at_its_time(store: &dyn Store) {
    let [one, two] = [1, 2].map(|nth| number(10, nth));
    write(store, &[begin(one, visitor(10, 1), 1), begin(two, visitor(10, 1), 2)]);
    let wake = Some(1_700_000_000);
    write(store, &[Change::Sleep { session: one, wake }, Change::Park { session: one, due: 500 }]);
    assert_eq!((there(store, one).wake, there(store, one).due), (wake, Some(500)));
    assert_eq!(due(store, 0, 1_699_999_999, 9), NOBODY, "it sleeps");
    assert_eq!(due(store, 0, 1_700_000_000, 9), [one], "it wants to go on");
    assert_eq!(due(store, 500, 1_700_000_000, 9), [one], "once, also where it is due by both clocks");
    write(store, &[Change::Unpark { session: one }]);
    assert_eq!(due(store, 0, 1_700_000_000, 9), [one], "it sleeps in memory as well");
    write(store, &[Change::Sleep { session: one, wake: None }]);
    assert_eq!(due(store, 0, i64::MAX, 9), NOBODY, "it does not sleep any more");
}

pub(super) fn what_ends_is_due_and_sleeps_no_more(store: &dyn Store) {
    let [ended, odd] = [1, 2].map(|nth| number(11, nth));
    for session in [ended, odd] {
        let wake = Some(5);
        write(store, &[begin(session, visitor(11, 1), session), append(session, 0, 1)]);
        write(store, &[Change::Sleep { session, wake }, Change::Park { session, due: 3 }]);
    }
    write(store, &[Change::End { session: ended, state: State::Ended, due: 600 }]);
    write(store, &[Change::End { session: odd, state: State::Quarantined, due: 700 }]);
    for (session, state, at) in [(ended, State::Ended, 600), (odd, State::Quarantined, 700)] {
        let head = there(store, session);
        assert_eq!((head.state, head.due, head.wake), (state, Some(at), None));
        assert_eq!(load(store, session), [chunk(session, 0, 1)], "it is kept for a while");
    }
    let late = |session| {
        [
            Change::Park { session, due: 1 },
            Change::Sleep { session, wake: Some(1) },
            Change::Unpark { session },
        ]
    };
    write(store, &[late(ended), late(odd)].concat());
    assert_eq!(due(store, 599, 100, 9), NOBODY, "it is not woken, and not purged before its time");
    assert_eq!(due(store, 700, 100, 9), [ended, odd]);
    write(store, &[Change::Forget { session: ended }, Change::Forget { session: odd }]);
    assert_eq!(due(store, 700, 100, 9), NOBODY, "what is forgotten is not due");
}

pub(super) fn who_is_renamed_has_all_their_sessions(store: &dyn Store) {
    let (from, to) = (visitor(12, 1), visitor(12, 2));
    let [one, two, theirs] = [1, 2, 3].map(|nth| number(12, nth));
    write(store, &[begin(one, from, 1), begin(two, from, 2), begin(theirs, to, 3), append(one, 0, 1)]);
    write(store, &[Change::End { session: two, state: State::Ended, due: u32::MAX }]);
    write(store, &[Change::Rename { from, to }]);
    for (label, session) in [(1, one), (2, two), (3, theirs)] {
        let found = store.find(&to, label).expect("a visitor is found");
        assert_eq!(found.session.map(|head| (head.session, head.visitor)), Some((session, to)));
    }
    let nobody = store.find(&from, 1).expect("a visitor is found");
    assert!(nobody.session.is_none() && !nobody.known, "the old id finds nothing");
    assert_eq!(load(store, one), [chunk(one, 0, 1)]);
}

pub(super) fn what_is_kept_of_a_visitor_is_told(store: &dyn Store) {
    let (who, other) = (visitor(19, 1), visitor(19, 2));
    let share = |who| {
        let mut share = store.share(&who).expect("it is told");
        share.live.sort_unstable();
        share
    };
    assert_eq!((share(who).live.len(), share(who).bytes), (0, 0), "a stranger has nothing");
    let [one, two, theirs] = [1, 2, 3].map(|nth| number(19, nth));
    write(store, &[begin(one, who, 1), begin(two, who, 2), begin(theirs, other, 1)]);
    write(store, &[append(one, 0, 2), append(two, 0, 1), append(theirs, 0, 4), append(one, 2, 1)]);
    let bytes = |session| there(store, session).bytes;
    assert_eq!((share(who).live, share(who).bytes), (vec![one, two], bytes(one) + bytes(two)));
    write(store, &[Change::End { session: one, state: State::Ended, due: u32::MAX }]);
    assert_eq!((share(who).live, share(who).bytes), (vec![two], bytes(one) + bytes(two)), "it is kept");
    write(store, &[Change::Trim { session: two, before: 1 }]);
    assert_eq!(share(who).bytes, bytes(one), "what was trimmed is not");
    write(store, &[Change::Rename { from: other, to: who }, Change::Forget { session: one }]);
    assert_eq!((share(who).live, share(who).bytes), (vec![two, theirs], bytes(theirs)));
    write(store, &[two, theirs].map(|session| Change::Forget { session }));
}

pub(super) fn what_is_trimmed_is_gone_and_the_rest_is_there(store: &dyn Store) {
    let session = number(13, 1);
    write(store, &[begin(session, visitor(13, 1), 1)]);
    let chunks = [0, 2, 4].map(|first| chunk(session, first, 2));
    write(store, &chunks.clone().map(Change::Append));
    let trim = |before| write(store, &[Change::Trim { session, before }]);
    for (before, left) in [(0, 3), (1, 3), (2, 2), (3, 2), (2, 2)] {
        trim(before);
        assert_eq!(load(store, session), chunks[3 - left..], "trimmed before {before}");
    }
    let bytes = chunks[1..].iter().map(|chunk| chunk.entries.len() as u64).sum();
    assert_eq!((there(store, session).bytes, there(store, session).entries), (bytes, 6));
    write(store, &[append(session, 6, 1)]);
    trim(6);
    assert_eq!(load(store, session), [chunk(session, 6, 1)]);
    trim(7);
    assert_eq!(load(store, session), [], "all can be trimmed");
    assert_eq!((there(store, session).bytes, there(store, session).entries), (0, 7));
    write(store, &[append(session, 7, 1), append(session, 8, 1)]);
    assert_eq!(load(store, session), [chunk(session, 7, 1), chunk(session, 8, 1)], "and it goes on");
}

pub(super) fn deaths_are_counted_and_what_is_forgotten_is_gone(store: &dyn Store) {
    let (session, who) = (number(14, 1), visitor(14, 1));
    write(store, &[begin(session, who, 1), append(session, 0, 1), append(session, 1, 1)]);
    write(store, &[Change::Deaths { session, count: 3 }]);
    assert_eq!(there(store, session).deaths, 3);
    write(store, &[Change::Deaths { session, count: 0 }]);
    assert_eq!(there(store, session).deaths, 0);
    write(store, &[Change::Forget { session }]);
    assert_eq!(head(store, session), None, "it is forgotten");
    assert!(store.load(session).is_err(), "what is not there cannot be loaded");
    let found = store.find(&who, 1).expect("a visitor is found");
    assert!(found.session.is_none() && !found.known);
    assert!(store.write(&[append(session, 2, 1)]).is_err(), "it does not go on");
}

pub(super) fn sessions_are_listed_in_order_by_pages(store: &dyn Store) {
    let numbers = [3, 1, 5, 4, 2].map(|nth| number(15, nth));
    for session in numbers {
        write(store, &[begin(session, visitor(15, 1), session), append(session, 0, 1)]);
    }
    let mut after = number(15, 0);
    let mut listed = Vec::new();
    while let page = store.list(after, 2).expect("sessions are listed")
        && let Some(last) = page.last()
    {
        assert!(page.len() <= 2, "not more than asked for");
        after = last.session;
        listed.extend(page);
    }
    let all = [1, 2, 3, 4, 5].map(|nth| there(store, number(15, nth)));
    assert_eq!(listed, all, "each once, in order, as it is");
    assert_eq!(store.list(0, 0).expect("sessions are listed"), []);
}

pub(super) fn many_read_while_one_writes(store: &dyn Store) {
    let (session, over) = (number(16, 1), AtomicBool::new(false));
    write(store, &[begin(session, visitor(16, 1), 1)]);
    let read = || read_until(store, session, &over);
    std::thread::scope(|scope| {
        // Also where the writer finds something wrong.
        let end = Over(&over);
        let readers = [(); 12].map(|()| scope.spawn(read));
        for first in 0..100 {
            write(store, &[append(session, first, 1)]);
            if first % 10 == 9 {
                write(store, &[Change::Park { session, due: u32::MAX }, Change::Unpark { session }]);
            }
            assert_eq!(there(store, session).entries, first + 1, "who writes sees it at once");
        }
        drop(end);
        for reader in readers {
            reader.join().expect("the readers see what is promised");
        }
    });
}

fn read_until(store: &dyn Store, session: u64, over: &AtomicBool) {
    let mut seen = 0;
    while !over.load(Ordering::Relaxed) {
        let entries = there(store, session).entries;
        assert!(entries >= seen, "nobody sees a session go back");
        let chunks = load(store, session);
        let whole = (0..).zip(&chunks).all(|(first, read)| *read == chunk(session, first, 1));
        assert!(whole && chunks.len() as u64 >= entries, "all that was written is loaded");
        let found = store.find(&visitor(16, 1), 1).expect("a visitor is found").session.expect("it is there");
        assert!(found.entries >= chunks.len() as u64, "nor does who finds it");
        seen = found.entries;
    }
}

/// Says so when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) fn who_is_found_is_recalled_if_they_live_and_are_wanted(store: &dyn Store) {
    let (one, two, who) = (number(18, 1), number(18, 2), visitor(18, 1));
    let found = |wanted: bool| {
        let mut asked = Vec::new();
        let found = store.find_to_play(&who, 0, &mut |session| {
            asked.push(session);
            wanted
        });
        let (found, recalled) = found.expect("a visitor is looked for");
        let also = store.find(&who, 0).expect("a visitor is found");
        assert_eq!((&found.session, found.known), (&also.session, also.known));
        let bytes =
            |chunks: Vec<Chunk>| chunks.into_iter().flat_map(|chunk| chunk.entries).collect::<Vec<_>>();
        (asked, recalled.map(|chunks| bytes(chunks.expect("they are recalled"))))
    };
    let entries = |session| [chunk(session, 0, 2).entries, chunk(session, 2, 1).entries].concat();
    assert_eq!(found(true), (vec![], None), "nobody is there");
    write(store, &[begin(one, who, 0), append(one, 0, 2), append(one, 2, 1)]);
    assert_eq!(found(true), (vec![one], Some(entries(one))));
    assert_eq!(found(false), (vec![one], None), "it is asked first");
    write(store, &[begin(two, who, 0), append(two, 0, 2), append(two, 2, 1)]);
    assert_eq!(found(true), (vec![two], Some(entries(two))), "the newest");
    write(store, &[Change::End { session: two, state: State::Ended, due: 9 }]);
    assert_eq!(found(true), (vec![], None), "it is over");
}
