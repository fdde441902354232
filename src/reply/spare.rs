//! The memory of the page that a thread sent last, for the next one: allocators take longer to free and find it.

use std::cell::Cell;

/// A thread keeps no more than that.
const MOST: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<String> = const { Cell::new(String::new()) };
}

/// An empty text with room for so many bytes.
pub(crate) fn take(bytes: usize) -> String {
    let spare = SPARE.take();
    if spare.capacity() >= bytes { spare } else { String::with_capacity(bytes) }
}

/// Gives back a text that was sent.
pub(super) fn give(mut text: String) {
    if (1..=MOST).contains(&text.capacity()) {
        text.clear();
        SPARE.set(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_used_again_where_it_is_long_enough_and_not_too_long() {
        give("a page".repeat(100));
        let again = take(500);
        assert!(again.is_empty() && again.capacity() >= 600);
        give(again);
        assert!(take(5000).capacity() >= 5000);
        give(String::with_capacity(MOST + 1));
        assert!(take(10).capacity() < MOST);
    }
}
