//! Hits as they are written, and as they come again.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Request, Uri};

#[cfg(feature = "multipart")]
use super::entry::FileSent;
use super::entry::{Blob, Taken};
use super::headers::{Fields, Played};
use crate::hit::Hit;
#[cfg(feature = "multipart")]
use crate::intake::multipart::Sent;
use crate::mapper::returns::Pass;
use crate::reply::Back;
use crate::step::Answered;

/// What stands for a secret where it was taken out.
pub(crate) const SECRET: &str = "\0secret";

/// What is not written of a hit.
pub(crate) struct Hidden<'a> {
    /// Names of our own cookies.
    pub(crate) cookies: [&'a str; 2],
    /// Parameters that the server was told are secrets.
    pub(crate) names: &'a [String],
    /// What the program has read as secrets.
    pub(crate) read: &'a [SecretField],
}

/// Where in a hit a secret was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretField {
    /// A parameter of this name.
    Param(String),
    /// In a body of JSON: the pointer to it (RFC 6901).
    Json(String),
}

impl Hidden<'_> {
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|secret| secret == name)
    }

    fn is_secret(&self, name: &str) -> bool {
        self.is_named(name)
            || self.read.iter().any(|field| matches!(field, SecretField::Param(secret) if secret == name))
    }

    /// Pointers to what was read in JSON.
    fn in_json(&self) -> impl Iterator<Item = &str> {
        self.read.iter().filter_map(|field| match field {
            SecretField::Json(pointer) => Some(&**pointer),
            SecretField::Param(_) => None,
        })
    }
}

/// Fills in what is in the hit itself.
pub(crate) fn fill(taken: &mut Taken, hit: &Hit, hidden: &Hidden<'_>, fields: &mut Fields) {
    taken.method = hit.method().as_str().into();
    taken.path = hit.full_path().into();
    taken.query = shown(hit, hit.query(), hidden, &mut taken.secrets).into_owned();
    taken.body = Blob(body(hit, hidden, &mut taken.secrets));
    #[cfg(feature = "multipart")]
    fill_sent(taken, hit, hidden);
    taken.headers = fields.differ(hit.headers(), &hidden.cookies);
    taken.peer = hit.peer();
    taken.https = hit.is_https();
    taken.prefix = u16::try_from(hit.prefix()).expect("it was given as one");
    taken.host = hit.forwarded_host().map(str::to_owned);
    taken.returned = hit.pass().map(|pass| pass.own);
}

/// Of a form with files: its fields, and what the files were.
#[cfg(feature = "multipart")]
fn fill_sent(taken: &mut Taken, hit: &Hit, hidden: &Hidden<'_>) {
    if let Some(Sent { fields, files, .. }) = hit.sent() {
        let pairs = fields.iter().filter(|(name, _)| hit.shows(name));
        let shown = pairs.map(|(name, value)| {
            let secret = hidden.is_secret(name);
            if secret {
                taken.secrets.push(name.clone());
            }
            (name.clone(), if secret { SECRET.to_owned() } else { value.clone() })
        });
        taken.fields = Some(shown.collect());
        taken.files = files
            .iter()
            .map(|file| FileSent {
                field: file.field().to_owned(),
                name: file.name().to_owned(),
                kind: file.content_type().map(str::to_owned),
                bytes: file.len(),
            })
            .collect();
    }
}

/// The hit again: nobody waits for its answer. `mount` is where its flow is.
pub(crate) fn again(taken: &Taken, played: &Played, mount: &str) -> Box<Hit> {
    let path_and_query = match &*taken.query {
        "" => taken.path.to_string(),
        query => [&taken.path, "?", query].concat(),
    };
    let (mut parts, body) = Request::new(Bytes::from(taken.body.0.clone())).into_parts();
    parts.method = Method::from_bytes(taken.method.as_bytes()).unwrap_or_default();
    parts.uri = Uri::try_from(path_and_query).unwrap_or_default();
    parts.headers = played.map();
    let mut hit = Hit::new(parts, body, taken.via(), Back::nowhere());
    hit.asked_host(taken.host.clone());
    if let Some(own) = taken.returned {
        let answer = Answered::again(taken.answer);
        // Where it led to is behind it.
        hit.came_back_then(Pass { serial: 0, step: 0, answer, own });
    }
    if hit.local_path().starts_with(mount) {
        hit.mount(mount.len());
    }
    #[cfg(feature = "multipart")]
    if let Some(fields) = &taken.fields {
        hit.set_sent(Sent::again(fields, &taken.files, taken.answer));
    }
    hit
}

/// Pairs of a query or a body, as they came, without what is not the program's and without secrets.
fn shown<'t>(hit: &Hit, text: &'t str, hidden: &Hidden<'_>, secrets: &mut Vec<String>) -> Cow<'t, str> {
    let shown = hit.shown(text);
    if form_urlencoded::parse(shown.as_bytes()).all(|(name, _)| !hidden.is_secret(&name)) {
        return shown;
    }
    let mut kept = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(shown.as_bytes()) {
        let secret = hidden.is_secret(&name);
        if secret {
            secrets.push(name.clone().into_owned());
        }
        kept.append_pair(&name, if secret { SECRET } else { &value });
    }
    kept.finish().into()
}

fn body(hit: &Hit, hidden: &Hidden<'_>, secrets: &mut Vec<String>) -> Vec<u8> {
    let body = hit.body();
    if body.is_empty() {
        return Vec::new();
    }
    // Also a body that says to be a form may have been read as JSON.
    if hit.is_urlencoded() && hidden.in_json().next().is_none() {
        return match str::from_utf8(body) {
            Ok(text) => shown(hit, text, hidden, secrets).into_owned().into_bytes(),
            Err(_) => body.to_vec(),
        };
    }
    if let Ok(mut json) = serde_json::from_slice(body)
        && blank_read(&mut json, hidden, secrets) | blank_named(&mut json, hidden, secrets)
    {
        return json.to_string().into_bytes();
    }
    body.to_vec()
}

/// Takes what was read as secrets out of JSON; whether there was any.
fn blank_read(json: &mut serde_json::Value, hidden: &Hidden<'_>, secrets: &mut Vec<String>) -> bool {
    let mut any = false;
    for pointer in hidden.in_json() {
        if let Some(secret) = json.pointer_mut(pointer) {
            *secret = SECRET.into();
            secrets.push(pointer.to_owned());
            any = true;
        }
    }
    any
}

/// Takes what the server was told is secret out of JSON; whether there was any.
fn blank_named(json: &mut serde_json::Value, hidden: &Hidden<'_>, secrets: &mut Vec<String>) -> bool {
    use serde_json::Value;
    match json {
        Value::Array(items) => {
            items.iter_mut().fold(false, |any, item| blank_named(item, hidden, secrets) | any)
        }
        Value::Object(fields) => fields.iter_mut().fold(false, |any, (name, item)| {
            if hidden.is_named(name) {
                blank_all(item);
                secrets.push(name.clone());
                return true;
            }
            blank_named(item, hidden, secrets) | any
        }),
        _ => false,
    }
}

/// Nothing is left of what is in it.
fn blank_all(json: &mut serde_json::Value) {
    use serde_json::Value;
    match json {
        Value::Array(items) => items.iter_mut().for_each(blank_all),
        Value::Object(fields) => fields.values_mut().for_each(blank_all),
        other => *other = SECRET.into(),
    }
}
