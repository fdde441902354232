//! What documents name is there: tests, files, requirements.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::only_these;
use crate::tidy::{ROOT, sources};

/// Documents whose names of tests and files are checked.
const DOCUMENTS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs", "docs/decisions"];

/// What documents name and is not there, as `document: name`. None shall be left.
const MISSING: [&str; 0] = [];

/// Requirements that tests are named after and no row of `docs/security.md` has. None shall be left.
const ROWLESS: [&str; 0] = [];

#[test]
fn names_in_documents_exist() {
    let functions = functions();
    let mut found = Vec::new();
    for (document, text) in documents() {
        for name in quoted(&text) {
            let is_there = match kind(name) {
                Kind::Test => functions.contains(name),
                Kind::File => Path::new(ROOT).join(name).exists(),
                Kind::Other => true,
            };
            if !is_there {
                found.push(format!("{document}: {name}"));
            }
        }
    }
    only_these(found, &MISSING, "what a document names is there");
}

#[test]
fn every_requirement_that_a_test_is_named_after_has_its_row() {
    let security = fs::read_to_string(Path::new(ROOT).join("docs/security.md")).expect("the guide");
    let keys = functions().into_iter().filter_map(|name| requirement(&name)).collect::<HashSet<u32>>();
    assert!(keys.len() > 40, "this test finds requirements");
    let rowless = keys.into_iter().filter(|key| !security.contains(&format!("\n| R{key} |")));
    only_these(rowless.map(|key| format!("R{key}")).collect(), &ROWLESS, "a requirement has its row");
}

#[test]
fn each_requirement_stands_in_the_table_once() {
    let security = fs::read_to_string(Path::new(ROOT).join("docs/security.md")).expect("the guide");
    let rows =
        security.lines().filter_map(|line| line.strip_prefix("| R")?.split(' ').next()?.parse::<u32>().ok());
    let mut seen = HashSet::new();
    let twice = rows.filter(|row| !seen.insert(*row)).map(|row| format!("R{row}"));
    only_these(twice.collect(), &[], "a requirement is one row");
}

#[test]
fn names_are_told_apart() {
    assert!(matches!(kind("r08_idle_and_lifetime_are_the_servers"), Kind::Test));
    assert!(matches!(kind("hits_race_the_end"), Kind::Test));
    assert!(matches!(kind("src/session/queue.rs"), Kind::File));
    assert!(matches!(kind("examples/gallery"), Kind::File));
    for other in ["rotate_id", "Limits::queue", "kept_page", "cargo xtask test", "_t", "src"] {
        assert!(matches!(kind(other), Kind::Other), "{other}");
    }
    assert_eq!(requirement("r08_idle"), Some(8));
    assert_eq!(requirement("rotate"), None);
}

enum Kind {
    /// The name of a test: a sentence.
    Test,
    /// A path from the root.
    File,
    Other,
}

fn kind(name: &str) -> Kind {
    const FOLDERS: [&str; 8] = ["src/", "tests/", "examples/", "docs/", "bench/", "cli/", "xtask/", "fuzz/"];
    // Not a directive of a web server.
    let is_foreign = name == "client_max_body_size";
    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_word && !is_foreign && name.matches('_').count() >= 3 && !name.starts_with('_') {
        Kind::Test
    } else if FOLDERS.iter().any(|folder| name.starts_with(folder))
        && !name.contains([' ', '*', '$', '{', '<', '?'])
    {
        Kind::File
    } else {
        Kind::Other
    }
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn documents() -> Vec<(String, String)> {
    let mut documents = Vec::new();
    for name in DOCUMENTS {
        let path = Path::new(ROOT).join(name);
        let files: Vec<_> = if path.is_dir() {
            fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
        } else {
            vec![path]
        };
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "md")) {
            let name = file.strip_prefix(ROOT).expect("below the root").display().to_string();
            documents.push((name, fs::read_to_string(&file).expect("UTF-8")));
        }
    }
    documents
}

/// The names of all functions.
fn functions() -> HashSet<String> {
    let name = |line: &str| {
        let (_, after) = line.split_once("fn ")?;
        Some(after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
    };
    let all = sources(&["src", "tests", "cli", "bench", "xtask", "examples"]);
    all.iter().flat_map(|source| source.text.lines().filter_map(name).collect::<Vec<_>>()).collect()
}

/// The number in `r08_…`.
fn requirement(name: &str) -> Option<u32> {
    let (number, _) = name.strip_prefix('r')?.split_once('_')?;
    (number.len() == 2).then(|| number.parse().ok()).flatten()
}
