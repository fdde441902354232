//! Header fields of hits, by what differs from the hit before: browsers say the same each time.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::entry::{Blob, Headers};
use super::identity::fingerprint;

/// The fields of the last hit that was written: of each name fingerprints of the name and of its values. 32 bits each are
/// enough: a client that looks for two values that are alike does not know the key, and is not told what was alike.
#[derive(Default)]
pub(crate) struct Fields(Vec<(u32, u32)>);

/// The fields of the last hit that was replayed: of each name all values.
#[derive(Default)]
pub(crate) struct Played {
    fields: Vec<(String, Vec<Vec<u8>>)>,
    /// The same as a hit has them: made once for all hits that say the same.
    map: HeaderMap,
}

/// What is never written: it opens doors.
fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION || *name == header::PROXY_AUTHORIZATION
}

impl Fields {
    pub(super) fn of(played: &Played) -> Fields {
        let pair = |(name, values): &(String, Vec<Vec<u8>>)| {
            (hash([name.as_bytes()]), hash(values.iter().map(|value| &**value)))
        };
        Fields(played.fields.iter().map(pair).collect())
    }

    /// What differs in these fields from the last ones; they are the last ones then. `own` are the names of our cookies.
    pub(crate) fn differ(&mut self, map: &HeaderMap, own: &[&str]) -> Headers {
        let mut headers = Headers { all: self.0.is_empty(), ..Headers::default() };
        let mut met = vec![false; self.0.len()];
        for name in map.keys().filter(|name| !is_credential(name)) {
            let values = values(map, name, own);
            if values.is_empty() {
                continue;
            }
            let pair = (hash([name.as_str().as_bytes()]), hash(values.iter().map(|value| &**value)));
            match self.0.iter().position(|(known, _)| *known == pair.0) {
                Some(at) => {
                    if let Some(met) = met.get_mut(at) {
                        *met = true;
                    }
                    if self.0[at] == pair {
                        continue;
                    }
                    self.0[at] = pair;
                }
                None => self.0.push(pair),
            }
            headers.set.extend(values.into_iter().map(|value| (name.as_str().to_owned(), Blob(value))));
        }
        for at in (0..met.len()).rev().filter(|at| !met[*at]) {
            headers.gone.push(at);
            self.0.remove(at);
        }
        headers
    }
}

impl Played {
    /// Goes on to the next hit.
    pub(super) fn apply(&mut self, headers: &Headers) {
        if headers.is_same() {
            return;
        }
        let fields = &mut self.fields;
        if headers.all {
            fields.clear();
        }
        let mut last = "";
        for (name, Blob(value)) in &headers.set {
            let at = fields.iter().position(|(known, _)| known == name);
            match at {
                Some(at) if name == last => fields[at].1.push(value.clone()),
                Some(at) => fields[at].1 = vec![value.clone()],
                None => fields.push((name.clone(), vec![value.clone()])),
            }
            last = name;
        }
        for at in &headers.gone {
            if *at < fields.len() {
                fields.remove(*at);
            }
        }
        self.make_map();
    }

    /// The fields as a hit has them.
    pub(crate) fn map(&self) -> HeaderMap {
        self.map.clone()
    }

    fn make_map(&mut self) {
        self.map.clear();
        for (name, values) in &self.fields {
            for value in values {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                    self.map.append(name, value);
                }
            }
        }
    }
}

fn values(map: &HeaderMap, name: &HeaderName, own: &[&str]) -> Vec<Vec<u8>> {
    let values = map.get_all(name).iter().map(HeaderValue::as_bytes);
    if *name == header::COOKIE {
        return values.map(|field| without(field, own)).filter(|field| !field.is_empty()).collect();
    }
    if *name == header::REFERER {
        // The query of the page before may hold what is secret in this one's.
        return values
            .map(|url| url.split(|byte| *byte == b'?').next().unwrap_or_default().to_vec())
            .collect();
    }
    values.map(<[u8]>::to_vec).collect()
}

/// A field of cookies without those that are ours.
fn without(field: &[u8], own: &[&str]) -> Vec<u8> {
    let is_own = |pair: &&[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        own.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    };
    let others: Vec<&[u8]> =
        field.split(|byte| *byte == b';').filter(|pair| !is_own(pair)).map(<[u8]>::trim_ascii).collect();
    others.join(&b"; "[..])
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    u32::try_from(fingerprint(parts) >> 96).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    /// Each hit's fields, written by differences and played again, from the first and from a copy made on the way.
    #[test]
    fn what_differs_is_all_that_is_needed() {
        let hits = [
            map(&[("host", "a"), ("accept", "x"), ("accept", "y"), ("cookie", "sid=1; theme=dark")]),
            map(&[("host", "a"), ("accept", "x"), ("accept", "y"), ("cookie", "sid=2; theme=dark")]),
            map(&[("accept", "y"), ("cookie", "theme=dark"), ("referer", "/a?pin=1")]),
            map(&[("accept", "y"), ("authorization", "Basic x")]),
            map(&[("host", "b"), ("accept", "z"), ("accept", "y")]),
            map(&[]),
            map(&[("host", "b")]),
        ];
        let (mut fields, mut played) = (Fields::default(), Played::default());
        for (at, hit) in hits.iter().enumerate() {
            let headers = fields.differ(hit, &["sid"]);
            assert!(at != 1 || headers == Headers::default(), "only our own cookie differs");
            played.apply(&headers);
            let mut wanted = hit.clone();
            wanted.remove(header::AUTHORIZATION);
            if let Some(referer) = wanted.get_mut(header::REFERER) {
                *referer = HeaderValue::from_static("/a");
            }
            if let Some(cookie) = wanted.get_mut(header::COOKIE) {
                *cookie = HeaderValue::from_static("theme=dark");
            }
            assert_eq!(played.map(), wanted, "hit {at}");
            // Who goes on from here knows what the writer knows.
            fields = Fields::of(&played);
        }
    }
}
