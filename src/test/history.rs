//! Where a tab has been: the pages of its back and forward buttons, and the last steps for a report.

use std::collections::VecDeque;

use super::page::Page;

/// Pages a tab keeps, as in browsers.
const PAGES: usize = 50;
/// Steps a report shows.
const STEPS: usize = 12;

#[derive(Debug, Default)]
pub(super) struct History {
    pages: VecDeque<Page>,
    at: usize,
}

/// Where a page goes in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// After the current page; what was ahead is gone.
    Next,
    /// In place of the current page.
    InPlace,
}

impl History {
    pub(super) fn page(&self) -> Option<&Page> {
        self.pages.get(self.at)
    }

    pub(super) fn page_mut(&mut self) -> Option<&mut Page> {
        self.pages.get_mut(self.at)
    }

    pub(super) fn arrive(&mut self, page: Page, arrival: Arrival) {
        match self.page_mut() {
            Some(current) if arrival == Arrival::InPlace => *current = page,
            _ => self.add(page),
        }
    }

    /// The page so many on, or back.
    pub(super) fn beside(&self, by: isize) -> Option<&Page> {
        self.pages.get(self.at.checked_add_signed(by)?)
    }

    /// Goes there, if it is there.
    pub(super) fn go(&mut self, by: isize) -> bool {
        let there = self.beside(by).is_some();
        if there {
            self.at = self.at.saturating_add_signed(by);
        }
        there
    }

    fn add(&mut self, page: Page) {
        self.pages.truncate(self.at + 1);
        self.pages.push_back(page);
        if self.pages.len() > PAGES {
            self.pages.pop_front();
        }
        self.at = self.pages.len() - 1;
    }
}

/// The last things a visitor did.
#[derive(Debug, Default)]
pub(super) struct Trail {
    steps: VecDeque<String>,
    longer: bool,
}

impl Trail {
    pub(super) fn add(&mut self, step: String) {
        self.steps.push_back(step);
        if self.steps.len() > STEPS {
            self.steps.pop_front();
            self.longer = true;
        }
    }
}

impl std::fmt::Display for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.longer {
            f.write_str("… → ")?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if at == 0 { "" } else { " → " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::navigation::{Navigation, Source};
    use super::*;

    fn page(url: &str) -> Page {
        let navigation = Navigation::get(url.to_owned(), Source::Typed);
        Page::new(navigation, http::StatusCode::OK, http::HeaderMap::new(), bytes::Bytes::new())
    }

    fn url(history: &History) -> &str {
        history.page().map_or("", Page::url)
    }

    #[test]
    fn back_and_forward_walk_and_a_new_page_ends_what_was_ahead() {
        let mut history = History::default();
        assert!(!history.go(-1) && !history.go(1) && history.page().is_none());
        for at in ["/1", "/2", "/3"] {
            history.arrive(page(at), Arrival::Next);
        }
        assert!(history.go(-1) && history.go(-1) && !history.go(-1));
        assert_eq!(url(&history), "/1");
        assert!(history.go(1));
        assert_eq!(url(&history), "/2");
        history.arrive(page("/4"), Arrival::Next);
        assert!(!history.go(1) && history.go(-1));
        assert_eq!(url(&history), "/2");
    }

    #[test]
    fn a_page_in_place_keeps_what_is_around_it() {
        let mut history = History::default();
        history.arrive(page("/1"), Arrival::InPlace);
        history.arrive(page("/2"), Arrival::Next);
        history.go(-1);
        history.arrive(page("/1b"), Arrival::InPlace);
        assert_eq!(url(&history), "/1b");
        assert!(history.go(1));
        assert_eq!(url(&history), "/2");
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let (mut history, mut trail) = (History::default(), Trail::default());
        for at in 0..PAGES + 10 {
            history.arrive(page(&format!("/{at}")), Arrival::Next);
            trail.add(format!("get /{at}"));
        }
        assert_eq!((history.pages.len(), url(&history)), (PAGES, "/59"));
        assert!(trail.to_string().starts_with("… → get /48 → "), "{trail}");
        assert!(trail.to_string().ends_with(" → get /59"), "{trail}");
    }
}
