//! What a file can be recognised by, and conditional requests in the order of RFC 9110, 13.2.2. Pure.
//!
//! A strong tag has to change whenever the content does. Ours is made of what the file system changes then: the file's
//! number, size, and times to the nanosecond. Their clock ticks some hundred times a second, on old file systems every
//! two seconds: what was changed less than [`SETTLED`] ago could change again unseen, so it gets no tag and no date.

use std::hash::Hasher;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, Method, header};
use siphasher::sip128::{Hasher128, SipHasher13};

/// How long after a change a file may be recognised by its times.
const SETTLED: Duration = Duration::from_secs(2);
/// 10000-01-01: a date has four digits for the year.
const LAST: Duration = Duration::from_secs(253_402_300_800);

/// What one state of a file is recognised by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// An entity tag with its quotes.
    pub(super) tag: Option<String>,
    /// Whole seconds, as a head says them.
    pub(super) modified: Option<SystemTime>,
}

impl Stamp {
    /// Of a file last modified then, whose state is these numbers.
    pub(super) fn new(modified: SystemTime, now: SystemTime, state: &[i64]) -> Stamp {
        let settled = now.duration_since(modified).is_ok_and(|age| age >= SETTLED);
        let since = modified.duration_since(UNIX_EPOCH).ok().filter(|since| settled && *since < LAST);
        let Some(since) = since else { return Stamp::default() };
        // Hashed, so that nobody learns a file's number on its disk (CVE-2003-1418).
        let mut hasher = SipHasher13::new();
        state.iter().for_each(|number| hasher.write_i64(*number));
        Stamp {
            tag: Some(format!("\"{:032x}\"", hasher.finish128().as_u128())),
            modified: Some(UNIX_EPOCH + Duration::from_secs(since.as_secs())),
        }
    }
}

/// What a request's conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer as without them; with `ranged` a range is followed.
    Send { ranged: bool },
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Judges a request's conditions for a file in this state.
pub(super) fn judge(method: &Method, headers: &HeaderMap, stamp: &Stamp) -> Verdict {
    let date = |name| date(headers, name);
    let holds = match list(headers, header::IF_MATCH) {
        Some(tags) => matches(&tags, stamp, true),
        None => date(header::IF_UNMODIFIED_SINCE).is_none_or(|date| !is_newer(stamp, date)),
    };
    if !holds {
        return Verdict::Failed;
    }
    let same = match list(headers, header::IF_NONE_MATCH) {
        Some(tags) => matches(&tags, stamp, false),
        None => date(header::IF_MODIFIED_SINCE).is_some_and(|date| !is_newer(stamp, date)),
    };
    if same {
        return Verdict::NotModified;
    }
    Verdict::Send { ranged: method == Method::GET && is_range_of(headers, stamp) }
}

/// Whether the file is newer than that, or could be.
fn is_newer(stamp: &Stamp, date: SystemTime) -> bool {
    stamp.modified.is_none_or(|modified| modified > date)
}

/// Whether what the client has a part of is this state.
fn is_range_of(headers: &HeaderMap, stamp: &Stamp) -> bool {
    let Some(field) = one(headers, header::IF_RANGE) else { return !headers.contains_key(header::IF_RANGE) };
    if field.starts_with('"') || field.starts_with("W/") {
        // A weak tag is none here.
        return stamp.tag.as_deref() == Some(field);
    }
    stamp.modified.is_some() && httpdate::parse_http_date(field).ok() == stamp.modified
}

/// Whether one of the tags is the file's. A strong comparison takes no weak one.
fn matches(tags: &str, stamp: &Stamp, strong: bool) -> bool {
    if tags.trim() == "*" {
        return true;
    }
    let own = stamp.tag.as_deref();
    Tags(tags).any(|(weak, tag)| own == Some(tag) && !(strong && weak))
}

/// The entity tags of a list, with their quotes, and whether each is weak. Ends at what is none.
struct Tags<'a>(&'a str);

impl<'a> Iterator for Tags<'a> {
    type Item = (bool, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_start_matches([' ', '\t', ',']);
        let (weak, rest) = match rest.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let end = rest.strip_prefix('"')?.find('"')? + 2;
        let (tag, rest) = rest.split_at(end);
        self.0 = rest;
        Some((weak, tag))
    }
}

/// All fields of this name as one list.
fn list(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let fields: Vec<_> = headers.get_all(name).iter().map(|field| field.to_str().unwrap_or("")).collect();
    (!fields.is_empty()).then(|| fields.join(","))
}

/// The field of this name, if there is one and it is text.
pub(super) fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut fields = headers.get_all(name).iter();
    let first = fields.next()?.to_str().ok()?;
    fields.next().is_none().then_some(first)
}

/// A date; one that cannot be read is none.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(one(headers, name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn stamp() -> Stamp {
        Stamp { tag: Some("\"a\"".into()), modified: httpdate::parse_http_date(AT).ok() }
    }

    fn judged(fields: &[(HeaderName, &str)], stamp: &Stamp) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value.parse().expect("a value"));
        }
        judge(&Method::GET, &headers, stamp)
    }

    #[test]
    fn conditions_have_their_order() {
        use Verdict::{Failed, NotModified, Send};
        use header::{
            IF_MATCH as MATCH, IF_MODIFIED_SINCE as SINCE, IF_NONE_MATCH as NONE, IF_RANGE as RANGE,
            IF_UNMODIFIED_SINCE as UNMODIFIED,
        };
        let (all, whole) = (Send { ranged: true }, Send { ranged: false });
        let table: &[(&[(HeaderName, &str)], Verdict)] = &[
            (&[], all),
            (&[(MATCH, "\"a\"")], all),
            (&[(MATCH, "*")], all),
            (&[(MATCH, "\"b\", \"a\"")], all),
            (&[(MATCH, "\"b\""), (MATCH, "\"a\"")], all),
            (&[(MATCH, "W/\"a\"")], Failed),
            (&[(MATCH, "\"b\"")], Failed),
            (&[(MATCH, "a")], Failed),
            (&[(MATCH, "\"b\""), (NONE, "\"a\"")], Failed),
            (&[(MATCH, "\"a\""), (UNMODIFIED, BEFORE)], all),
            (&[(MATCH, "\"a\""), (NONE, "\"a\"")], NotModified),
            (&[(UNMODIFIED, AT)], all),
            (&[(UNMODIFIED, AFTER)], all),
            (&[(UNMODIFIED, BEFORE)], Failed),
            (&[(UNMODIFIED, "yesterday")], all),
            (&[(UNMODIFIED, BEFORE), (SINCE, AT)], Failed),
            (&[(NONE, "\"a\"")], NotModified),
            (&[(NONE, "W/\"a\"")], NotModified),
            (&[(NONE, "\"b\", W/\"c,d\" ,\"a\"")], NotModified),
            (&[(NONE, "*")], NotModified),
            (&[(NONE, "\"b\"")], all),
            (&[(NONE, "\"b\""), (SINCE, AT)], all),
            (&[(NONE, "\"a\""), (SINCE, BEFORE)], NotModified),
            (&[(SINCE, AT)], NotModified),
            (&[(SINCE, AFTER)], NotModified),
            (&[(SINCE, BEFORE)], all),
            (&[(SINCE, "yesterday")], all),
            (&[(SINCE, AT), (SINCE, AT)], all),
            (&[(RANGE, "\"a\"")], all),
            (&[(RANGE, "W/\"a\"")], whole),
            (&[(RANGE, "\"b\"")], whole),
            (&[(RANGE, AT)], all),
            (&[(RANGE, AFTER)], whole),
            (&[(RANGE, "rubbish")], whole),
            (&[(RANGE, "\"a\""), (RANGE, "\"a\"")], whole),
            (&[(NONE, "\"a\""), (RANGE, "\"b\"")], NotModified),
        ];
        for (fields, verdict) in table {
            assert_eq!(judged(fields, &stamp()), *verdict, "{fields:?}");
        }
    }

    #[test]
    fn what_was_just_changed_is_never_taken_for_the_same() {
        let none = Stamp::default();
        for (name, value, verdict) in [
            (header::IF_NONE_MATCH, "\"a\"", Verdict::Send { ranged: true }),
            (header::IF_MODIFIED_SINCE, AFTER, Verdict::Send { ranged: true }),
            (header::IF_RANGE, AFTER, Verdict::Send { ranged: false }),
            (header::IF_RANGE, "rubbish", Verdict::Send { ranged: false }),
            (header::IF_MATCH, "\"a\"", Verdict::Failed),
            (header::IF_UNMODIFIED_SINCE, AFTER, Verdict::Failed),
        ] {
            assert_eq!(judged(&[(name.clone(), value)], &none), verdict, "{name}");
        }
    }

    #[test]
    fn a_tag_is_strong_once_its_file_has_settled() {
        let (modified, state) = (UNIX_EPOCH + Duration::from_millis(10_500), [1, 2, 3]);
        let after = |millis| Stamp::new(modified, modified + Duration::from_millis(millis), &state);
        assert_eq!(after(1_999), Stamp::default());
        let settled = after(2_000);
        assert_eq!(settled.modified, Some(UNIX_EPOCH + Duration::from_secs(10)));
        assert_eq!(settled, after(100_000));
        let tag = settled.tag.expect("a tag");
        assert!(tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let other = Stamp::new(modified, modified + SETTLED, &[1, 2, 4]);
        assert_ne!(other.tag, Some(tag));
        // Dates that no head can say.
        let now = UNIX_EPOCH + LAST + LAST;
        for odd in [UNIX_EPOCH - SETTLED, UNIX_EPOCH + LAST, now + SETTLED] {
            assert_eq!(Stamp::new(odd, now, &state), Stamp::default());
        }
    }
}
