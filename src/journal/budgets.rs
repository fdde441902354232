//! How much work old pages may make. To find one the whole session is read, and replayed up to it: in each window of ten
//! seconds a visitor may have that done so often, and of so many bytes, and all visitors of a network of so many.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::limits::Limits;
use crate::mapper::key::VisitorId;

/// Seconds of a window.
const WINDOW: u32 = 10;

/// What is left of what each may have done.
pub(super) struct Budgets {
    /// How often for a visitor, of how many bytes, and of how many for a network.
    times: usize,
    bytes: usize,
    network: usize,
    window: AtomicU32,
    spent: Mutex<Spent>,
}

/// What was done in this window.
#[derive(Default)]
struct Spent {
    /// For each visitor how often, and of how many bytes.
    visitors: HashMap<VisitorId, (usize, usize)>,
    networks: HashMap<u64, usize>,
}

impl Budgets {
    /// From this second on.
    pub(super) fn new(limits: &Limits, now: u32) -> Self {
        let (times, bytes, network) = (limits.replays, limits.replay_bytes, limits.replay_bytes_per_address);
        Budgets { times, bytes, network, window: (now / WINDOW).into(), spent: Mutex::default() }
    }

    /// A new window begins, if it does.
    pub(super) fn renew(&self, now: u32) {
        if self.window.swap(now / WINDOW, Ordering::Relaxed) != now / WINDOW {
            *self.spent.lock().expect("no code panics while it counts") = Spent::default();
        }
    }

    /// Whether an old page of a session of so many bytes may be looked for, and that it is. What is larger than all that
    /// one may have is looked for once.
    pub(super) fn spend(&self, visitor: VisitorId, network: Option<u64>, bytes: usize) -> bool {
        let mut spent = self.spent.lock().expect("no code panics while it counts");
        let Spent { visitors, networks } = &mut *spent;
        let theirs = visitors.entry(visitor).or_default();
        let mut none = 0;
        let all = network.map_or(&mut none, |network| networks.entry(network).or_default());
        if theirs.0 >= self.times || theirs.1 >= self.bytes || *all >= self.network {
            return false;
        }
        *theirs = (theirs.0 + 1, theirs.1.saturating_add(bytes));
        *all = all.saturating_add(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets() -> Budgets {
        let mut limits = Limits::default();
        (limits.replays, limits.replay_bytes, limits.replay_bytes_per_address) = (3, 100, 150);
        Budgets::new(&limits, 0)
    }

    #[test]
    fn a_visitor_has_so_many_and_so_many_bytes_in_each_window() {
        let (budgets, ada, bob) = (budgets(), VisitorId([1, 1]), VisitorId([2, 2]));
        let times = (0..9).filter(|_| budgets.spend(ada, None, 1)).count();
        assert_eq!(times, 3);
        assert!(budgets.spend(bob, None, 5_000), "one that is too long is looked for once");
        assert!(!budgets.spend(bob, None, 1));
        budgets.renew(WINDOW - 1);
        assert!(!budgets.spend(bob, None, 1), "it is the same window");
        // Whatever second the window is noticed in.
        budgets.renew(WINDOW + 3);
        assert!(budgets.spend(ada, None, 1) && budgets.spend(bob, None, 1));
    }

    #[test]
    fn the_visitors_of_a_network_share_what_it_may_have() {
        let budgets = budgets();
        let spent = (0..20).filter(|n| budgets.spend(VisitorId([*n, *n]), Some(7), 50)).count();
        assert_eq!(spent, 3);
        assert!(budgets.spend(VisitorId([99, 0]), Some(8), 50), "another network goes on");
        assert!(budgets.spend(VisitorId([99, 0]), None, 50), "who is exempt goes on");
    }
}
