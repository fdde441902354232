//! Rooms use lower rooms only.

use super::{code, only_these, room};

/// The rooms from the ground up. One may use those in lines above its own; rooms in one line do not know each other.
const ORDER: [&[&str]; 14] = [
    &["accept", "error", "limits", "log", "markup", "sync"],
    &["body", "document", "page", "step"],
    &["reply"],
    &["hit"],
    &["journal"],
    &["session"],
    &["mapper"],
    &["compress", "files", "intake"],
    &["request"],
    &["flow"],
    &["engine"],
    &["adapter"],
    &["server", "signals"],
    &["fuzz", "test"],
];

/// Arrows that go up or aside, from a file to a room. None shall be left.
const BACK: [&str; 77] = [
    "src/adapter/fastcgi/fuzz.rs -> fuzz",
    "src/adapter/fastcgi/mod.rs -> server",
    "src/adapter/gopher/mod.rs -> server",
    "src/adapter/http/fuzz.rs -> fuzz",
    "src/adapter/http/mod.rs -> server",
    "src/adapter/mod.rs -> server",
    "src/adapter/tower.rs -> server",
    "src/body.rs -> files",
    "src/files/mod.rs -> engine",
    "src/hit/mod.rs -> intake",
    "src/hit/mod.rs -> mapper",
    "src/hit/mod.rs -> request",
    "src/hit/returning.rs -> mapper",
    "src/intake/mod.rs -> engine",
    "src/intake/multipart.rs -> engine",
    "src/intake/multipart.rs -> request",
    "src/intake/store.rs -> engine",
    "src/journal/export.rs -> mapper",
    "src/journal/hits.rs -> intake",
    "src/journal/hits.rs -> mapper",
    "src/journal/inside.rs -> session",
    "src/journal/last_page.rs -> engine",
    "src/journal/last_page.rs -> mapper",
    "src/journal/last_page.rs -> session",
    "src/journal/lookups.rs -> engine",
    "src/journal/mod.rs -> mapper",
    "src/journal/mod.rs -> session",
    "src/journal/parking.rs -> engine",
    "src/journal/parking.rs -> mapper",
    "src/journal/parking.rs -> session",
    "src/journal/reading.rs -> engine",
    "src/journal/reading.rs -> mapper",
    "src/journal/reading.rs -> session",
    "src/journal/rebuilding.rs -> engine",
    "src/journal/rebuilding.rs -> mapper",
    "src/journal/rebuilding.rs -> session",
    "src/journal/recording.rs -> engine",
    "src/journal/recording.rs -> mapper",
    "src/journal/recording.rs -> session",
    "src/journal/rehearsal.rs -> engine",
    "src/journal/rehearsal.rs -> mapper",
    "src/journal/rehearsal.rs -> session",
    "src/journal/store/memory.rs -> mapper",
    "src/journal/store/sqlite/beside.rs -> mapper",
    "src/journal/store/sqlite/schema.rs -> mapper",
    "src/journal/strict.rs -> engine",
    "src/journal/strict.rs -> mapper",
    "src/journal/strict.rs -> session",
    "src/journal/tape/mod.rs -> mapper",
    "src/journal/turning.rs -> engine",
    "src/journal/turning.rs -> mapper",
    "src/journal/turning.rs -> session",
    "src/journal/upgrading.rs -> engine",
    "src/journal/upgrading.rs -> mapper",
    "src/journal/upgrading.rs -> server",
    "src/journal/upgrading.rs -> session",
    "src/journal/writer.rs -> session",
    "src/mapper/mod.rs -> engine",
    "src/mapper/purpose.rs -> engine",
    "src/mapper/reap.rs -> engine",
    "src/mapper/returns.rs -> engine",
    "src/mapper/rotate.rs -> engine",
    "src/reply/answer.rs -> hit",
    "src/reply/answer.rs -> server",
    "src/reply/mod.rs -> compress",
    "src/reply/mod.rs -> mapper",
    "src/session/drive.rs -> request",
    "src/session/mod.rs -> engine",
    "src/session/mod.rs -> mapper",
    "src/session/table/mod.rs -> engine",
    "src/session/table/mod.rs -> mapper",
    "src/session/table/returning.rs -> engine",
    "src/session/table/returning.rs -> mapper",
    "src/session/watch.rs -> engine",
    "src/signals.rs -> server",
    "src/step.rs -> hit",
    "src/step.rs -> mapper",
];

#[test]
fn rooms_use_lower_rooms_only() {
    let mut found = Vec::new();
    let names = public_names();
    for source in code().iter().filter(|source| source.path != "src/lib.rs") {
        let from = room(&source.path);
        let height = height(from).unwrap_or_else(|| panic!("{from} has no place in the order of rooms"));
        for (_, line) in source.lines() {
            for to in rooms_in(line, &names) {
                if to != from && height_of(&to) >= height {
                    found.push(format!("{} -> {to}", source.path));
                }
            }
        }
    }
    only_these(found, &BACK, "a room uses those below it");
}

#[test]
fn an_arrow_is_seen_however_it_is_written() {
    let names = vec![("Limits".to_owned(), "limits".to_owned())];
    assert_eq!(rooms_in("use crate::hit::Hit;", &names), ["hit"]);
    assert_eq!(rooms_in("    let a: crate::reply::Ready = crate::step::HERE;", &names), ["reply", "step"]);
    assert_eq!(rooms_in("use crate::{Limits, session::Session};", &names), ["limits", "session"]);
    assert_eq!(rooms_in("pub(in crate::journal) fn x() {}", &names), ["journal"]);
    assert!(rooms_in("use super::queue;", &names).is_empty());
}

fn height(room: &str) -> Option<usize> {
    ORDER.iter().position(|rooms| rooms.contains(&room))
}

fn height_of(room: &str) -> usize {
    height(room).unwrap_or_else(|| panic!("{room} has no place in the order of rooms"))
}

/// The rooms that a line of code names.
fn rooms_in(line: &str, names: &[(String, String)]) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let paths = match rest.strip_prefix('{') {
            // Groups across rooms stand on one line: none has a group within a group.
            Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for path in paths {
            let first: String =
                path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let known = names.iter().find(|(name, _)| *name == first).map(|(_, room)| room.clone());
            let room = known.unwrap_or(first);
            if height(&room).is_some() {
                rooms.push(room);
            }
        }
    }
    rooms
}

/// What is public at the library's root, with the room that it comes from.
fn public_names() -> Vec<(String, String)> {
    let root =
        crate::tidy::library().into_iter().find(|source| source.path == "src/lib.rs").expect("the root");
    let text: String = root.lines().map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" ");
    let mut names = Vec::new();
    for item in text.split(';') {
        let Some((_, path)) = item.split_once("pub use ") else { continue };
        let room = path.split("::").next().unwrap_or_default();
        let last = path.rsplit("::").next().unwrap_or_default();
        let listed = path.split_once('{').map_or(last, |(_, group)| group.trim_end_matches('}'));
        names.extend(
            listed
                .split(',')
                .map(|name| (name.rsplit("::").next().unwrap_or(name).trim().to_owned(), room.to_owned())),
        );
    }
    assert!(names.iter().any(|(name, room)| name == "Limits" && room == "limits"), "the root is read");
    names
}
