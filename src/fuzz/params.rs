//! Parameters of queries and forms, and the tokens among them.

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use siphasher::sip::SipHasher24;

use super::line_and_rest;
use crate::hit::{Hit, Via};
use crate::reply::Back;
use crate::step::{PARAM, Place, Seal, has_form};

/// A key that anybody knows, so that some tokens of the corpus are right.
const KEY: [u8; 16] = [7; 16];

/// A query, and on the next lines the body of a form.
pub fn urlencoded(bytes: &[u8]) {
    let Some(hit) = hit(bytes) else { return };
    let params: Vec<(String, String)> =
        hit.params().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    // Each takes a byte at least, and the sign between two of them.
    assert!(params.len() <= bytes.len().div_ceil(2) + 1, "{} parameters", params.len());
    for count in [0, 1, params.len().saturating_sub(1), params.len(), params.len() + 1] {
        assert_eq!(hit.has_more_params_than(count), params.len() > count, "{count} of {}", params.len());
    }
    for (name, _) in &params {
        let of_body = hit.body_params().count();
        let last = |params: &[(String, String)]| {
            params.iter().rfind(|(other, _)| other == name).map(|(_, value)| value.clone())
        };
        assert_eq!(
            hit.param(name).map(|value| value.into_owned()),
            last(&params[..of_body]).or(last(&params[of_body..]))
        );
    }
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
    assert!(encoded.is_ascii() && !encoded.contains(char::is_whitespace));
    let again: Vec<(String, String)> = form_urlencoded::parse(encoded.as_bytes()).into_owned().collect();
    assert_eq!(again, params, "what was read is written so that it is read again");
    let token = params.iter().find(|(name, value)| name == PARAM && has_form(value.as_bytes()));
    assert_eq!(hit.token().as_deref(), token.map(|(_, value)| value.as_str()));
}

/// A hit with this query and this form; none where no such request can come.
fn hit(bytes: &[u8]) -> Option<Box<Hit>> {
    let (query, body) = line_and_rest(bytes);
    let uri = Uri::try_from([b"/?", query].concat()).ok()?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let (parts, body) = request.body(Bytes::copy_from_slice(body)).ok()?.into_parts();
    Some(Hit::new(parts, body, Via::default(), Back::nowhere()))
}

/// A token as it is sent, after eight bytes that say for which session.
pub fn token(bytes: &[u8]) {
    let Some((serial, wire)) = bytes.split_first_chunk() else { return };
    let (seal, serial) = (Seal::of_bytes(KEY), u64::from_le_bytes(*serial));
    let value = String::from_utf8_lossy(wire);
    let (step, part) = (serial as u32, (serial >> 33) as u32);
    // Each second one is of a part of its page.
    let place = Place { serial, step, part, scope: if serial >> 32 & 1 == 0 { 0 } else { serial } };
    let mut sealed = String::new();
    if seal.seal(place, &value, 1024, &mut sealed).is_ok() {
        opens_for_its_session_only(&seal, place, &sealed, &value);
    }
    if seal.open(serial, &value).is_some() {
        // What opens was sealed by us.
        let bytes = const_hex::decode(&*value).expect("digits");
        let (signed, tag) = bytes.split_at(bytes.len() - 8);
        let own = SipHasher24::new_with_key(&KEY).hash(&[&serial.to_le_bytes(), signed].concat());
        assert_eq!(own.to_le_bytes(), tag);
        assert!(seal.open(serial ^ 1, &value).is_none());
    }
}

fn opens_for_its_session_only(seal: &Seal, place: Place, sealed: &str, value: &str) {
    let Place { serial, step, part, scope } = place;
    let token = seal.open(serial, sealed).expect("sealed for this session");
    assert_eq!((token.step, token.part, token.scope), (step, part, scope));
    assert_eq!(token.value::<String>().as_deref(), Some(value));
    assert!(seal.open(serial.wrapping_add(1), sealed).is_none());
    let at = value.len() % sealed.len();
    let mut forged = sealed.as_bytes().to_vec();
    forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
    let forged = String::from_utf8(forged).expect("digits");
    assert!(seal.open(serial, &forged).is_none(), "{forged} is {sealed} with one digit changed");
}
