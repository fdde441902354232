//! What may be written where there is little room: all bounds on bytes keep a part for what ends, so that whoever has
//! used theirs up can still let go of something.

use super::store::Change;

/// The part of a bound that new steps do not get.
const RESERVE: u64 = 16;

/// How many bytes something may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound(pub(super) u64);

/// What becomes of the room that changes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// They add nothing of account.
    Bare,
    /// They end, trim, park, rename or forget: what they take is given back, or has to be written.
    Frees,
    /// A step goes on.
    Grows,
}

impl Nature {
    /// What changes are, and the bytes of entries in them.
    pub(super) fn of(changes: &[Change]) -> (Nature, u64) {
        let (mut bytes, mut frees) = (0, false);
        for change in changes {
            match change {
                Change::Append(chunk) => bytes += chunk.entries.len() as u64,
                Change::End { .. }
                | Change::Trim { .. }
                | Change::Park { .. }
                | Change::Rename { .. }
                | Change::Forget { .. } => frees = true,
                _ => {}
            }
        }
        match bytes {
            0 => (Nature::Bare, 0),
            _ if frees => (Nature::Frees, bytes),
            _ => (Nature::Grows, bytes),
        }
    }
}

impl Bound {
    /// Whether what is of this nature may be written beside what is used.
    pub(super) fn takes(self, used: u64, nature: Nature) -> bool {
        match nature {
            Nature::Bare => true,
            Nature::Frees => used < self.0,
            Nature::Grows => self.has_room(used),
        }
    }

    /// Whether there is room for new steps.
    pub(super) fn has_room(self, used: u64) -> bool {
        used < self.0 - self.0 / RESERVE
    }

    /// Whether nobody needs to look at what each takes.
    pub(super) fn has_plenty(self, used: u64) -> bool {
        used < self.0 / 2
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::{Chunk, State};
    use super::*;

    fn append(bytes: usize) -> Change {
        let (what, entries) = (String::new(), vec![0; bytes]);
        Change::Append(Chunk { session: 1, first: 0, count: 1, at: 0, what, entries })
    }

    #[test]
    fn what_ends_goes_on_where_steps_do_not() {
        let bound = Bound(1_600);
        let over = Change::End { session: 1, state: State::Ended, due: 0 };
        for (changes, nature, up_to) in [
            (vec![append(7)], Nature::Grows, 1_500),
            (vec![append(7), over.clone()], Nature::Frees, 1_600),
            (vec![append(7), Change::Trim { session: 1, before: 0 }], Nature::Frees, 1_600),
            (vec![append(7), Change::Rename { from: [0; 16], to: [1; 16] }], Nature::Frees, 1_600),
            (vec![append(7), Change::Unpark { session: 1 }], Nature::Grows, 1_500),
            (vec![over], Nature::Bare, u64::MAX),
            (vec![Change::Park { session: 1, due: 0 }, Change::Clock(1)], Nature::Bare, u64::MAX),
        ] {
            assert_eq!(Nature::of(&changes).0, nature, "{changes:?}");
            assert!(bound.takes(up_to - 1, nature));
            assert!(up_to == u64::MAX || !bound.takes(up_to, nature));
        }
    }
}
