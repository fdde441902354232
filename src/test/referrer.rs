//! What a browser tells of the page that it comes from: `Referer` and `Origin`, by the page's `Referrer-Policy`.
//!
//! By the standards of Fetch ("append a request `Origin` header") and Referrer Policy.

use http::{HeaderMap, header};

use super::place::Place;

/// How much a page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Policy {
    NoReferrer,
    NoReferrerWhenDowngrade,
    SameOrigin,
    Origin,
    StrictOrigin,
    OriginWhenCrossOrigin,
    #[default]
    StrictOriginWhenCrossOrigin,
    UnsafeUrl,
}

impl Policy {
    /// A page's own: of its header fields the last one that is known, but for what its markup says.
    pub(super) fn of(headers: &HeaderMap, markup: &str) -> Policy {
        let fields = headers.get_all(header::REFERRER_POLICY).iter().filter_map(|field| field.to_str().ok());
        let words = fields.flat_map(|field| field.split(',')).chain([markup]);
        words.filter_map(Policy::named).last().unwrap_or_default()
    }

    fn named(word: &str) -> Option<Policy> {
        Some(match &*word.trim().to_ascii_lowercase() {
            "no-referrer" => Policy::NoReferrer,
            "no-referrer-when-downgrade" => Policy::NoReferrerWhenDowngrade,
            "same-origin" => Policy::SameOrigin,
            "origin" => Policy::Origin,
            "strict-origin" => Policy::StrictOrigin,
            "origin-when-cross-origin" => Policy::OriginWhenCrossOrigin,
            "strict-origin-when-cross-origin" => Policy::StrictOriginWhenCrossOrigin,
            "unsafe-url" => Policy::UnsafeUrl,
            _ => return None,
        })
    }
}

/// A page that something is asked for from.
#[derive(Debug, Clone)]
pub(super) enum Referrer {
    /// One of this server's, by its path and query.
    Own { url: String, policy: Policy },
    /// One of another site, by its origin. It says nothing of what it tells.
    Foreign { origin: String },
}

impl Referrer {
    /// The `Referer` field of a request for a page here.
    pub(super) fn referer(&self, here: &Place) -> Option<String> {
        match self {
            Referrer::Own { policy: Policy::NoReferrer, .. } => None,
            Referrer::Own { policy: Policy::Origin | Policy::StrictOrigin, .. } => Some(here.origin() + "/"),
            Referrer::Own { url, .. } => Some(here.origin() + url),
            Referrer::Foreign { origin } if is_downgrade(origin, here) => None,
            Referrer::Foreign { origin } => Some(format!("{origin}/")),
        }
    }

    /// The `Origin` field of a request for a page here that is not safe.
    pub(super) fn origin(&self, here: &Place) -> String {
        match self {
            Referrer::Own { policy: Policy::NoReferrer, .. } => "null".to_owned(),
            Referrer::Own { .. } => here.origin(),
            Referrer::Foreign { origin } if is_downgrade(origin, here) => "null".to_owned(),
            Referrer::Foreign { origin } => origin.clone(),
        }
    }
}

/// From https to http.
fn is_downgrade(origin: &str, here: &Place) -> bool {
    origin.starts_with("https://") && !here.is_https()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn policy(fields: &[&'static str], markup: &str) -> Policy {
        let fields = fields.iter().map(|field| (header::REFERRER_POLICY, HeaderValue::from_static(field)));
        let mut headers = HeaderMap::new();
        fields.for_each(|(name, value)| _ = headers.append(name, value));
        Policy::of(&headers, markup)
    }

    #[test]
    fn the_last_policy_that_is_known_counts() {
        assert_eq!(policy(&[], ""), Policy::StrictOriginWhenCrossOrigin);
        assert_eq!(policy(&["no-referrer"], ""), Policy::NoReferrer);
        assert_eq!(policy(&["no-referrer, Same-Origin, later"], ""), Policy::SameOrigin);
        assert_eq!(policy(&["same-origin", "origin"], "no-referrer"), Policy::NoReferrer);
    }

    #[test]
    fn own_pages_tell_what_their_policy_says() {
        let here = Place::read("http://shop.example").expect("an origin");
        let said = |policy| {
            let page = Referrer::Own { url: "/a?b=1".into(), policy };
            (page.referer(&here), page.origin(&here))
        };
        let (origin, page) = ("http://shop.example", "http://shop.example/a?b=1");
        assert_eq!(said(Policy::NoReferrer), (None, "null".into()));
        assert_eq!(said(Policy::StrictOrigin), (Some(format!("{origin}/")), origin.into()));
        assert_eq!(said(Policy::SameOrigin), (Some(page.into()), origin.into()));
        assert_eq!(said(Policy::default()), (Some(page.into()), origin.into()));
    }

    #[test]
    fn another_site_tells_its_origin_and_nothing_from_https_to_http() {
        let page = Referrer::Foreign { origin: "https://other.test".into() };
        let here = Place::read("https://shop.example").expect("an origin");
        assert_eq!(page.referer(&here).as_deref(), Some("https://other.test/"));
        assert_eq!(page.origin(&here), "https://other.test");
        let here = Place::default();
        assert_eq!((page.referer(&here), page.origin(&here)), (None, "null".into()));
    }
}
