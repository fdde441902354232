//! Parameters: one, several of a name, all, or a whole form as your type.

use serde::de::DeserializeOwned;

use super::Request;
use crate::error::Error;
use crate::hit::Hit;

/// Characters of a wrong value that an error repeats.
const SHOWN: usize = 40;

impl Request {
    /// The parameter of this name as `T`: a number, `bool`, `char` or `String`; `Option<T>` if it may be missing or
    /// empty, `Vec<T>` for all of that name. Of several, the first; of body and query, the body.
    ///
    /// The error names the field; passed on with `?` it is a 400 page.
    pub fn param<T: FromParam>(&self, name: &str) -> Result<T, Error> {
        if !T::IS_SECRET && self.is_secret(name) {
            return Err(Error::new(format!(
                "`{name}` is a secret, by `Server::secrets`: read it as `Secret<…>`"
            )));
        }
        let read = self.hit(|hit| {
            let values: Vec<_> =
                visible(hit).filter(|(key, _)| key == name).map(|(_, value)| value).collect();
            T::from_values(name, &values)
        });
        self.keep_secrets()?;
        read
    }

    /// All parameters in order: those of the body, then those of the query.
    pub fn params(&self) -> Vec<(String, String)> {
        self.hit(|hit| visible(hit).collect())
    }

    /// All parameters as your type: a struct with a field for each.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let read = self.hit(decode);
        self.keep_secrets()?;
        read
    }
}

/// The parameters that are the program's: not the token, not the visitor's id.
fn visible(hit: &Hit) -> impl Iterator<Item = (String, String)> {
    hit.params()
        .filter(|(name, _)| hit.shows(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// All parameters of a hit as `T`; the error names the field.
pub(super) fn decode<T: DeserializeOwned>(hit: &Hit) -> Result<T, Error> {
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(visible(hit)).finish();
    let pairs = form_urlencoded::parse(encoded.as_bytes());
    serde_path_to_error::deserialize(serde_html_form::Deserializer::new(pairs)).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." => missing_field(&error.inner().to_string()).unwrap_or_default(),
            path => path,
        };
        let why = if missing_field(&error.inner().to_string()).is_some() {
            "is missing".to_owned()
        } else {
            format!("does not fit: {}", error.inner())
        };
        Error::bad_input(field, why)
    })
}

/// What is wrong, without the field's name: it stands at the field.
pub(super) fn why(error: &Error) -> String {
    let text = error.to_string();
    let named = format!("parameter `{}` ", error.field().unwrap_or_default());
    text.strip_prefix(&named).map_or(text.clone(), str::to_owned)
}

fn missing_field(message: &str) -> Option<String> {
    Some(message.strip_prefix("missing field `")?.strip_suffix('`')?.to_owned())
}

/// What [`Request::param`] can read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from one parameter",
    note = "use a number, `bool`, `char`, `String`, an `Option` or a `Vec` of them, or `req.decode()` for a struct",
    note = "if nothing says what it is, say it: `let number: i64 = req.param(\"number\")?;`"
)]
pub trait FromParam: Sized {
    #[doc(hidden)]
    const IS_SECRET: bool = false;

    /// Reads the values of the parameter `name`, in order.
    fn from_values(name: &str, values: &[String]) -> Result<Self, Error>;
}

/// What one value can be read as.
pub trait FromValue: Sized {
    #[doc(hidden)]
    const EXPECTED: &'static str;

    #[doc(hidden)]
    fn from_value(value: &str) -> Option<Self>;
}

macro_rules! from_value {
    ($expected:literal: $($type:ty)+) => {$(
        impl FromValue for $type {
            const EXPECTED: &'static str = $expected;

            fn from_value(value: &str) -> Option<Self> {
                value.trim().parse().ok()
            }
        }

        impl FromParam for $type {
            fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
                first(name, values)
            }
        }
    )+};
}

from_value!("a whole number": i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);
from_value!("a number": f32 f64);
from_value!("`true` or `false`": bool);
from_value!("one character": char);

impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &str) -> Option<Self> {
        Some(value.to_owned())
    }
}

impl FromParam for String {
    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        first(name, values)
    }
}

impl<T: FromValue> FromParam for Option<T> {
    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        match values.first() {
            None => Ok(None),
            // An empty input of a form says nothing, unless text was asked for.
            Some(value) if value.is_empty() => Ok(T::from_value(value)),
            Some(value) => one(name, value).map(Some),
        }
    }
}

impl<T: FromValue> FromParam for Vec<T> {
    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        values.iter().map(|value| one(name, value)).collect()
    }
}

fn first<T: FromValue>(name: &str, values: &[String]) -> Result<T, Error> {
    one(name, values.first().ok_or_else(|| Error::bad_input(name, "is missing"))?)
}

fn one<T: FromValue>(name: &str, value: &str) -> Result<T, Error> {
    T::from_value(value).ok_or_else(|| {
        let shown: String = value.chars().take(SHOWN).collect();
        Error::bad_input(name, format!("is not {}: {shown:?}", T::EXPECTED))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromParam>(values: &[&str]) -> Result<T, String> {
        let values: Vec<_> = values.iter().map(|&value| value.to_owned()).collect();
        T::from_values("num", &values).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_are_read_as_their_type() {
        assert_eq!(read::<i64>(&[" 42 ", "7"]), Ok(42));
        assert_eq!(read::<String>(&[""]), Ok(String::new()));
        assert_eq!(read::<Option<i64>>(&[]), Ok(None));
        assert_eq!(read::<Option<i64>>(&[""]), Ok(None));
        assert_eq!(read::<Option<String>>(&[""]), Ok(Some(String::new())));
        assert_eq!(read::<Vec<u8>>(&["1", "2"]), Ok(vec![1, 2]));
        assert_eq!(read::<bool>(&["true"]), Ok(true));
    }

    #[test]
    fn an_error_names_the_field_and_what_was_expected() {
        assert_eq!(read::<i64>(&["abc"]), Err("parameter `num` is not a whole number: \"abc\"".into()));
        assert_eq!(read::<i64>(&[]), Err("parameter `num` is missing".into()));
        let long = "x".repeat(1000);
        assert!(read::<f64>(&[&long]).expect_err("not a number").len() < 100);
    }
}
