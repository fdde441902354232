//! The rules of the house that a machine can keep.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Functions of the library that are longer than this many lines, tests left out: may fall, must not rise.
const RATCHET: [(usize, usize); 2] = [(30, 4), (70, 0)];

/// A source file: its path from the root, and what is in it.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The part before the unit tests, which stand at the end.
    fn code(&self) -> &str {
        self.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    /// Numbered lines of the code, without comments.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code().lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// All Rust files below these folders of the project.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| Path::new(ROOT).join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let path = path.strip_prefix(ROOT).expect("below the root").display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(!sources.is_empty());
    sources
}

/// The library itself.
pub(crate) fn library() -> Vec<Source> {
    sources(&["src"])
}

/// Fails with all that was found.
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// Lines of the library's code in which `is_wrong`.
fn wrong_lines(is_wrong: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in library() {
        let wrong = source.lines().filter(|(_, line)| is_wrong(&source, line));
        found.extend(wrong.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    found
}

#[test]
fn hyper_is_named_in_one_folder() {
    let names =
        |line: &str| line.contains("hyper::") || line.contains("hyper_util") || line.contains("use hyper");
    let found = wrong_lines(|source, line| !source.path.starts_with("src/adapter/http/") && names(line));
    none(found, "hyper is named in src/adapter/http only");
    let adapter = fs::read_to_string(Path::new(ROOT).join("src/adapter/http/mod.rs")).expect("the adapter");
    assert!(names(&adapter), "this test knows how hyper is named");
}

#[test]
fn every_file_begins_with_what_it_is() {
    let opens = |source: &Source| match source.path.as_str() {
        "src/lib.rs" => source.text.starts_with("#![doc = include_str!"),
        _ => {
            source.text.starts_with("//! ") && source.text.lines().next().is_some_and(|line| line.len() > 10)
        }
    };
    let all = sources(&["src", "tests", "examples", "bench", "cli", "fuzz", "xtask"]);
    let found = all.iter().filter(|source| !opens(source)).map(|source| source.path.clone()).collect();
    none(found, "every file opens with `//!`: what, why, what it leaves out");
}

#[test]
fn nothing_is_unwrapped() {
    none(wrong_lines(|_, line| line.contains(".unwrap()")), "say why it cannot fail: `expect`");
}

#[test]
fn nothing_is_left_to_do() {
    let marks = ["todo!", "unimplemented!", "dbg!(", "FIXME", "XXX", "TODO"];
    let mut found = Vec::new();
    for source in library() {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(found, "what is left to do is an issue, not a mark");
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let lines = |source: &Source| source.text.lines().count();
    let long = library().into_iter().filter(|source| lines(source) > 500);
    none(
        long.map(|source| format!("{}: {}", source.path, lines(&source))).collect(),
        "ask for the second noun",
    );
}

#[test]
fn functions_do_not_grow() {
    let library = library().into_iter().filter(|source| !is_test(&source.path));
    let long: Vec<_> = library.flat_map(|source| functions(&source)).collect();
    assert!(long.len() > 300, "this test finds functions");
    for (lines, at_most) in RATCHET {
        let longer: Vec<_> = long.iter().filter(|(_, length)| *length > lines).collect();
        assert!(
            longer.len() <= at_most,
            "{} functions over {lines} lines, {at_most} before: {longer:?}",
            longer.len()
        );
    }
}

/// Name and lines of each function. rustfmt has laid them out: one ends with `}` at its own indent.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.code().lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        // A declaration without a body ends before the next line that is indented as it is.
        let body = lines[at..]
            .iter()
            .take_while(|line| !line.ends_with(';') || line.starts_with(&format!("{indent} ")));
        if let Some(length) = body.clone().position(|line| *line == end) {
            found.push((format!("{}: {name}", source.path), length + 1));
        } else if line.ends_with('}') {
            found.push((format!("{}: {name}", source.path), 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let (before, after) = code.split_once("fn ")?;
    let words = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || ["const", "async", "in", "super)", "crate)"].contains(&word));
    let name = after.split(['(', '<']).next()?;
    (words && !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

#[test]
fn the_map_of_the_house_is_the_house() {
    let map = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut drawn: Vec<_> = map.lines().filter_map(entry_of_the_map).collect();
    let mut there: Vec<_> = fs::read_dir(Path::new(ROOT).join("src"))
        .expect("src")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            if entry.path().is_dir() { format!("{name}/") } else { name }
        })
        .collect();
    drawn.sort();
    there.sort();
    assert_eq!(drawn, there, "the code map of ARCHITECTURE.md on the left, src/ on the right");
}

/// `name.rs` or `name/` of a line of the code map: a list item that begins with it.
fn entry_of_the_map(line: &str) -> Option<String> {
    let item = line.trim_start().strip_prefix("- ").or_else(|| line.trim_start().strip_prefix("| "))?;
    let name = item.trim_start_matches('*').strip_prefix('`')?.split('`').next()?;
    let name = name.strip_prefix("src/").unwrap_or(name);
    let is_entry = name.ends_with(".rs") && !name.contains('/')
        || name.strip_suffix('/').is_some_and(|folder| !folder.contains('/'));
    is_entry.then(|| name.to_owned())
}

/// Tests tell a story each, in one piece.
pub(crate) fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("tests.rs") || path.contains("src/test/store/")
}
