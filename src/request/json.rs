//! A body as JSON.

use serde::de::DeserializeOwned;

use super::Request;
use crate::error::Error;
use crate::wrong::Wrong;

/// What stands in an error for the body as a whole.
const WHOLE: &str = "body";

impl Request {
    /// The body as JSON, whatever its type is said to be.
    ///
    /// The error names the field by its path (`items[2].price`); passed on with `?` it is a 400 page.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let read = decode(&self.body());
        self.keep_secrets()?;
        read
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let within = (path != ".").then_some(&*path);
        let inner = error.into_inner();
        if !inner.is_data() {
            return Error::unfit(WHOLE, Wrong::Json, inner);
        }
        let message = inner.to_string();
        match missing_field(&message) {
            Some(field) => {
                let path = within.map_or(field.to_owned(), |within| [within, ".", field].concat());
                Error::bad_input(path, Wrong::Missing)
            }
            None => Error::unfit(within.unwrap_or(WHOLE), wrong(&message), inner),
        }
    })?;
    json.end().map_err(|error| Error::unfit(WHOLE, Wrong::Json, error))?;
    Ok(value)
}

/// The field that a message of serde's says is missing, wherever in the body that was.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// What a message of serde's says, in the visitor's words.
fn wrong(message: &str) -> Wrong {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if message.starts_with("unknown variant ") {
        return Wrong::Choice;
    }
    if message.starts_with("unknown field ") {
        return Wrong::Unknown;
    }
    let Some((met, expected)) = message.rsplit_once(", expected ") else {
        return Wrong::by_text(message).unwrap_or(Wrong::Unfit);
    };
    let number = met.strip_prefix("invalid value: integer `").and_then(|rest| rest.strip_suffix('`'));
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => Wrong::beyond(number, expected),
        None if met == "invalid type: null" => Wrong::Missing,
        None => Wrong::expecting(expected),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        price: u32,
    }

    fn read(body: &str) -> Result<Order, String> {
        decode(body.as_bytes()).map_err(|error| {
            assert!(error.is_bad_input());
            error.to_string()
        })
    }

    #[test]
    fn json_is_read_or_the_field_is_named() {
        assert_eq!(read(r#" {"items": [{"price": 1}]} "#), Ok(Order { items: vec![Item { price: 1 }] }));
        let wrong = |body| read(body).expect_err("wrong");
        assert_eq!(
            wrong(r#"{"items": [{"price": 1}, {"price": "x"}]}"#),
            "parameter `items[1].price` is not a whole number"
        );
        assert_eq!(wrong("{}"), "parameter `items` is missing");
        assert_eq!(wrong(r#"{"items": [{}]}"#), "parameter `items[0].price` is missing");
        assert_eq!(wrong("5"), "parameter `body` is of the wrong kind");
        for body in ["", "{", "nonsense", r#"{"items": []} more"#, "\u{feff}{}"] {
            assert!(wrong(body).starts_with("parameter `body` is not JSON"), "{body:?}: {}", wrong(body));
        }
    }

    #[test]
    fn what_does_not_fit_is_said_in_the_visitors_words_and_the_parsers_words_are_the_cause() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only what is wrong is looked at")]
        struct All {
            small: Option<u8>,
            yes: Option<bool>,
            text: Option<String>,
            size: Option<Size>,
        }
        #[derive(Debug, Deserialize)]
        enum Size {
            Small,
        }
        let wrong = |body: &str| {
            let error = decode::<All>(body.as_bytes()).expect_err("wrong");
            assert!(std::error::Error::source(&error).is_some(), "the log has what serde says");
            error.to_string()
        };
        assert_eq!(wrong(r#"{"small": 300}"#), "parameter `small` is too large: 255 or less");
        assert_eq!(wrong(r#"{"small": -1}"#), "parameter `small` is too small: 0 or more");
        assert_eq!(wrong(r#"{"small": 1.5}"#), "parameter `small` is not a whole number");
        assert_eq!(wrong(r#"{"yes": "x, expected u8"}"#), "parameter `yes` is not `true` or `false`");
        assert_eq!(wrong(r#"{"text": 5}"#), "parameter `text` is not a text");
        assert_eq!(wrong(r#"{"size": "Large"}"#), "parameter `size` is not one of the choices");
        assert_eq!(wrong(r#"{"other": 1}"#), "parameter `other` is not asked for");
    }
}
