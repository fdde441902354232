//! Forms on a page that is printed: each gets a hidden field with its token, as its first.
//!
//! What is a form is decided by [`Scanner`], which reads HTML as browsers do. This knows no tokens: it is told how to
//! write one.

#[cfg(all(any(test, continuity_fuzz), feature = "http", feature = "files", feature = "multipart"))]
pub(crate) mod fuzz;
mod leads;
mod mark;
mod plain;
mod raw;
mod scanner;
mod tag;
#[cfg(test)]
mod tests;

use crate::step::param;
use scanner::Scanner;

const BEFORE: &str = concat!("<input type=\"hidden\" name=\"", param!(), "\" value=\"");
const AFTER: &str = "\">";

/// Adds tokens to one response.
#[derive(Default)]
pub(crate) struct Forms {
    scanner: Scanner,
    /// Forms that have theirs.
    count: u32,
}

impl Forms {
    /// Whether there may be a form in this text, of which nothing was sent before.
    pub(crate) fn may_be_in(text: &str) -> bool {
        // All pairs of letters at once, without an early end: compilers look at many in one instruction.
        let (bytes, next) = (text.as_bytes(), text.as_bytes().get(1..).unwrap_or_default());
        let begins =
            bytes.iter().zip(next).fold(false, |any, (a, b)| any | ((*a == b'<') & (b | 32 == b'f')));
        begins && bytes.windows(5).any(|tag| tag[0] == b'<' && tag[1..].eq_ignore_ascii_case(b"form"))
    }

    /// Gives the forms of `text`, which follows what was given before, their tokens: `token` writes that of a form by its
    /// number on the page. The text gets no longer than `limit` by it; forms beyond have none.
    pub(crate) fn add(&mut self, text: &mut String, limit: usize, mut token: impl FnMut(u32, &mut String)) {
        let mut places = Vec::new();
        self.scanner.read(text.as_bytes(), |at| places.push(at));
        if places.is_empty() {
            return;
        }
        let mut given = String::with_capacity(text.len() + places.len() * 2 * BEFORE.len());
        let mut done = 0;
        for at in places {
            given.push_str(&text[done..at]);
            done = at;
            let before = given.len();
            given.push_str(BEFORE);
            token(self.count, &mut given);
            given.push_str(AFTER);
            if given.len() + text.len() - done > limit {
                given.truncate(before);
                break;
            }
            self.count += 1;
        }
        given.push_str(&text[done..]);
        *text = given;
    }
}
