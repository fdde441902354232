//! Parameters: one, several of a name, all, or a whole form as your type.

use std::borrow::Cow;
use std::num::{IntErrorKind, ParseIntError};

use serde::de::DeserializeOwned;

use super::{Request, decode};
use crate::error::Error;
use crate::hit::Hit;
use crate::wrong::Wrong;

impl Request {
    /// The parameter of this name as `T`: a number, `bool`, `char` or `String`; `Option<T>` if it may be missing or
    /// empty, `Vec<T>` for all of that name. Of several, the last one counts; of body and query, the body.
    ///
    /// Blanks around a number do not matter. `true` and `on`, which browsers send for a ticked box, are `true`.
    ///
    /// The error names the field; passed on with `?` it is a 400 page.
    pub fn param<T: FromParam>(&self, name: &str) -> Result<T, Error> {
        if !T::IS_SECRET && self.is_secret(name) {
            return Err(Error::new(format!(
                "`{name}` is a secret, by `Server::secrets`: read it as `Secret<…>`"
            )));
        }
        let read = self.hit(|hit| read(hit, name));
        self.keep_secrets()?;
        read
    }

    /// All parameters in order: those of the body, then those of the query.
    pub fn params(&self) -> Vec<(String, String)> {
        self.hit(|hit| visible(hit.params(), hit).collect())
    }

    /// All parameters as your type: a struct with a field for each. Fields are read as [`param`](Self::param) reads them;
    /// an enum is one of the names of its variants.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// #[derive(Deserialize)]
    /// struct Search { words: String, most: Option<u8>, in_stock: bool, tags: Vec<String>, #[serde(flatten)] page: Page }
    /// #[derive(Deserialize)]
    /// struct Page { page: u32 }
    ///
    /// async fn search(mut req: Request) -> Result<()> {
    ///     let search: Search = req.decode()?;
    ///     req.print(html! { (search.words) " on page " (search.page.page) ", tagged " (search.tags.join("+")) });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// # let mut browser = Browser::new(search);
    /// # browser.get("/?words=tea&most=&in_stock=false&in_stock=true&tags=a&tags=b&page=+2").await.shows("tea on page 2, tagged a+b");
    /// # } }
    /// ```
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let read = self.hit(decode::hit);
        self.keep_secrets()?;
        read
    }
}

/// Those parameters that are the program's: not the token, not the visitor's id.
pub(super) fn visible<'h>(
    params: impl Iterator<Item = (Cow<'h, str>, Cow<'h, str>)>,
    hit: &Hit,
) -> impl Iterator<Item = (String, String)> {
    params
        .filter(|(name, value)| hit.shows(name, value))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn read<T: FromParam>(hit: &Hit, name: &str) -> Result<T, Error> {
    let shown = |value: &Cow<'_, str>| hit.shows(name, value);
    if T::TAKES_ONE {
        let value = hit.param(name).filter(shown).map(Cow::into_owned);
        return T::from_values(name, value.as_slice());
    }
    let all =
        hit.params().filter(|(key, value)| key == name && shown(value)).map(|(_, value)| value.into_owned());
    T::from_values(name, &all.collect::<Vec<_>>())
}

/// What [`Request::param`] can read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from one parameter",
    note = "use a number, `bool`, `char`, `String`, an `Option` or a `Vec` of them, or `req.decode()` for a struct"
)]
pub trait FromParam: Sized {
    #[doc(hidden)]
    const IS_SECRET: bool = false;

    /// It is made of one value: of several it is given the one that counts.
    #[doc(hidden)]
    const TAKES_ONE: bool = false;

    /// Reads the values of the parameter `name`, in order.
    fn from_values(name: &str, values: &[String]) -> Result<Self, Error>;
}

/// What one value can be read as.
pub trait FromValue: Sized {
    /// Reads the value of a parameter; a blank one says nothing unless text is asked for.
    #[doc(hidden)]
    fn from_value(value: &str) -> Result<Self, Wrong>;
}

/// Whether a value says nothing: what browsers send for a field that was left empty.
pub(super) fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

macro_rules! from_value {
    ($($type:ty)+ => |$text:ident| $read:expr) => {$(
        impl FromValue for $type {
            fn from_value(value: &str) -> Result<Self, Wrong> {
                let $text = value.trim();
                if $text.is_empty() { Err(Wrong::Missing) } else { $read }
            }
        }

        impl FromParam for $type {
            const TAKES_ONE: bool = true;

            fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
                only(name, values)
            }
        }
    )+};
}

from_value!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize => |text| {
    text.parse().map_err(|error| not_whole(&error, text, Self::MIN, Self::MAX))
});
from_value!(f32 f64 => |text| match text.parse::<Self>() {
    Ok(number) if number.is_finite() => Ok(number),
    // More than it holds, and not the word for that.
    Ok(number) if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => Err(Wrong::Large(None)),
    _ => Err(Wrong::Number),
});
from_value!(bool => |text| match text {
    "true" | "on" => Ok(true),
    "false" => Ok(false),
    _ => Err(Wrong::Truth),
});
from_value!(char => |text| text.parse().map_err(|_| Wrong::Character));

fn not_whole<N: ToString>(error: &ParseIntError, text: &str, least: N, greatest: N) -> Wrong {
    let is_negative =
        text.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    match error.kind() {
        IntErrorKind::PosOverflow => Wrong::Large(Some(greatest.to_string())),
        IntErrorKind::NegOverflow => Wrong::Small(least.to_string()),
        // What has no sign takes none.
        IntErrorKind::InvalidDigit if is_negative && text.len() > 1 => Wrong::Small(least.to_string()),
        _ => Wrong::Whole,
    }
}

impl FromValue for String {
    fn from_value(value: &str) -> Result<Self, Wrong> {
        Ok(value.to_owned())
    }
}

impl FromParam for String {
    const TAKES_ONE: bool = true;

    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        only(name, values)
    }
}

impl<T: FromValue> FromParam for Option<T> {
    const TAKES_ONE: bool = true;

    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        match values.last() {
            Some(value) if !is_blank(value) => one(name, value).map(Some),
            _ => Ok(None),
        }
    }
}

impl<T: FromValue> FromParam for Vec<T> {
    fn from_values(name: &str, values: &[String]) -> Result<Self, Error> {
        values.iter().map(|value| one(name, value)).collect()
    }
}

fn only<T: FromValue>(name: &str, values: &[String]) -> Result<T, Error> {
    one(name, values.last().ok_or_else(|| Error::bad_input(name, Wrong::Missing))?)
}

fn one<T: FromValue>(name: &str, value: &str) -> Result<T, Error> {
    T::from_value(value).map_err(|wrong| match wrong {
        Wrong::Missing => Error::bad_input(name, wrong),
        _ => Error::bad_value(name, wrong, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromParam>(values: &[&str]) -> Result<T, String> {
        let values: Vec<_> = values.iter().map(|&value| value.to_owned()).collect();
        T::from_values("num", &values).map_err(|error| error.to_string())
    }

    fn wrong<T: FromParam + std::fmt::Debug>(value: &str) -> String {
        let error = read::<T>(&[value]).expect_err("it is wrong");
        error.strip_prefix("parameter `num` ").expect("it names the field").to_owned()
    }

    #[test]
    fn parameters_are_read_as_their_type() {
        assert_eq!(read::<i64>(&[" 42 "]), Ok(42));
        assert_eq!(read::<String>(&[""]), Ok(String::new()));
        assert_eq!(read::<String>(&[" a "]), Ok(" a ".into()));
        assert_eq!(read::<Vec<u8>>(&["1", " 2"]), Ok(vec![1, 2]));
        assert_eq!(read::<bool>(&["true"]), Ok(true));
        assert_eq!(read::<bool>(&["on"]), Ok(true), "what a box without a value sends");
        assert_eq!(read::<f64>(&[" -1.5e3\t"]), Ok(-1500.0));
    }

    #[test]
    fn what_says_nothing_is_none_for_every_option() {
        for nothing in [&[][..], &[""], &[" "], &["5", ""]] {
            assert_eq!(read::<Option<i64>>(nothing), Ok(None));
            assert_eq!(read::<Option<f64>>(nothing), Ok(None));
            assert_eq!(read::<Option<bool>>(nothing), Ok(None));
            assert_eq!(read::<Option<char>>(nothing), Ok(None));
            assert_eq!(read::<Option<String>>(nothing), Ok(None));
        }
        assert_eq!(read::<Option<String>>(&[" a "]), Ok(Some(" a ".into())));
    }

    #[test]
    fn the_last_of_several_counts_where_one_is_wanted() {
        assert_eq!(read::<i64>(&["42", "7"]), Ok(7));
        assert_eq!(read::<bool>(&["false", "true"]), Ok(true));
        assert_eq!(read::<Option<String>>(&["a", "b"]), Ok(Some("b".into())));
        assert_eq!(read::<Vec<String>>(&["a", "b"]), Ok(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn an_error_names_the_field_and_what_was_expected() {
        assert_eq!(read::<i64>(&["abc"]), Err("parameter `num` is not a whole number: \"abc\"".into()));
        assert_eq!(read::<i64>(&[]), Err("parameter `num` is missing".into()));
        assert_eq!(wrong::<i64>(" "), "is missing");
        assert_eq!(wrong::<u8>("256"), "is too large: 255 or less: \"256\"");
        assert_eq!(wrong::<i8>("-129"), "is too small: -128 or more: \"-129\"");
        assert_eq!(wrong::<u8>("-1"), "is too small: 0 or more: \"-1\"");
        assert_eq!(wrong::<u8>("-"), "is not a whole number: \"-\"");
        assert_eq!(wrong::<u8>("1.5"), "is not a whole number: \"1.5\"");
        assert_eq!(wrong::<bool>("maybe"), "is not `true` or `false`: \"maybe\"");
        assert_eq!(wrong::<char>("ab"), "is not one character: \"ab\"");
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_like_letters() {
        for not_finite in ["NaN", "nan", "-NaN", "inf", "-inf", "+Infinity", "infinity"] {
            assert!(wrong::<f64>(not_finite).starts_with("is not a number"), "{not_finite}");
            assert!(wrong::<f32>(not_finite).starts_with("is not a number"), "{not_finite}");
        }
        assert!(wrong::<f64>("1e999").starts_with("is too large"));
        assert!(wrong::<f32>("-1e39").starts_with("is too large"));
    }
}
