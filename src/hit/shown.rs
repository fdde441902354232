//! What of a hit's parameters is the program's: not the token of the page, not what names the visitor. They are left out
//! wherever a program looks and in the journal alike, so that a program reads the same when it is replayed.

use std::borrow::Cow;

use bytes::Bytes;

use super::Hit;
use crate::step;

impl Hit {
    /// Whether a parameter is the program's.
    pub(crate) fn shows(&self, name: &str, value: &str) -> bool {
        let token = name == step::PARAM && step::has_form(value.as_bytes());
        !token && Some(name) != self.cut.visitor_param()
    }

    /// The pairs of a query or a form that are the program's, as they came.
    pub(crate) fn shown<'t>(&self, pairs: &'t [u8]) -> Cow<'t, [u8]> {
        let only = pairs.strip_prefix(concat!(step::param!(), "=").as_bytes());
        if only.is_some_and(step::has_form) {
            return Cow::Borrowed(b"");
        }
        let is_shown = |pair: &&[u8]| {
            let mut read = form_urlencoded::parse(pair);
            read.next().is_none_or(|(name, value)| self.shows(&name, &value))
        };
        let each = || pairs.split(|byte| *byte == b'&');
        if each().all(|pair| is_shown(&pair)) {
            return Cow::Borrowed(pairs);
        }
        each().filter(is_shown).collect::<Vec<_>>().join(&b'&').into()
    }

    /// Path and query, without what is not the program's.
    pub(crate) fn shown_uri(&self) -> String {
        let path = self.full_path();
        match &*self.shown(self.query().as_bytes()) {
            b"" => path.to_owned(),
            query => [path, "?", &String::from_utf8_lossy(query)].concat(),
        }
    }

    /// The body, of a form without what is not the program's.
    pub(crate) fn shown_body(&self) -> Bytes {
        let shown = if self.is_urlencoded() { self.shown(&self.body) } else { Cow::Borrowed(&*self.body) };
        match shown {
            Cow::Owned(shown) => shown.into(),
            Cow::Borrowed(b"") => Bytes::new(),
            Cow::Borrowed(_) => self.body.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::hit::Via;
    use crate::reply::Back;

    #[test]
    fn tokens_are_left_out_and_all_else_stays_as_it_came() {
        let (parts, body) = Request::new(Bytes::new()).into_parts();
        let hit = Hit::new(parts, body, Via::default(), Back::nowhere());
        let token = "0f".repeat(20);
        for (came, shown) in [
            ("", ""),
            ("_t=TOKEN", ""),
            ("_t=here", ""),
            ("_t=TOKEN&a=%20+b", "a=%20+b"),
            ("a&_t=TOKEN&&b=2&%5ft=TOKEN", "a&&b=2"),
            ("_tt=TOKEN&a=_t=2&", "_tt=TOKEN&a=_t=2&"),
            // What has another form is a parameter like any.
            ("_t=1700000000&a=1&_t=TOKEN&_t=", "_t=1700000000&a=1&_t="),
        ] {
            let came = came.replace("TOKEN", &token);
            let shown = shown.replace("TOKEN", &token);
            assert_eq!(hit.shown(came.as_bytes()), shown.as_bytes(), "{came}");
        }
        let latin = [b"a=\xf6&_t=", token.as_bytes(), b"&\xff"].concat();
        assert_eq!(*hit.shown(&latin), *b"a=\xf6&\xff", "bytes that are no text change nothing");
    }
}
