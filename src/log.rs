//! What goes to the log: on one line, without control characters, and not more than a log can take.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// Failures that are written out a second; the rest are counted.
const LINES: u32 = 50;

/// Text that may hold anything, as one harmless line: control characters are written as escapes.
pub(crate) struct Line<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|c| match c.is_control() {
                    true => write!(self.0, "{}", c.escape_default()),
                    false => self.0.write_char(c),
                })
            }
        }
        write!(Escape(f), "{}", self.0)
    }
}

/// Lets so many lines a second through.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU32);

impl Gate {
    /// Whether one more line may be written in this second.
    pub(crate) fn open(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) < LINES
    }

    /// Whether a line was counted in this second.
    pub(crate) fn is_used(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Begins another second; returns how many lines the last one did not get.
    pub(crate) fn next_second(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed).saturating_sub(LINES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(Line("a\nb\x1b[31mc\u{9b}ä").to_string(), "a\\nb\\u{1b}[31mc\\u{9b}ä");
    }

    #[test]
    fn a_flood_of_lines_is_counted() {
        let gate = Gate::default();
        assert_eq!((0..LINES + 7).filter(|_| gate.open()).count(), LINES as usize);
        assert_eq!(gate.next_second(), 7);
        assert!(gate.open());
        assert_eq!(gate.next_second(), 0);
    }
}
