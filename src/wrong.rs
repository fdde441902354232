//! What can be wrong with what a visitor sent, in the visitor's words.
//!
//! All such texts stand here, so that they can be replaced and translated together. None of them comes from serde or
//! from Rust's own parsers: what those say goes to the log.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a parameter, a field of a form or a value in JSON. `Display` goes on after its name: "is missing".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing came, or nothing but blanks where something is needed.
    Missing,
    Whole,
    Number,
    /// The least number that its type holds.
    Small(String),
    /// The greatest one; `None` where nobody can say it.
    Large(Option<String>),
    Truth,
    Character,
    Text,
    /// It is none of the names that an enum has.
    Choice,
    /// It has a value where several are needed, a list where there is one, or the like.
    Kind,
    /// Nobody asked for it.
    Unknown,
    /// A file's name came, without the file.
    File,
    /// The file that had been chosen is not here any more.
    Gone,
    /// There are as many files as a form may send.
    Full,
    Json,
    /// Its own type refuses it, and says why to the log.
    Unfit,
}

impl Wrong {
    /// What a value that serde met says of one where it expected this.
    pub(crate) fn expecting(expected: &str) -> Wrong {
        match Wanted::of(expected) {
            Wanted::Whole => Wrong::Whole,
            Wanted::Number => Wrong::Number,
            Wanted::Truth => Wrong::Truth,
            Wanted::Character => Wrong::Character,
            Wanted::Text => Wrong::Text,
            Wanted::List | Wanted::Fields => Wrong::Kind,
            Wanted::Other => Wrong::Unfit,
        }
    }

    /// What a whole number is where this was expected.
    pub(crate) fn beyond(number: i128, expected: &str) -> Wrong {
        match range(expected) {
            Some((least, _)) if number < least => Wrong::Small(least.to_string()),
            Some((_, greatest)) if number > greatest => Wrong::Large(Some(greatest.to_string())),
            _ => Wrong::expecting(expected),
        }
    }

    /// What a type of ours says of a secret: that much may be told.
    pub(crate) fn by_text(text: &str) -> Option<Wrong> {
        let known = [Wrong::Missing, Wrong::Whole, Wrong::Number, Wrong::Truth, Wrong::Character];
        known.into_iter().find(|wrong| wrong.text() == text)
    }

    fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Wrong::Missing => "is missing",
            Wrong::Whole => "is not a whole number",
            Wrong::Number => "is not a number",
            Wrong::Small(least) => return format!("is too small: {least} or more").into(),
            Wrong::Large(Some(greatest)) => return format!("is too large: {greatest} or less").into(),
            Wrong::Large(None) => "is too large",
            Wrong::Truth => "is not `true` or `false`",
            Wrong::Character => "is not one character",
            Wrong::Text => "is not a text",
            Wrong::Choice => "is not one of the choices",
            Wrong::Kind => "is of the wrong kind",
            Wrong::Unknown => "is not asked for",
            Wrong::File => "is no file",
            Wrong::Gone => "is not here any more: choose the file again",
            Wrong::Full => "takes no more files",
            Wrong::Json => "is not JSON",
            Wrong::Unfit => "is not what is needed here",
        })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// What an integer of this type holds.
fn range(of: &str) -> Option<(i128, i128)> {
    macro_rules! ranges {
        ($($type:ident)+) => {
            match of {
                $(stringify!($type) => Some(($type::MIN as i128, $type::MAX as i128)),)+
                _ => None,
            }
        };
    }
    ranges!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize)
}

/// What serde expected, by the words in which it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Whole,
    Number,
    Truth,
    Character,
    Text,
    List,
    /// A struct or a map: what has names inside.
    Fields,
    Other,
}

impl Wanted {
    pub(crate) fn of(expected: &str) -> Wanted {
        // "u8", and "a nonzero u8".
        match expected.rsplit(' ').next().unwrap_or_default() {
            "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128"
            | "usize" => {
                return Wanted::Whole;
            }
            "f32" | "f64" => return Wanted::Number,
            _ => {}
        }
        match expected {
            "a boolean" => Wanted::Truth,
            "a character" => Wanted::Character,
            "a string" => Wanted::Text,
            "a sequence" | "an array" | "a set" => Wanted::List,
            "a map" => Wanted::Fields,
            _ if expected.starts_with("struct ") => Wanted::Fields,
            _ if expected.starts_with("tuple ") || expected.starts_with("a tuple ") => Wanted::List,
            _ if expected.starts_with("an array of ") => Wanted::List,
            _ => Wanted::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    /// What serde expects of this type, asked of serde itself.
    fn wanted<T: DeserializeOwned>() -> Wanted {
        // A value of a kind that none of the types takes.
        let error = serde_json::from_str::<T>("{}").err().or_else(|| serde_json::from_str::<T>("[]").err());
        let text = error.expect("neither fits").to_string();
        let expected = text.split("expected ").nth(1).expect("it says what it expected");
        Wanted::of(expected.split(" at line").next().unwrap_or_default())
    }

    #[test]
    fn what_a_type_does_not_hold_is_too_much_or_too_little() {
        assert_eq!(Wrong::beyond(300, "u8").to_string(), "is too large: 255 or less");
        assert_eq!(Wrong::beyond(-1, "u64").to_string(), "is too small: 0 or more");
        assert_eq!(Wrong::beyond(5, "a boolean"), Wrong::Truth);
    }

    #[test]
    fn what_serde_expects_is_known_by_its_words() {
        assert_eq!(wanted::<u8>(), Wanted::Whole);
        assert_eq!(wanted::<i64>(), Wanted::Whole);
        assert_eq!(wanted::<usize>(), Wanted::Whole);
        assert_eq!(wanted::<std::num::NonZeroU16>(), Wanted::Whole);
        assert_eq!(wanted::<f32>(), Wanted::Number);
        assert_eq!(wanted::<f64>(), Wanted::Number);
        assert_eq!(wanted::<bool>(), Wanted::Truth);
        assert_eq!(wanted::<char>(), Wanted::Character);
        assert_eq!(wanted::<Vec<u8>>(), Wanted::List);
        assert_eq!(wanted::<std::collections::HashSet<u8>>(), Wanted::List);
        assert_eq!(wanted::<[u8; 2]>(), Wanted::List);
        assert_eq!(wanted::<(u8, u8)>(), Wanted::List);
        assert_eq!(wanted::<std::collections::BTreeMap<String, u8>>(), Wanted::Fields);
        assert_eq!(wanted::<String>(), Wanted::Text);
        assert_eq!(wanted::<std::net::IpAddr>(), Wanted::Other);
    }
}
