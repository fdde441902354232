//! A response that leads to the address of a page, and what may be kept of one that tells somebody who they are.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use super::{Kept, NO_STORE, PRIVATE, Ready, Reply, forbid_keeping};

impl Reply {
    /// Whether it is a page like most: one that can be shown at another address as it is.
    pub(crate) fn is_page(&self) -> bool {
        let Some(rare) = self.rare.as_deref() else { return self.status == StatusCode::OK };
        self.status == StatusCode::OK
            && rare.is_html()
            && rare.stream.is_none()
            && rare.notice.is_none()
            && !leads_elsewhere(&rare.headers)
    }

    /// Sends the browser to the address of the page, which it asks for by GET. What the program has set stays.
    pub(crate) fn lead_to(&mut self, address: &str) {
        self.status = StatusCode::SEE_OTHER;
        self.out.clear();
        self.body = None;
        let address = HeaderValue::try_from(address).expect("a query of our own can stand in a head");
        self.rare().headers.insert(header::LOCATION, address);
    }

    /// The same for a page that was made before, with its cookies: the answer that told them may have been lost.
    pub(crate) fn lead_to_kept(&mut self, address: &str, kept: &Kept) {
        self.sensitive |= kept.is_stored_by_nobody();
        self.lead_to(address);
        let headers = &mut self.rare().headers;
        for cookie in kept.headers.get_all(header::SET_COOKIE) {
            headers.append(header::SET_COOKIE, cookie.clone());
        }
    }

    /// The answer with a page that was kept, for somebody who asks for it at its address: they were told its cookies when
    /// they were sent there, and may have others by now.
    pub(crate) fn show_kept(mut self, kept: &Kept) -> Ready {
        if let Some(rare) = &mut self.rare {
            rare.headers.remove(header::SET_COOKIE);
        }
        let mut kept = kept.clone();
        kept.headers.remove(header::SET_COOKIE);
        self.repeat(&kept)
    }
}

impl Ready {
    /// Leads to the address of a page in place of showing it, unless it has begun to leave.
    pub(crate) fn lead_to(mut self, address: &str) -> Ready {
        if let Ready::Whole(hit) = &mut self {
            hit.reply.lead_to(address);
        }
        self
    }
}

impl Kept {
    /// Whether it is a page like most: see [`Reply::is_page`].
    pub(crate) fn is_page(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let is_html = kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"));
        self.status == StatusCode::OK && is_html && !leads_elsewhere(&self.headers)
    }

    /// Whether browsers ask for it again, whenever it is to be seen.
    pub(crate) fn is_stored_by_nobody(&self) -> bool {
        self.headers.get(header::CACHE_CONTROL).is_some_and(says_no_store)
    }
}

/// It is saved, or something else is shown.
fn leads_elsewhere(headers: &HeaderMap) -> bool {
    headers.contains_key(header::LOCATION) || headers.contains_key(header::CONTENT_DISPOSITION)
}

fn says_no_store(said: &HeaderValue) -> bool {
    let mut words = said.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    words.any(|word| word.eq_ignore_ascii_case(b"no-store"))
}

/// It tells a visitor who they are: their browser may keep it, so that Back shows it, and nobody else.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    match headers.get(header::CACHE_CONTROL) {
        Some(said) if *said == PRIVATE || *said == NO_STORE => {}
        Some(said) if says_no_store(said) => forbid_keeping(headers),
        said => {
            let said = said.map(|said| said.as_bytes().to_ascii_lowercase()).unwrap_or_default();
            let fixed = said.windows(12).any(|word| word == b"no-transform");
            let value = if fixed { "private, no-cache, no-transform" } else { "private, no-cache" };
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
        }
    }
}
