//! A type's methods stand in its own room, and a type's name stands for one thing.

use super::{code, only_these, room};
use crate::tidy::Source;

/// Inherent impls in another room than their type's, as `file: type`. None shall be left.
const AWAY: [&str; 32] = [
    "src/adapter/tower.rs: Server",
    "src/files/mod.rs: Raw",
    "src/intake/mod.rs: Engine",
    "src/intake/multipart.rs: Core",
    "src/journal/last_page.rs: Core",
    "src/journal/last_page.rs: Session",
    "src/journal/lookups.rs: Core",
    "src/journal/parking.rs: Core",
    "src/journal/reading.rs: Core",
    "src/journal/rebuilding.rs: Core",
    "src/journal/rebuilding.rs: Session",
    "src/journal/recording.rs: Session",
    "src/journal/rehearsal.rs: Core",
    "src/journal/strict.rs: Core",
    "src/journal/strict.rs: Session",
    "src/journal/turning.rs: Core",
    "src/journal/turning.rs: Session",
    "src/journal/upgrading.rs: Core",
    "src/journal/upgrading.rs: Server",
    "src/journal/upgrading.rs: Session",
    "src/mapper/mod.rs: Core",
    "src/mapper/mod.rs: Full",
    "src/mapper/purpose.rs: Core",
    "src/mapper/reap.rs: Core",
    "src/mapper/returns.rs: Core",
    "src/mapper/rotate.rs: Core",
    "src/request/effect.rs: Session",
    "src/signals.rs: Bound",
    "src/signals.rs: Server",
    "src/test/document.rs: Document",
    "src/test/form.rs: Document",
    "src/test/form.rs: Kind",
];

/// Names that more than one type has.
const TWICE: [&str; 84] = [
    "Access",
    "Address",
    "Agreed",
    "Answer",
    "Answering",
    "Asked",
    "Asker",
    "At",
    "Before",
    "Body",
    "Bytes",
    "Choice",
    "Client",
    "Coming",
    "Content",
    "Cut",
    "Door",
    "End",
    "Ending",
    "Entry",
    "Fault",
    "Field",
    "Fields",
    "Folder",
    "Form",
    "Found",
    "Frames",
    "Front",
    "Given",
    "Head",
    "House",
    "Inside",
    "Kept",
    "Kind",
    "Layout",
    "Leads",
    "Life",
    "Line",
    "Link",
    "Memory",
    "Name",
    "Open",
    "Opened",
    "Outcome",
    "Page",
    "Part",
    "Parts",
    "Pen",
    "Phase",
    "Place",
    "Problem",
    "Queue",
    "Rare",
    "Raw",
    "Reader",
    "Reading",
    "Record",
    "Refusal",
    "Role",
    "Sealed",
    "Secret",
    "Seen",
    "Sending",
    "Sent",
    "Served",
    "Settings",
    "Site",
    "Slot",
    "Source",
    "Stage",
    "Standing",
    "State",
    "Step",
    "Store",
    "Stream",
    "Target",
    "Terms",
    "Verdict",
    "Walk",
    "Wanted",
    "Watched",
    "Way",
    "Wire",
    "Writer",
];

#[test]
fn inherent_impls_stand_in_their_room() {
    let code = code();
    let types = types(&code);
    let mut found = Vec::new();
    for source in &code {
        for name in source.lines().filter_map(|(_, line)| inherent_impl(line)) {
            let homes: Vec<&str> =
                types.iter().filter(|(of, _)| *of == name).map(|(_, path)| room(path)).collect();
            if !homes.is_empty() && !homes.contains(&room(&source.path)) {
                found.push(format!("{}: {name}", source.path));
            }
        }
    }
    only_these(found, &AWAY, "a type's methods stand in its room");
}

#[test]
fn type_names_stand_for_one_thing() {
    let code = code();
    let types = types(&code);
    assert!(types.len() > 100, "this test finds types");
    let twice = types.iter().filter(|(name, path)| types.iter().any(|(of, at)| of == name && at != path));
    only_these(twice.map(|(name, _)| name.clone()).collect(), &TWICE, "a type's name stands for one thing");
}

#[test]
fn impls_and_types_are_seen() {
    assert_eq!(inherent_impl("impl Session {").as_deref(), Some("Session"));
    assert_eq!(inherent_impl("impl<'h, T: Ord> Identity<'h, T> {").as_deref(), Some("Identity"));
    assert_eq!(inherent_impl("impl super::Journal {").as_deref(), Some("Journal"));
    assert_eq!(inherent_impl("impl<T> From<T> for Error {"), None);
    assert_eq!(type_defined("    pub(crate) struct Hit {").as_deref(), Some("Hit"));
    assert_eq!(type_defined("enum Fate<T> {").as_deref(), Some("Fate"));
    assert_eq!(type_defined("    type Output = ();"), None);
    assert_eq!(type_defined("    let structure = 1;"), None);
}

/// All types of the library with the files that define them, those of traits' implementations left out.
fn types(code: &[Source]) -> Vec<(String, String)> {
    let of = |source: &Source| {
        let names: Vec<String> = source.lines().filter_map(|(_, line)| type_defined(line)).collect();
        names.into_iter().map(|name| (name, source.path.clone())).collect::<Vec<_>>()
    };
    code.iter().flat_map(of).collect()
}

fn type_defined(line: &str) -> Option<String> {
    let code = line.trim_start();
    let code = match code.strip_prefix("pub") {
        Some(rest) => rest
            .trim_start_matches(|c: char| c == '(' || c == ')' || c.is_alphabetic() || c == ':')
            .trim_start(),
        None => code,
    };
    let rest = ["struct ", "enum ", "trait ", "union "].iter().find_map(|kind| code.strip_prefix(kind))?;
    Some(identifier(rest)).filter(|name| name.starts_with(char::is_uppercase))
}

/// The type of `impl Type {`: of no trait.
fn inherent_impl(line: &str) -> Option<String> {
    let rest = line.strip_prefix("impl")?;
    let rest = if rest.starts_with('<') { after_generics(rest)? } else { rest };
    let path = rest.strip_prefix(' ')?;
    if path.contains(" for ") || !path.ends_with('{') && !path.ends_with('>') && path.contains('!') {
        return None;
    }
    let name = path.split(['<', ' ']).next()?;
    let name = identifier(name.rsplit("::").next()?);
    name.starts_with(char::is_uppercase).then_some(name)
}

fn after_generics(rest: &str) -> Option<&str> {
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !rest[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return rest.get(at + 1..);
        }
    }
    None
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
