//! What of a hit's parameters is the program's: not the token of the page, not what names the visitor. They are left out
//! wherever a program looks and in the journal alike, so that a program reads the same when it is replayed.

use std::borrow::Cow;

use bytes::Bytes;

use super::Hit;
use crate::step;

impl Hit {
    /// Whether a parameter is the program's.
    pub(crate) fn shows(&self, name: &str) -> bool {
        name != step::PARAM && Some(name) != self.cut.visitor_param()
    }

    /// The pairs of a query or a form that are the program's, as they came.
    pub(crate) fn shown<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let only = text.strip_prefix(concat!(step::param!(), "="));
        if only.is_some_and(|token| !token.as_bytes().contains(&b'&')) {
            return Cow::Borrowed("");
        }
        let is_shown = |pair: &&str| {
            let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name);
            name.is_none_or(|name| self.shows(&name))
        };
        if text.split('&').all(|pair| is_shown(&pair)) {
            return Cow::Borrowed(text);
        }
        text.split('&').filter(is_shown).collect::<Vec<_>>().join("&").into()
    }

    /// The body, of a form without what is not the program's.
    pub(crate) fn shown_body(&self) -> Bytes {
        let text = if self.is_urlencoded() { str::from_utf8(&self.body).ok() } else { None };
        match text.map(|text| self.shown(text)) {
            Some(Cow::Owned(shown)) => shown.into(),
            Some(Cow::Borrowed("")) => Bytes::new(),
            _ => self.body.clone(),
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
        for (came, shown) in [
            ("", ""),
            ("_t=1", ""),
            ("_t=1&a=%20+b", "a=%20+b"),
            ("a&_t=1&&b=2&%5ft=3", "a&&b=2"),
            ("_tt=1&a=_t=2&", "_tt=1&a=_t=2&"),
        ] {
            assert_eq!(hit.shown(came), shown);
        }
    }
}
