//! Addresses of pages: a token that names a page by its session and step, and is no answer to it.
//!
//! A page that a form has made, and one that nobody may keep, is answered by `303 See Other` to such an address. So
//! whatever asks for the page again (Back, a reload, a tab that is restored or duplicated) asks by GET, finds that page,
//! and sends nothing twice.

use http::Method;
use maud::html;

use crate::hit::Hit;
use crate::step::{HERE, PAGE, PARAM, Place, Seal, Token, param};

/// What stands at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The page of the step.
    Page,
    /// The same, as the first that a newcomer sees: nobody knows yet whether they keep the cookie that comes with it.
    First,
    /// The page with what is said to somebody who has answered an older one.
    Outdated,
    /// The page with what was wrong in a form, by the answer that was tried.
    Try(u64),
}

impl Shown {
    fn number(self) -> u32 {
        match self {
            Shown::Page => 0,
            Shown::First => 1,
            Shown::Outdated => 2,
            Shown::Try(_) => 3,
        }
    }
}

impl Seal {
    /// The token that names a page.
    pub(crate) fn seal_page(&self, serial: u64, step: u32, shown: Shown) -> String {
        let (mut token, part) = (String::new(), PAGE | shown.number());
        let place = Place { serial, step, part, scope: 0 };
        let tried = if let Shown::Try(answer) = shown { answer } else { 0 };
        self.seal(place, &tried, usize::MAX, &mut token)
            .expect("a number can be written, and none is too large");
        token
    }
}

impl Token {
    /// What it names, if it is a page.
    pub(crate) fn shown(&self) -> Option<Shown> {
        if self.is_printed() || self.part & PAGE == 0 {
            return None;
        }
        Some(match self.part & !PAGE {
            0 => Shown::Page,
            1 => Shown::First,
            2 => Shown::Outdated,
            _ => Shown::Try(self.value()?),
        })
    }
}

/// Whether a token says that it names a page. What says so was not checked: it may be of any session, or of none.
pub(crate) fn names_page(wire: &str) -> bool {
    // The highest byte of its part, which stands last: no page has so many forms that a token of theirs has it.
    wire.as_bytes().get(14..16) == Some(b"04")
}

/// Whether a token says that it names a newcomer's first page.
pub(crate) fn names_first_page(wire: &str) -> bool {
    wire.as_bytes().get(8..16) == Some(b"01000004")
}

impl Hit {
    /// Whether to look closer at its response: the page may need an address.
    #[inline]
    pub(crate) fn may_need_address(&self) -> bool {
        self.reply.sensitive || !self.is_safe()
    }

    pub(crate) fn is_post(&self) -> bool {
        *self.method() == Method::POST
    }

    /// The address of a page at the same path, relative to that: whatever leads here, the browser knows it better.
    pub(crate) fn address_of(&self, token: &str, shown: Shown) -> String {
        let query = form_urlencoded::Serializer::for_suffix(String::from("?"), 1)
            .append_pair(PARAM, token)
            .extend_pairs(self.cut.params())
            .finish();
        // A newcomer without cookies begins once more there: by what they have asked for.
        match self.query() {
            more if shown == Shown::First && !more.is_empty() => [&query, "&", more].concat(),
            _ => query,
        }
    }
}

/// An attribute `action` for forms that would post to the address of their page: the same query, and a token that is none, so
/// that it is another address, at which browsers have kept nothing.
pub(crate) fn action(query: &str) -> String {
    let (token, here) = (concat!(param!(), "="), [param!(), "=", HERE].concat());
    let others = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with(token));
    let query: Vec<_> = others.chain([&*here]).collect();
    [" action=\"", &html! { "?" (query.join("&")) }.into_string(), "\""].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{LINK, OldPages};

    const ALL: [Shown; 5] = [Shown::Page, Shown::First, Shown::Outdated, Shown::Try(0), Shown::Try(u64::MAX)];

    #[test]
    fn an_address_says_which_page_it_is_of_and_what_stands_there() {
        let seal = Seal::new();
        for shown in ALL {
            let wire = seal.seal_page(7, 3, shown);
            let token = seal.open(7, &wire).expect("ours");
            assert_eq!((token.step, token.shown(), token.old), (3, Some(shown), None));
            assert!(names_page(&wire));
            assert_eq!(names_first_page(&wire), shown == Shown::First);
            assert_eq!(seal.open(8, &wire), None, "of one session");
        }
    }

    #[test]
    fn a_form_posts_beside_the_address_of_its_page() {
        assert_eq!(action(""), " action=\"?_t=here\"");
        assert_eq!(action("_t=00&a=1&b=\"2"), " action=\"?a=1&amp;b=&quot;2&amp;_t=here\"");
        assert_eq!(action("a&&_t=here"), " action=\"?a&amp;_t=here\"");
    }

    #[test]
    fn no_answer_is_an_address() {
        let (seal, mut tokens) = (Seal::new(), Vec::new());
        for old in OldPages::ALL.map(Some).into_iter().chain([None]).map(OldPages::bits) {
            for (part, scope) in [(LINK, 0), (5, 0), (1000, 9)] {
                let (mut token, place) =
                    (String::new(), Place { serial: 7, step: 3, part: part | old, scope });
                seal.seal(place, &true, 1024, &mut token).expect("small");
                tokens.push(token);
            }
            let mut token = String::new();
            seal.seal_form((7, 3, old), 2, 1, &mut token);
            tokens.push(token);
        }
        for wire in tokens {
            assert_eq!(seal.open(7, &wire).expect("ours").shown(), None);
            assert!(!names_page(&wire), "{wire}");
        }
        assert!(!names_page(HERE) && !names_page("") && !names_page("ä".repeat(20).as_str()));
    }
}
