//! Parameters of a hit: those of its body, then those of its query.

use std::borrow::Cow;

use super::{Fields, Hit};

impl Hit {
    /// Parameters in order: those of the body, then those of the query.
    pub fn params(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.body_params().chain(form_urlencoded::parse(self.query().as_bytes()))
    }

    /// Those of the body.
    pub(crate) fn body_params(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let (body, fields): (&[u8], &[(String, String)]) = match &self.fields {
            Fields::None => (b"", &[]),
            Fields::Urlencoded => (&self.body, &[]),
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => (b"", &sent.fields),
        };
        fields
            .iter()
            .map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value)))
            .chain(form_urlencoded::parse(body))
    }

    /// The parameter of this name. Of several the last one counts; of body and query, the body.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        let named = |(key, _): &(Cow<'_, str>, Cow<'_, str>)| key == name;
        let of_query = || form_urlencoded::parse(self.query().as_bytes()).filter(named).last();
        self.body_params().filter(named).last().or_else(of_query).map(|(_, value)| value)
    }

    pub(crate) fn has_more_params_than(&self, count: usize) -> bool {
        // Each takes a byte at least: small hits need not be counted. Fields were counted when they came in.
        let bytes = self.query().len() + self.body.len() + self.fields_sent();
        bytes > count && self.params().nth(count).is_some()
    }

    fn fields_sent(&self) -> usize {
        match &self.fields {
            #[cfg(feature = "multipart")]
            Fields::Multipart(sent) => sent.fields.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::hit::Via;
    use crate::reply::Back;

    #[test]
    fn parameters_are_those_of_the_body_then_of_the_query() {
        let request = Request::post("/?a=1&b=%C3%A4")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let request = request.body(Bytes::from("a=2&a=3+4")).expect("a request");
        let (parts, body) = request.into_parts();
        let hit = Hit::new(parts, body, Via::default(), Back::nowhere());
        let all: Vec<_> = hit.params().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["a=2", "a=3 4", "a=1", "b=ä"]);
        assert_eq!(hit.param("a").as_deref(), Some("3 4"), "the last one of the body");
        assert_eq!(hit.param("b").as_deref(), Some("ä"));
        assert_eq!(hit.param("c"), None);
    }
}
