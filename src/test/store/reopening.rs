//! What is there when a journal is opened anew.

use super::{NOBODY, append, begin, load, number, visitor, write};
use crate::journal::{Change, Chunk, Head, Opened, Store};

/// `first` is what the journal said when it was new.
pub(super) fn what_was_written_is_there_and_time_goes_on<S: Store>(
    open: &mut impl FnMut() -> S,
    first: Opened,
) {
    assert!(first.epoch >= 1, "each opening counts");
    assert_eq!(first.marked, NOBODY, "nobody was being rebuilt");
    let store = open();
    let second = store.opened();
    assert_eq!((second.journal, second.secret), (first.journal, first.secret), "it is the same journal");
    assert_eq!(second.epoch, first.epoch + 1, "each opening counts");
    assert!(second.clock > first.clock && second.clock > 16, "the clock is past every session's number");
    let session = number(17, 1);
    write(&store, &[begin(session, visitor(17, 1), 1), append(session, 0, 1), Change::Clock(1_000_000)]);
    write(&store, &[append(session, 1, 1), Change::Clock(999)]);
    let all = contents(&store);
    store.mark(0, Some(number(17, 5)));
    store.mark(7, Some(number(17, 7)));
    store.mark(7, None);
    store.mark(3, Some(number(17, 3)));
    drop(store);

    what_was_marked_is_told_once(open, session, &all);
}

fn what_was_marked_is_told_once<S: Store>(
    open: &mut impl FnMut() -> S,
    session: u64,
    all: &[(Head, Vec<Chunk>)],
) {
    let store = open();
    let third = store.opened();
    assert!(third.clock > 1_000_000, "the clock is past every second it was given");
    let mut marked = third.marked;
    marked.sort_unstable();
    assert_eq!(marked, [number(17, 3), number(17, 5)], "who was being rebuilt is known");
    assert_eq!(contents(&store), all, "all is as it was");
    write(&store, &[append(session, 2, 1)]);
    drop(store);
    let store = open();
    assert_eq!(store.opened().marked, NOBODY, "marks are told once");
    assert_eq!(load(&store, session).len(), 3, "sessions go on");
}

/// All sessions, with what happened in them.
fn contents(store: &dyn Store) -> Vec<(Head, Vec<Chunk>)> {
    let heads = store.list(0, usize::MAX).expect("sessions are listed");
    heads.into_iter().map(|head| (head.clone(), load(store, head.session))).collect()
}
