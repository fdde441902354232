//! Secrets: parameters that a program passes on and never keeps.
//!
//! What is kept out of the journal is the field that was read as a secret, not what has the same value. `param` knows the
//! field's name. Serde does not tell a value where it comes from; where two fields hold the same value, the hit is read
//! again with one of them changed, to see which of them are secrets.

use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Method, Request as HttpRequest, header};
use serde::{Deserialize, Deserializer};

use super::Request;
use super::params::{FromParam, FromValue, visible};
use crate::error::Error;
use crate::hit::{Hit, Via};
use crate::journal::{SECRET, SecretField, inside};
use crate::reply::Back;

/// What is put around a value to see who reads it.
const MARK: &str = "\u{1}";

thread_local! {
    /// What was read as secrets on this thread: values whose field is not known yet.
    static READ: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// The fields, where that is known.
    static FIELDS: RefCell<Vec<SecretField>> = const { RefCell::new(Vec::new()) };
}

/// A parameter that never reaches the journal: a password, the number of a card.
///
/// It opens inside [`once`](Request::once) and [`read`](Request::read) only, and while the process lives: a session that
/// is rebuilt has it no more. Then [`open`](Secret::open) fails, and so does the effect; the visitor is led back to the
/// page and fills it in again. It is not shown by `Debug` and cannot be serialized. Read it before the first effect of
/// its step, as a parameter or as a field of what [`ask`](Request::ask), [`decode`](Request::decode) or
/// [`json`](Request::json) returns. What is kept out is the field that was read so; another field in which the visitor
/// wrote the same is written down.
///
/// ```
/// use continuity::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Login { name: String, password: Secret<String> }
/// # async fn check(name: &str, password: &str) -> Result<bool> { Ok(password == "tea") }
///
/// async fn login(mut req: Request) -> Result<()> {
///     let Login { name, password } = req.ask(|f| html! {
///         (f.text("name")) (f.password("password")) button { "Log in" }
///     }).await?;
///     let right = req.read("password", async || check(&name, password.open()?).await).await?;
///     req.print(if right { "Welcome" } else { "No" });
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Secret<T>(Option<T>);

impl<T> Secret<T> {
    /// What it is. Fails outside `once` and `read`, and when it was lost with the process that got it.
    pub fn open(&self) -> Result<&T, Error> {
        if !inside::is_inside() {
            return Err(Error::new("a secret opens inside `once` or `read`, and nowhere else"));
        }
        self.0.as_ref().ok_or_else(|| {
            Error::new("the secret is gone with the process that got it: have the visitor fill it in again")
        })
    }
}

impl<T: FromValue> Secret<T> {
    fn of(value: &str) -> Option<Self> {
        if value == SECRET {
            Some(Secret(None))
        } else {
            T::from_value(value).map(|value| Secret(Some(value)))
        }
    }
}

impl<T: FromValue> FromParam for Secret<T> {
    const IS_SECRET: bool = true;

    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        let value = values.first().ok_or_else(|| Error::bad_input(name, "is missing"))?;
        note(SecretField::Param(name.to_owned()), value);
        Secret::of(value).ok_or_else(|| Error::bad_input(name, format!("is not {}", T::EXPECTED)))
    }
}

impl<'de, T: FromValue> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        if is_secret(&value) {
            READ.with_borrow_mut(|read| read.push(value.clone()));
        }
        Secret::of(&value).ok_or_else(|| serde::de::Error::custom(format!("expected {}", T::EXPECTED)))
    }
}

/// Nothing is none, and what was lost is none any more.
fn is_secret(value: &str) -> bool {
    !value.is_empty() && value != SECRET
}

fn note(field: SecretField, value: &str) {
    if is_secret(value) {
        FIELDS.with_borrow_mut(|fields| fields.push(field));
    }
}

/// The fields that were read as secrets on this thread since the last time.
pub(super) fn collected() -> Vec<SecretField> {
    READ.take();
    FIELDS.take()
}

/// Reads a form, and notes which of its fields are secrets.
pub(super) fn in_form<T>(hit: &Hit, read: fn(&Hit) -> Result<T, Error>) -> Result<T, Error> {
    READ.take();
    let answer = read(hit);
    let values = READ.take();
    if values.is_empty() {
        return answer;
    }
    let fields: Vec<_> = visible(hit).collect();
    let try_with = |nth: usize, value: String| {
        let mut pairs = fields.clone();
        pairs[nth].1 = value;
        drop(read(&form_of(&pairs, hit)));
    };
    let name = |(name, value): &(String, String)| (SecretField::Param(name.clone()), value.clone());
    find(&fields.iter().map(name).collect::<Vec<_>>(), &values, &try_with)?;
    answer
}

/// Reads JSON, and notes which of its texts are secrets.
pub(super) fn in_json<T>(body: &[u8], read: fn(&[u8]) -> Result<T, Error>) -> Result<T, Error> {
    READ.take();
    let answer = read(body);
    let values = READ.take();
    if values.is_empty() {
        return answer;
    }
    let json: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| Error::caused("a secret was read of what is no JSON", error))?;
    let mut texts = Vec::new();
    collect_texts(&json, &mut String::new(), &mut texts);
    let try_with = |nth: usize, value: String| {
        let mut json = json.clone();
        if let (SecretField::Json(pointer), _) = &texts[nth]
            && let Some(text) = json.pointer_mut(pointer)
        {
            *text = value.into();
        }
        drop(read(json.to_string().as_bytes()));
    };
    find(&texts, &values, &try_with)?;
    answer
}

/// All texts in JSON, by their pointers (RFC 6901).
fn collect_texts(json: &serde_json::Value, pointer: &mut String, texts: &mut Vec<(SecretField, String)>) {
    use serde_json::Value;
    let length = pointer.len();
    match json {
        Value::String(text) => texts.push((SecretField::Json(pointer.clone()), text.clone())),
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{nth}"));
                collect_texts(item, pointer, texts);
                pointer.truncate(length);
            }
        }
        Value::Object(items) => {
            for (name, item) in items {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                collect_texts(item, pointer, texts);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// Notes the fields that these values were read of. `try_with` reads once more, with another value in one field.
fn find(
    fields: &[(SecretField, String)],
    values: &[String],
    try_with: &dyn Fn(usize, String),
) -> Result<(), Error> {
    let goes_there = |nth: &usize| {
        try_with(*nth, [MARK, &fields[*nth].1, MARK].concat());
        READ.take().iter().any(|read| !values.contains(read))
    };
    for (nth, value) in values.iter().enumerate() {
        if values[..nth].contains(value) {
            continue;
        }
        let mut of: Vec<usize> = (0..fields.len()).filter(|nth| fields[*nth].1 == *value).collect();
        if of.is_empty() {
            // It was changed on its way into the secret.
            of = (0..fields.len()).collect();
        }
        if of.len() > 1 {
            of.retain(goes_there);
        }
        if of.is_empty() {
            return Err(Error::new(
                "a secret was read, and of which field cannot be told: read it as it was sent",
            ));
        }
        of.iter().for_each(|nth| note(fields[*nth].0.clone(), value));
    }
    Ok(())
}

/// A hit with these parameters and no others, as far as what reads them can see.
fn form_of(pairs: &[(String, String)], hit: &Hit) -> Box<Hit> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let (mut parts, body) = HttpRequest::new(Bytes::from(body)).into_parts();
    parts.method = Method::POST;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    let mut form = Hit::new(parts, body, Via::default(), Back::nowhere());
    form.cut = hit.cut.clone();
    form
}

impl Request {
    /// Whether the server was told that parameters of this name are secrets.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        let journal = self.session.core.journal.as_ref();
        journal.is_some_and(|journal| journal.secrets.iter().any(|secret| secret == name))
    }

    /// Reads something of the hit in hand, and notes which fields were read as secrets: they will not be written.
    pub(super) fn keeping_secrets<T>(&self, read: impl FnOnce(&Hit) -> Result<T, Error>) -> Result<T, Error> {
        // A form that was not taken may have left some of another hit.
        collected();
        let answer = self.hit(read);
        let secrets = collected();
        if !secrets.is_empty() {
            self.keep_secrets(secrets)?;
        }
        answer
    }

    fn keep_secrets(&self, read: Vec<SecretField>) -> Result<(), Error> {
        let late = self.session.tape(|tape| {
            let late = tape.is_sealed();
            tape.secrets.extend(read);
            late
        });
        if late == Some(true) {
            return Err(Error::new(
                "a secret is read before the first effect of its step: here the hit has been written already",
            ));
        }
        Ok(())
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::super::params;
    use super::*;

    fn form(body: &'static str) -> Box<Hit> {
        let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        form_of(
            &pairs,
            &Hit::new(HttpRequest::new(()).into_parts().0, Bytes::new(), Via::default(), Back::nowhere()),
        )
    }

    /// The names of the fields that are secrets.
    fn found<T: serde::de::DeserializeOwned>(body: &'static str) -> Vec<String> {
        collected();
        drop(in_form(&form(body), params::decode::<T>).map_err(|error| panic!("{error}")));
        names(collected())
    }

    fn names(fields: Vec<SecretField>) -> Vec<String> {
        let name = |field| match field {
            SecretField::Param(name) | SecretField::Json(name) => name,
        };
        fields.into_iter().map(name).collect()
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "what is in it does not matter")]
    struct Login {
        name: String,
        password: Secret<String>,
        again: Option<Secret<String>>,
    }

    #[test]
    fn the_field_that_was_read_as_a_secret_is_known_whatever_others_hold() {
        assert_eq!(found::<Login>("name=ada&password=tea"), ["password"]);
        assert_eq!(found::<Login>("name=tea&password=tea"), ["password"]);
        assert_eq!(found::<Login>("password=tea&more=tea&name=tea"), ["password"]);
        assert_eq!(found::<Login>("name=tea&again=tea&password=tea"), ["again", "password"]);
        assert_eq!(found::<Login>("name=ada&password=").len(), 0, "nothing is no secret");
        assert_eq!(found::<Login>("name=ada&password=%00secret").len(), 0, "it was lost already");
    }

    #[test]
    fn a_field_is_found_where_serde_holds_values_back() {
        #[derive(Deserialize)]
        #[serde(untagged)]
        #[expect(dead_code, reason = "what is in it does not matter")]
        enum Pays {
            ByCard { card: Secret<String> },
            ByBill { address: String },
        }
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "what is in it does not matter")]
        struct Order {
            name: String,
            #[serde(flatten)]
            pays: Pays,
        }
        assert_eq!(found::<Order>("name=4111&card=4111"), ["card"]);
        assert_eq!(found::<Order>("name=4111&address=4111").len(), 0);
    }

    #[test]
    fn a_secret_that_is_changed_on_its_way_is_found() {
        fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
            let text = String::deserialize(deserializer)?;
            let text: serde::de::value::StrDeserializer<'_, D::Error> =
                serde::de::IntoDeserializer::into_deserializer(text.trim());
            Secret::deserialize(text)
        }
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "what is in it does not matter")]
        struct Trims {
            name: String,
            #[serde(deserialize_with = "trimmed")]
            password: Secret<String>,
        }
        assert_eq!(found::<Trims>("name=ada&password=+tea+"), ["password"]);
    }

    #[test]
    fn a_text_in_json_is_known_by_where_it_is() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "what is in it does not matter")]
        struct Order {
            note: String,
            cards: Vec<Card>,
        }
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "what is in it does not matter")]
        struct Card {
            #[serde(rename = "no/~")]
            number: Secret<String>,
            holder: String,
        }
        fn read(body: &[u8]) -> Result<Order, Error> {
            serde_json::from_slice(body).map_err(|error| Error::caused("read", error))
        }
        let body = br#"{"note": "1", "cards": [{"no/~": "2", "holder": "1"}, {"no/~": "1", "holder": "2"}]}"#;
        collected();
        in_json(body, read).expect("it is read");
        assert_eq!(names(collected()), ["/cards/0/no~1~0", "/cards/1/no~1~0"]);
    }
}
