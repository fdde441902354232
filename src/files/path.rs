//! The path guard: what a URL's path names below a folder, or nothing. Pure; whether it is there is asked elsewhere.
//!
//! A path is split at `/` and each segment decoded once. A segment that could mean something else to any file system
//! than a plain name is refused, on every system: what is safe here stays safe on a mounted disk.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a path that we write.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Names that Windows takes for devices, whatever follows their first dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Devices with a digit behind the name.
const NUMBERED: [&str; 2] = ["com", "lpt"];

/// A path that is safe to look for below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    segments: Vec<String>,
    /// It ends with a slash: it can only be a folder.
    pub(super) folder: bool,
}

impl Name {
    /// The name that a URL's path stands for. Of names that begin with a dot only those that are `shown`.
    pub(super) fn of(path: &str, shown: &dyn Fn(&str) -> bool) -> Option<Name> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(Name { segments: Vec::new(), folder: true });
        }
        let (path, folder) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        let segments = path.split('/').map(|segment| decode(segment).filter(|name| is_safe(name, shown)));
        Some(Name { segments: segments.collect::<Option<_>>()?, folder })
    }

    /// The same name as a path below the folder: relative, of plain names only.
    pub(super) fn relative(&self) -> PathBuf {
        self.segments.iter().collect()
    }

    /// The same name as a folder's path in a URL: one slash in front, so that it stays on this host.
    pub(super) fn as_folder_url(&self) -> String {
        let segments = self.segments.iter().flat_map(|segment| ["/", segment]);
        let encoded = segments.map(|part| match part {
            "/" => part.to_owned(),
            segment => utf8_percent_encode(segment, ENCODED).to_string(),
        });
        encoded.chain(["/".to_owned()]).collect()
    }
}

/// Decoded once; `None` for what is no encoding, or no text.
fn decode(segment: &str) -> Option<String> {
    let mut signs = segment.split('%');
    signs.next();
    let whole = |sign: &str| sign.len() >= 2 && sign.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !signs.all(whole) {
        return None;
    }
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

/// Whether a decoded segment is a plain name on every system.
fn is_safe(name: &str, shown: &dyn Fn(&str) -> bool) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    if name.is_empty() || name.contains(odd) || matches!(name, "." | "..") {
        return false;
    }
    // Windows drops dots and spaces at the end.
    if name.ends_with(['.', ' ']) || is_device(name) || is_short(name) {
        return false;
    }
    !name.starts_with('.') || shown(name)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let numbered = NUMBERED.iter().any(|device| {
        let mut number = stem.strip_prefix(device).unwrap_or_default().chars();
        // The superscripts count as digits there.
        matches!(number.next(), Some('0'..='9' | '¹' | '²' | '³')) && number.next().is_none()
    });
    numbered || DEVICES.contains(&stem.as_str())
}

/// A name like `GIT~1`, by which Windows and its disks know a long one: it could be one that is hidden.
fn is_short(name: &str) -> bool {
    name.bytes().zip(name.bytes().skip(1)).any(|pair| pair.0 == b'~' && pair.1.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    fn name(path: &str) -> Option<Name> {
        Name::of(path, &|name| name == ".well-known")
    }

    #[test]
    fn plain_names_are_decoded_once() {
        for (path, relative, folder) in [
            ("/style.css", "style.css", false),
            ("/a/b%20c/%C3%A4.txt", "a/b c/ä.txt", false),
            ("/a/", "a", true),
            ("/", "", true),
            ("/%2561.txt", "%61.txt", false),
            ("/a..b/c...d", "a..b/c...d", false),
            ("/.well-known/security.txt", ".well-known/security.txt", false),
            ("/console.txt", "console.txt", false),
            ("/com10.txt", "com10.txt", false),
            ("/~user/a~b", "~user/a~b", false),
        ] {
            let found = name(path).unwrap_or_else(|| panic!("{path} is refused"));
            assert_eq!((found.relative().as_path(), found.folder), (Path::new(relative), folder), "{path}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for path in [
            "",
            "a",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/a/../b",
            "/%2e",
            "/%2e%2E/x",
            "/.%2e/x",
            "/..%2fx",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%00.css",
            "/%0a",
            "/a%0d%0ab",
            "/a%7f",
            "/%c2%85",
            "/%c0%ae%c0%ae/x",
            "/%c0%af",
            "/%ff",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%u002e",
            "/.env",
            "/%2eenv",
            "/a/.git/x",
            "/...",
            "/a.",
            "/a%20",
            "/a. .",
            "/c:",
            "/c:/x",
            "/c%3a/x",
            "/x.txt::$DATA",
            "/nul",
            "/NUL.txt",
            "/aux.css",
            "/com1",
            "/COM9.log",
            "/lpt\u{b9}.x",
            "/con .txt",
            "/conin$",
            "/git~1",
        ] {
            assert_eq!(name(path), None, "{path}");
        }
    }

    #[test]
    fn a_folders_url_stays_on_this_host() {
        let url = |path| name(path).expect("a name").as_folder_url();
        assert_eq!(url("/a/b%20c"), "/a/b%20c/");
        assert_eq!(url("/"), "/");
        assert_eq!(url("/%40evil.test"), "/%40evil.test/");
    }

    proptest! {
        #[test]
        fn whatever_the_path_a_name_is_below_the_folder(
            path in "(/|\\.|%2e|%2f|%5c|\\\\|%00|%25|%c0%af|%C3%A4|:|~1|nul|a|b|%|;|\\?){0,24}",
        ) {
            if let Some(found) = Name::of(&format!("/{path}"), &|_| true) {
                let relative = found.relative();
                prop_assert!(relative.components().all(|part| matches!(part, Component::Normal(_))), "{relative:?}");
                let url = found.as_folder_url();
                prop_assert!(url.starts_with('/') && !url.starts_with("//") && !url.contains('\\'), "{url}");
                prop_assert_eq!(Name::of(&url, &|_| true).map(|again| again.relative()), Some(relative));
            }
        }
    }
}
