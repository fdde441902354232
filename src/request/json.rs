//! A body as JSON.

use serde::de::DeserializeOwned;

use super::{Request, secret};
use crate::error::Error;

/// What stands in an error for the body as a whole.
const WHOLE: &str = "body";

impl Request {
    /// The body as JSON, whatever its type is said to be.
    ///
    /// The error names the field by its path (`items[2].price`); passed on with `?` it is a 400 page.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body = self.body();
        self.keeping_secrets(|_| secret::in_json(&body, decode))
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let within = (path != ".").then_some(&*path);
        let inner = error.inner();
        if !inner.is_data() {
            return Error::bad_input(WHOLE, format!("is not JSON: {inner}"));
        }
        match missing_field(&inner.to_string()) {
            Some(field) => {
                let path = within.map_or(field.to_owned(), |within| [within, ".", field].concat());
                Error::bad_input(path, "is missing")
            }
            None => Error::bad_input(within.unwrap_or(WHOLE), format!("does not fit: {inner}")),
        }
    })?;
    json.end().map_err(|error| Error::bad_input(WHOLE, format!("is not JSON: {error}")))?;
    Ok(value)
}

/// The field that a message of serde's says is missing, wherever in the body that was.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
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
        assert!(
            wrong(r#"{"items": [{"price": 1}, {"price": "x"}]}"#)
                .starts_with("parameter `items[1].price` does not fit")
        );
        assert_eq!(wrong("{}"), "parameter `items` is missing");
        assert_eq!(wrong(r#"{"items": [{}]}"#), "parameter `items[0].price` is missing");
        assert!(wrong("5").starts_with("parameter `body` does not fit"));
        for body in ["", "{", "nonsense", r#"{"items": []} more"#, "\u{feff}{}"] {
            assert!(wrong(body).starts_with("parameter `body` is not JSON"), "{body:?}: {}", wrong(body));
        }
    }
}
