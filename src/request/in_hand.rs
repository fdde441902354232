//! While a page is drawn for a hit.

use crate::hit::Hit;
use crate::session::Session;

/// A hit that is the session's if drawing its page panics or fails.
pub(super) struct InHand<'s> {
    session: &'s Session,
    hit: Option<Box<Hit>>,
}

impl<'s> InHand<'s> {
    #[inline]
    pub(super) fn new(session: &'s Session, hit: Box<Hit>) -> Self {
        InHand { session, hit: Some(hit) }
    }

    #[inline]
    pub(super) fn hit(&self) -> &Hit {
        self.hit.as_ref().expect("released once, by value")
    }

    #[inline]
    pub(super) fn release(mut self) -> Box<Hit> {
        self.hit.take().expect("released once, by value")
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if let Some(hit) = self.hit.take() {
            self.session.talk(|talk| talk.current = Some(hit));
        }
    }
}
