//! Where a hit comes from: by what browsers say of it, each in its own way, and what holds where they say nothing.
//!
//! `Sec-Fetch-Site` says it best, and browsers send it over https and to this very machine only. Else `Origin` tells, which
//! comes with what may change something, else `Referer`. A page may forbid both: then `Origin` is `null` and there is no
//! `Referer`, as there is none behind an address that was typed.

use super::Hit;

/// Where a hit comes from, by what the browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// From a page of this very origin, typed, bookmarked, or from a client that does not say.
    Same,
    /// From a page of another origin, or of one that is hidden.
    Cross,
}

impl Hit {
    /// Where the hit comes from: by `Sec-Fetch-Site`, else by comparing `Origin`, else `Referer`, with
    /// [`host`](Self::host).
    #[inline]
    pub fn site(&self) -> Site {
        match self.signs.site {
            Some(site) => site,
            None if self.signs.origin || self.signs.referer => self.site_of_page(),
            None => Site::Same,
        }
    }

    #[inline(never)]
    fn site_of_page(&self) -> Site {
        let page = if self.signs.origin { "origin" } else { "referer" };
        let own = if self.hides_origin() {
            self.proven
        } else {
            self.header(page).is_some_and(|page| self.is_own(page))
        };
        if own { Site::Same } else { Site::Cross }
    }

    /// Its page has an origin that the browser does not say. That may be any page; ours among them where it forbids
    /// browsers to say it.
    pub(crate) fn hides_origin(&self) -> bool {
        self.signs.site.is_none() && self.signs.opaque
    }

    /// Its page has a hidden origin, and it carries what may prove that it is ours: its session knows.
    #[cold]
    pub(crate) fn may_be_proven(&self) -> bool {
        self.hides_origin() && self.token().is_some()
    }

    /// A browser asks for a page and says in no way where it comes from: by an address that was typed, or by a link of a
    /// site that forbids to say it.
    pub(crate) fn is_from_nowhere(&self) -> bool {
        let signs = &self.signs;
        signs.browser && signs.site.is_none() && !signs.origin && !signs.referer && self.is_safe()
    }

    /// It may change something, and nothing tells that it comes from a page of ours.
    #[inline]
    pub(crate) fn is_submit_from_elsewhere(&self) -> bool {
        !self.is_safe() && self.site() == Site::Cross
    }

    /// Whether the URL of a page begins with our own origin.
    fn is_own(&self, page: &str) -> bool {
        let Some((scheme, rest)) = page.split_once("://") else { return false };
        let authority = rest.split(['/', '?', '#']).next();
        // A page of plain HTTP may have been written by anyone on the line.
        let as_safe = !self.is_https() || scheme == "https";
        as_safe && authority == self.host()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::hit::Via;
    use crate::reply::Back;

    const FIREFOX: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101");

    fn hit(method: &str, via: Via, fields: &[(&str, &str)]) -> Box<Hit> {
        let mut request = Request::builder().method(method).uri("/").header("host", "shop.test:81");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, body) = request.body(Bytes::new()).expect("a request").into_parts();
        Hit::new(parts, body, via, Back::nowhere())
    }

    fn site(fields: &[(&str, &str)]) -> Site {
        hit("POST", Via::default(), fields).site()
    }

    #[test]
    fn a_site_is_told_by_fetch_metadata_else_by_origin_else_by_referer() {
        for (name, value, told) in [
            ("sec-fetch-site", "same-origin", Site::Same),
            ("sec-fetch-site", "none", Site::Same),
            ("sec-fetch-site", "same-site", Site::Cross),
            ("sec-fetch-site", "cross-site", Site::Cross),
            ("origin", "http://shop.test:81", Site::Same),
            ("origin", "http://shop.test", Site::Cross),
            ("origin", "null", Site::Cross),
            ("referer", "http://shop.test:81/", Site::Same),
            ("referer", "http://shop.test:81/a/b?c=d", Site::Same),
            ("referer", "http://shop.test:81?c", Site::Same),
            ("referer", "http://shop.test/", Site::Cross),
            ("referer", "http://shop.test:8181/", Site::Cross),
            ("referer", "http://shop.test:81.evil.test/", Site::Cross),
            ("referer", "https://evil.test/http://shop.test:81/", Site::Cross),
            ("referer", "http://shop.test:81@evil.test/", Site::Cross),
            // What is no address of a page says nothing.
            ("referer", "", Site::Same),
            ("referer", "about:blank", Site::Same),
            ("x-nothing", "said", Site::Same),
        ] {
            assert_eq!(site(&[(name, value)]), told, "{name}: {value}");
        }
    }

    #[test]
    fn what_is_said_best_is_what_counts() {
        let (own, other) = ("http://shop.test:81", "http://evil.test");
        assert_eq!(site(&[("sec-fetch-site", "same-origin"), ("origin", "null")]), Site::Same);
        assert_eq!(site(&[("sec-fetch-site", "cross-site"), ("origin", own)]), Site::Cross);
        assert_eq!(site(&[("origin", own), ("referer", other)]), Site::Same);
        assert_eq!(site(&[("origin", other), ("referer", own)]), Site::Cross);
        assert_eq!(site(&[("origin", "null"), ("referer", own)]), Site::Cross);
    }

    #[test]
    fn over_https_a_page_of_plain_http_is_another_site() {
        let https = |page: &str| hit("GET", Via::default().over_https(), &[("referer", page)]).site();
        assert_eq!(https("https://shop.test:81/"), Site::Same);
        assert_eq!(https("http://shop.test:81/"), Site::Cross);
    }

    #[test]
    fn a_browser_that_says_nothing_comes_from_nowhere_and_other_clients_do_not() {
        let nowhere =
            |method: &str, fields: &[(&str, &str)]| hit(method, Via::default(), fields).is_from_nowhere();
        assert!(nowhere("GET", &[FIREFOX]));
        assert!(nowhere("GET", &[FIREFOX, ("referer", "")]));
        for said in [
            ("sec-fetch-site", "none"),
            ("referer", "http://shop.test:81/"),
            ("referer", "http://evil.test/"),
            ("origin", "null"),
        ] {
            assert!(!nowhere("GET", &[FIREFOX, said]), "{said:?}");
        }
        assert!(!nowhere("POST", &[FIREFOX]), "browsers say `Origin` then");
        assert!(!nowhere("GET", &[("user-agent", "curl/8.5.0")]) && !nowhere("GET", &[]));
    }
}
