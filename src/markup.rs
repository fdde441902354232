//! Two places in a page where escaping is not enough: a URL somebody else gave you, and data inside a script.

use maud::Render;
use serde::Serialize;

/// Schemes a link may have.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// A URL that somebody else gave you, for an attribute: `javascript:` and its like become `about:invalid`.
///
/// ```
/// use continuity::{Href, prelude::*};
///
/// let page = html! { a href=(Href("javascript:alert(1)")) { "x" } a href=(Href("/ok?a=1&b=2")) { "y" } };
/// assert_eq!(page.into_string(), r#"<a href="about:invalid">x</a><a href="/ok?a=1&amp;b=2">y</a>"#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Href<'a>(pub &'a str);

impl Render for Href<'_> {
    fn render_to(&self, buffer: &mut String) {
        let url = if is_harmless(self.0) { self.0 } else { "about:invalid" };
        url.render_to(buffer);
    }
}

/// Whether a browser would take the URL for a relative one, or for one of a harmless scheme.
fn is_harmless(url: &str) -> bool {
    // Browsers drop white space and control characters before they look for the scheme.
    let seen: String = url.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let end = seen.find(['/', '?', '#']).unwrap_or(seen.len());
    match seen[..end].split_once(':') {
        None => true,
        Some((scheme, _)) => SCHEMES.iter().any(|harmless| scheme.eq_ignore_ascii_case(harmless)),
    }
}

/// Data for a script, as JSON that cannot end the script element.
///
/// ```
/// use continuity::{Json, prelude::*};
///
/// let page = html! { script { "let name = " (Json("</script>")) ";" } };
/// assert_eq!(page.into_string(), r#"<script>let name = "\u003c/script\u003e";</script>"#);
/// ```
///
/// # Panics
/// When drawn, if the value cannot be written as JSON (a map whose keys are not text).
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: Serialize> Render for Json<T> {
    fn render_to(&self, buffer: &mut String) {
        let json =
            serde_json::to_string(&self.0).unwrap_or_else(|error| panic!("data for a script: {error}"));
        for c in json.chars() {
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => buffer.push_str(&format!("\\u{:04x}", c as u32)),
                _ => buffer.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_schemes_stay() {
        for url in ["/a:b", "a?x=javascript:1", "https://a.test", "MAILTO:x@y.test", "#a:b", "", "./x"] {
            assert!(is_harmless(url), "{url}");
        }
        for url in ["javascript:x", " java\nscript:x", "\u{1}JaVaScRiPt:x", "data:text/html,x", "vbscript:x"]
        {
            assert!(!is_harmless(url), "{url}");
        }
    }
}
