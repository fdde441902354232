//! The token of the page that a hit comes from: found as parameters are, and told from them by its form.

use std::borrow::Cow;

use super::{Fields, Hit};
use crate::step;

impl Hit {
    /// The token of the page this hit comes from: the first parameter of its name that has the form of one.
    #[inline]
    pub(crate) fn token(&self) -> Option<Cow<'_, str>> {
        // Links of ours carry it and nothing else.
        let only = if matches!(self.fields, Fields::None) { only(self.query()) } else { None };
        let token = only.map(Cow::Borrowed).or_else(|| self.find_token())?;
        let disowned = step::may_be_printed(&token)
            && self.label.is_some_and(|label| step::is_of_another(&token, label));
        (!disowned).then_some(token)
    }

    #[inline(never)]
    fn find_token(&self) -> Option<Cow<'_, str>> {
        let of_body = match &self.fields {
            Fields::None => None,
            Fields::Urlencoded => first(&self.body),
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => {
                let token = |(name, value): &&(String, String)| {
                    name == step::PARAM && step::has_form(value.as_bytes())
                };
                sent.fields.iter().find(token).map(|(_, value)| Cow::Borrowed(&**value))
            }
        };
        of_body.or_else(|| first(self.query().as_bytes()))
    }
}

/// The token of a query that has nothing else.
#[inline]
fn only(query: &str) -> Option<&str> {
    let token = query.strip_prefix(concat!(step::param!(), "="))?;
    step::has_form(token.as_bytes()).then_some(token)
}

fn first(pairs: &[u8]) -> Option<Cow<'_, str>> {
    pairs.split(|byte| *byte == b'&').find_map(of_pair)
}

/// The value of a pair, if it is a token, in whatever way name and value are written.
fn of_pair(pair: &[u8]) -> Option<Cow<'_, str>> {
    // Its name, or the encoding of its first letter.
    if !matches!(pair.first(), Some(b'_' | b'%')) {
        return None;
    }
    let (name, value) = form_urlencoded::parse(pair).next()?;
    (name == step::PARAM && step::has_form(value.as_bytes())).then_some(value)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::hit::Via;
    use crate::reply::Back;

    /// What has the form of a token, told from others by this digit.
    fn token(digit: char) -> String {
        String::from(digit).repeat(40)
    }

    fn found(query: &str, body: &[u8]) -> Option<String> {
        let request = Request::post(format!("/?{query}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let (parts, body) = request.body(Bytes::copy_from_slice(body)).expect("a request").into_parts();
        Hit::new(parts, body, Via::default(), Back::nowhere()).token().map(Cow::into_owned)
    }

    #[test]
    fn a_token_is_found_as_parameters_are() {
        let (one, two) = (token('1'), token('2'));
        let encoded: String = one.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for (query, body) in [
            (format!("_t={one}"), String::new()),
            (format!("a=b&_t={one}"), String::new()),
            (format!("_t={one}&_t={two}"), String::new()),
            (format!("_t=1700000000&_t={one}"), String::new()),
            (format!("_t={two}"), format!("_t={one}")),
            (format!("_t={one}"), "_t=&a=b".into()),
            (String::new(), format!("a=b&_t={one}&c=d")),
            (String::new(), format!("%5Ft={one}")),
            (String::new(), format!("a&%5f%74={encoded}")),
            (String::new(), format!("_%74={one}&_t={two}")),
        ] {
            assert_eq!(found(&query, body.as_bytes()).as_ref(), Some(&one), "{query} {body}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_hide_no_token() {
        let one = token('1');
        for (before, behind) in
            [(&b"name=J\xf6rg&"[..], &b""[..]), (b"", b"&name=J\xf6rg"), (b"\xff&", b"&\xfe")]
        {
            let body = [before, b"_t=", one.as_bytes(), behind].concat();
            assert_eq!(found("", &body).as_ref(), Some(&one), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        let (odd, letters) = (token('1') + "1", "g".repeat(40));
        for value in
            ["", "1", "1700000000", "%", &"1".repeat(30), &odd, &letters, &format!("{}+", token('1'))]
        {
            assert_eq!(found(&format!("_t={value}"), b""), None, "{value}");
            assert_eq!(found("", format!("_t={value}").as_bytes()), None, "{value}");
        }
        for name in ["t", "__t", "_t_", "_T", "+_t", "_t+"] {
            assert_eq!(found(&format!("{name}={}", token('1')), b""), None, "{name}");
        }
    }
}
