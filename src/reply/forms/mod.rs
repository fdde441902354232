//! Forms on a page that is printed: each gets a hidden field with its token, as its first.
//!
//! One that posts to the very address of its page gets another address, too: browsers let go of what they have kept of an
//! address when something is posted there (RFC 9111, 4.4), and Back would ask for the page again.
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
    /// number on the page. Those that post to the address of their page get the attribute `action`. The text gets no
    /// longer than `limit` by it; forms beyond have neither.
    pub(crate) fn add(
        &mut self,
        text: &mut String,
        limit: usize,
        action: &str,
        token: impl FnMut(u32, &mut String),
    ) {
        let mut places = Vec::new();
        self.scanner.read(text.as_bytes(), |at, posts| places.push((at, posts)));
        if !places.is_empty() {
            *text = self.given(text, &places, limit, action, token);
        }
    }

    fn given(
        &mut self,
        text: &str,
        places: &[(usize, bool)],
        limit: usize,
        action: &str,
        mut token: impl FnMut(u32, &mut String),
    ) -> String {
        let mut given = String::with_capacity(text.len() + places.len() * 2 * BEFORE.len());
        let mut done = 0;
        for &(at, posts) in places {
            // A tag ends with `>`.
            given.push_str(&text[done..at - 1]);
            done = at - 1;
            let before = given.len();
            given.push_str(if posts { action } else { "" });
            given.push('>');
            given.push_str(BEFORE);
            token(self.count, &mut given);
            given.push_str(AFTER);
            if given.len() + text.len() - at > limit {
                given.truncate(before);
                break;
            }
            done = at;
            self.count += 1;
        }
        given.push_str(&text[done..]);
        given
    }
}
