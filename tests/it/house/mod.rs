//! How the house is built: which room uses which, where a type's methods stand, and that documents name what is there.
//!
//! Each rule has a list of what breaks it today. Such a list may only get shorter: a new entry fails, and so does one that
//! is not needed any more.

mod documents;
mod rooms;
mod types;

use crate::tidy::Source;

/// The library's room that a path below `src/` is in: its folder, or the file itself where it stands alone.
fn room(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

/// The library's code without its tests.
fn code() -> Vec<Source> {
    crate::tidy::library().into_iter().filter(|source| !crate::tidy::is_test(&source.path)).collect()
}

/// Fails where what was found is not what is listed.
fn only_these(mut found: Vec<String>, listed: &[&str], rule: &str) {
    found.sort();
    found.dedup();
    let mut unlisted: Vec<&str> =
        found.iter().map(String::as_str).filter(|found| !listed.contains(found)).collect();
    let gone: Vec<&&str> =
        listed.iter().filter(|listed| !found.iter().any(|found| found == *listed)).collect();
    unlisted.sort_unstable();
    assert!(unlisted.is_empty(), "{rule}; new is:\n{}", unlisted.join("\n"));
    assert!(gone.is_empty(), "{rule}; this is mended, take it off the list: {gone:#?}");
}
