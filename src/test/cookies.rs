//! The cookies of one browser: kept, sent back and forgotten as browsers do. `Domain` makes no difference.

use std::time::{Duration, SystemTime};

use cookie::{Cookie, SameSite};
use http::HeaderValue;
use tokio::time::Instant;

use super::place::Place;
use crate::document::url;

#[derive(Debug, Default, Clone)]
pub(super) struct Jar(Vec<Kept>);

#[derive(Debug, Clone)]
struct Kept {
    name: String,
    value: String,
    path: String,
    /// The host that set it; `None`: the test did, for all.
    host: Option<String>,
    /// Goes only where browsers trust the way.
    secure: bool,
    same_site: SameSite,
    /// When it is forgotten; `None` with the browser.
    dies: Option<Instant>,
}

/// Which cookies go with a request, by where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    OwnPage,
    /// A GET from another site: all but the strict ones.
    OtherSite,
    /// A POST from another site: only those that say `SameSite=None`.
    OtherSitePosting,
    /// No browser at all: none.
    Server,
}

impl Jar {
    /// Keeps the cookie of a `Set-Cookie` field that came from `url`. What cannot be read is dropped.
    pub(super) fn keep(&mut self, field: &HeaderValue, here: &Place, url: &str) {
        let Some(cookie) = field.to_str().ok().and_then(|field| Cookie::parse(field).ok()) else { return };
        let secure = cookie.secure() == Some(true);
        if secure && !here.is_trustworthy() {
            return;
        }
        let host = Some(here.name().to_owned());
        let path = cookie.path().filter(|path| path.starts_with('/'));
        let path = path.unwrap_or_else(|| default_path(url)).to_owned();
        let same = |kept: &Kept| kept.host.is_none() || kept.host == host;
        self.0.retain(|kept| kept.name != cookie.name() || kept.path != path || !same(kept));
        let left = time_left(&cookie);
        if left == Some(Duration::ZERO) {
            return;
        }
        self.0.push(Kept {
            name: cookie.name().to_owned(),
            value: cookie.value().to_owned(),
            path,
            host,
            secure,
            same_site: cookie.same_site().unwrap_or(SameSite::Lax),
            dies: left.and_then(|left| Instant::now().checked_add(left)),
        });
    }

    /// Sets a cookie for all paths, until the browser closes.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|kept| kept.name != name);
        let (name, value, path) = (name.to_owned(), value.to_owned(), "/".to_owned());
        let (host, secure, same_site) = (None, false, SameSite::Lax);
        self.0.push(Kept { name, value, path, host, secure, same_site, dies: None });
    }

    /// The `Cookie` field of a request, if there are any to send: the longest path first.
    pub(super) fn field(&mut self, here: &Place, url: &str, asker: Asker) -> Option<String> {
        self.forget_old();
        if asker == Asker::Server {
            return None;
        }
        let mut sent: Vec<_> =
            self.0.iter().filter(|kept| kept.goes_to(here, url::path(url), asker)).collect();
        sent.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs: Vec<_> = sent.iter().map(|kept| format!("{}={}", kept.name, kept.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub(super) fn get(&mut self, name: &str) -> Option<String> {
        self.forget_old();
        self.0.iter().find(|kept| kept.name == name).map(|kept| kept.value.clone())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn forget_old(&mut self) {
        self.0.retain(|kept| kept.dies.is_none_or(|dies| dies > Instant::now()));
    }
}

impl Kept {
    fn goes_to(&self, here: &Place, path: &str, asker: Asker) -> bool {
        if self.host.as_deref().is_some_and(|host| host != here.name())
            || self.secure && !here.is_trustworthy()
        {
            return false;
        }
        let Some(below) = path.strip_prefix(&*self.path) else { return false };
        let whole = below.is_empty() || below.starts_with('/') || self.path.ends_with('/');
        whole
            && match self.same_site {
                SameSite::None => true,
                SameSite::Lax => asker != Asker::OtherSitePosting,
                SameSite::Strict => asker == Asker::OwnPage,
            }
    }
}

/// How long a cookie lives; `None` as long as the browser.
fn time_left(cookie: &Cookie<'_>) -> Option<Duration> {
    match cookie.max_age() {
        Some(age) => Some(Duration::try_from(age).unwrap_or_default()),
        None => {
            let end = SystemTime::from(cookie.expires_datetime()?);
            Some(end.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

/// The path of a cookie that names none: the URL's, without its last segment.
fn default_path(url: &str) -> &str {
    match url::path(url).rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &url[..slash],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(cookies: &[(&'static str, &str)]) -> Jar {
        let mut jar = Jar::default();
        for (cookie, url) in cookies {
            jar.keep(&HeaderValue::from_static(cookie), &Place::default(), url);
        }
        jar
    }

    fn sent(jar: &mut Jar, url: &str) -> String {
        jar.field(&Place::default(), url, Asker::OwnPage).unwrap_or_default()
    }

    #[test]
    fn the_last_of_a_name_and_path_counts() {
        let mut jar = jar(&[("a=1; Path=/", "/"), ("b=2; Path=/", "/"), ("a=3; Path=/", "/x/y")]);
        assert_eq!(sent(&mut jar, "/"), "b=2; a=3");
        assert_eq!(jar.get("a").as_deref(), Some("3"));
        jar.clear();
        assert_eq!(sent(&mut jar, "/"), "");
    }

    #[test]
    fn a_path_holds_itself_and_what_is_below() {
        let mut jar = jar(&[("a=1; Path=/shop", "/"), ("b=2", "/shop/cart?x=/y"), ("c=3; Path=/", "/")]);
        assert_eq!(sent(&mut jar, "/shopping"), "c=3");
        assert_eq!(sent(&mut jar, "/shop?x=1"), "a=1; b=2; c=3");
        assert_eq!(sent(&mut jar, "/shop/cart"), "a=1; b=2; c=3");
        assert_eq!(sent(&mut jar, "/"), "c=3");
    }

    #[test]
    fn the_longest_path_goes_first() {
        let mut jar = jar(&[("a=root; Path=/", "/"), ("a=deep; Path=/x/", "/")]);
        assert_eq!(sent(&mut jar, "/x/y"), "a=deep; a=root");
    }

    #[test]
    fn max_age_and_expires_remove() {
        let kept = ("a=1; Path=/", "/");
        assert_eq!(sent(&mut jar(&[kept, ("a=; Path=/; Max-Age=0", "/")]), "/"), "");
        assert_eq!(sent(&mut jar(&[kept, ("a=; Path=/; Max-Age=-5", "/")]), "/"), "");
        let past = "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(sent(&mut jar(&[kept, (past, "/")]), "/"), "");
        assert_eq!(sent(&mut jar(&[kept, ("a=; Path=/other; Max-Age=0", "/")]), "/"), "a=1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cookie_ends_with_its_time() {
        let mut jar = jar(&[("a=1; Path=/; Max-Age=60", "/"), ("b=2; Path=/", "/")]);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(sent(&mut jar, "/"), "a=1; b=2");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sent(&mut jar, "/"), "b=2");
    }

    #[test]
    fn other_sites_bring_what_same_site_lets_through() {
        let mut jar = jar(&[("s=1; SameSite=Strict", "/"), ("l=2", "/"), ("n=3; SameSite=None", "/")]);
        assert_eq!(jar.field(&Place::default(), "/", Asker::OwnPage).as_deref(), Some("s=1; l=2; n=3"));
        assert_eq!(jar.field(&Place::default(), "/", Asker::OtherSite).as_deref(), Some("l=2; n=3"));
        assert_eq!(jar.field(&Place::default(), "/", Asker::OtherSitePosting).as_deref(), Some("n=3"));
    }

    #[test]
    fn a_secure_cookie_goes_only_where_the_way_is_trusted_and_each_host_has_its_own() {
        let at = |origin: &str| Place::read(origin).expect("an origin");
        let (shop, plain, other) =
            (at("https://shop.test"), at("http://shop.test:80"), at("https://other.test"));
        let (mut jar, field) = (Jar::default(), HeaderValue::from_static);
        jar.keep(&field("a=1; Secure"), &shop, "/");
        jar.keep(&field("b=2"), &shop, "/");
        jar.keep(&field("c=3; Secure"), &plain, "/");
        assert_eq!(jar.field(&shop, "/", Asker::OwnPage).as_deref(), Some("a=1; b=2"));
        assert_eq!(jar.field(&plain, "/", Asker::OwnPage).as_deref(), Some("b=2"));
        assert_eq!(jar.field(&other, "/", Asker::OwnPage), None);
    }

    #[test]
    fn what_is_no_cookie_is_dropped() {
        assert_eq!(sent(&mut jar(&[("", "/"), ("=1", "/"), ("a", "/")]), "/"), "");
    }
}
