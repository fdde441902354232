//! The type of a file, by its name.

use std::path::Path;

use http::HeaderValue;

/// Types that are text and do not say so.
const TEXTS: [&str; 6] = [
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/xhtml+xml",
    "application/xml",
    "image/svg+xml",
];

/// With its charset where it is text: all text is UTF-8.
pub(crate) fn of(path: &Path) -> HeaderValue {
    let kind = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    let text = kind.starts_with("text/") || TEXTS.contains(&kind);
    if text && let Ok(with_charset) = HeaderValue::try_from(format!("{kind}; charset=utf-8")) {
        return with_charset;
    }
    HeaderValue::from_static(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_are() {
        for (name, kind) in [
            ("a.css", "text/css; charset=utf-8"),
            ("a.HTML", "text/html; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.json", "application/json; charset=utf-8"),
            ("a.svg", "image/svg+xml; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.wasm", "application/wasm"),
            ("a.woff2", "font/woff2"),
            ("a.webp", "image/webp"),
            ("a.pdf", "application/pdf"),
            ("a.css.gz", "application/gzip"),
            ("a.nobody-knows", "application/octet-stream"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(of(Path::new(name)), kind, "{name}");
        }
    }
}
