//! Paths and ranges, whatever comes.

use std::path::{Component, Path};

use super::path::Name;
use super::range::Cut;

/// A URL's path: what it names is below the folder, plain on every system, and stays so when it is written again.
pub(crate) fn path(bytes: &[u8]) {
    let Ok(path) = str::from_utf8(bytes) else { return };
    let all = Name::of(path, &|_| true);
    let shown = Name::of(path, &|name| name == ".well-known");
    let Some(name) = all else { return assert_eq!(shown, None) };
    let relative = name.relative();
    assert!(relative.components().all(|part| matches!(part, Component::Normal(_))), "{relative:?}");
    let text = relative.to_str().expect("it was text");
    assert!(text.split('/').all(|segment| is_plain(segment) || text.is_empty()), "{text:?}");
    let segments = path.trim_matches('/').split('/').filter(|segment| !segment.is_empty());
    assert_eq!(relative.components().count(), segments.count(), "no slash comes out of a segment");
    if let Some(shown) = shown {
        let hidden = |segment: &str| segment.starts_with('.') && segment != ".well-known";
        assert!(!text.split('/').any(hidden), "{text:?} is hidden");
        assert_eq!(shown, name);
    }
    assert!(Path::new("/folder").join(&relative).starts_with("/folder"));
    let url = name.as_folder_url();
    assert!(url.starts_with('/') && !url.starts_with("//") && !url.contains(['\\', '?', '#', ':']), "{url}");
    assert_eq!(Name::of(&url, &|_| true).map(|again| again.relative()), Some(relative), "{url}");
}

fn is_plain(segment: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && !segment.contains(odd)
        && !segment.ends_with(' ')
}

/// What is sent was there, is not more than the file, and is what RFC 9110 14.1.2 says where one range is asked for.
pub(crate) fn range(bytes: &[u8]) {
    let Some((size, field)) = bytes.split_first() else { return };
    let Ok(field) = str::from_utf8(field) else { return };
    let length = match size {
        255 => u64::MAX,
        size => u64::from(*size),
    };
    let cut = Cut::of(field, length);
    if let Cut::Parts(parts) = &cut {
        assert!((1..=8).contains(&parts.len()), "{} parts", parts.len());
        assert!(
            parts.iter().all(|part| part.start < part.end && part.end <= length),
            "{parts:?} of {length}"
        );
        let sum: u128 = parts.iter().map(|part| u128::from(part.end - part.start)).sum();
        assert!(sum <= u128::from(length), "{sum} of {length} bytes");
    }
    assert!(length > 0 || cut == Cut::Whole, "of an empty file nothing can be cut");
    if !field.contains('=') {
        assert_eq!(cut, Cut::Whole);
    }
    let again = Cut::of(&field.replacen(',', ", ,\t", 1), length);
    assert_eq!(again, cut, "blanks and empty elements mean nothing");
}
