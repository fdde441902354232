//! `forget`, `prune` and `backup`.

use std::fs;

use continuity::journal::{Change, Chunk, Store};
use continuity::test::Browser;

use crate::{Folder, number, server, stop, tool, tool_told, visited, word};

fn sessions(journal: &std::path::Path) -> usize {
    tool(["list", word(journal)]).well().lines().count() - 1
}

#[tokio::test]
async fn while_a_server_runs_nothing_is_changed() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    let session = number(&journal, "/", "live");
    for words in [&["forget", "--yes", word(&journal), &session][..], &["prune", word(&journal)]] {
        let done = tool(words);
        assert_eq!(done.code, Some(3), "{done:?}");
        assert!(done.err.contains("sessions.journal cannot be changed: "), "{done:?}");
        assert!(done.err.contains("is open in another server: stop that one first"), "{done:?}");
    }
    assert_eq!(sessions(&journal), 3);
    drop(browsers);
}

#[tokio::test]
async fn a_session_is_forgotten_by_who_is_sure() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    stop(browsers, &journal).await;
    let session = number(&journal, "/", "live");
    for answer in ["", "n\n", "perhaps\n"] {
        let done = tool_told(answer, ["forget", word(&journal), &session]);
        assert!(done.code == Some(3) && done.err.contains("This cannot be undone. [y/N]"), "{done:?}");
        assert!(done.err.ends_with("error: nothing was forgotten\n"), "{done:?}");
    }
    assert_eq!(sessions(&journal), 3);
    assert!(tool_told("y\n", ["forget", word(&journal), &session]).well().contains("is forgotten"));
    assert_eq!(sessions(&journal), 2);
    let done = tool(["forget", "--yes", word(&journal), &session]);
    assert!(done.code == Some(3) && done.err.contains("there is no session"), "{done:?}");
}

#[tokio::test]
async fn what_is_over_is_pruned_and_what_lives_is_not() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    stop(browsers, &journal).await;
    assert!(tool(["prune", word(&journal)]).well() == "sessions forgotten: 0\n");
    assert!(tool(["prune", word(&journal), "--older-than", "0"]).well() == "sessions forgotten: 1\n");
    assert_eq!(sessions(&journal), 2);
    tool(["check", word(&journal)]).well();
}

#[tokio::test]
async fn a_backup_is_a_journal_that_visitors_go_on_with() {
    let folder = Folder::new();
    let (journal, copy) = (folder.journal(), folder.path("copy.journal"));
    let (mut ada, bob) = visited(&journal).await;
    let backup = ["backup", word(&journal), word(&copy)];
    assert!(tool(backup).well().contains("copied to "));
    assert!(tool(backup).err.contains("a backup overwrites nothing"));
    ada.get("/").await.follow("++").await.shows("Count: 4");
    let id = ada.cookie("sid").expect("the visitor has a cookie");
    drop((ada, bob));
    let mut again = Browser::of(server(&copy));
    again.set_cookie("sid", &id).get("/").await.shows("Count: 3");
}

#[tokio::test]
async fn of_what_is_forgotten_nothing_is_left_in_the_file() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    stop(browsers, &journal).await;
    let session = number(&journal, "/greet", "ended");
    let has = || fs::read(&journal).expect("the journal").windows(8).any(|bytes| bytes == b"name=Ada");
    assert!(has(), "what was filled in is in the journal");
    tool(["forget", "--yes", word(&journal), &session]).well();
    assert!(!has());
    assert!(!journal.with_extension("journal-wal").exists());
}

#[tokio::test]
async fn what_a_journal_takes_is_said_and_what_is_free_is_given_back() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    assert!(tool(["room", word(&journal)]).well().contains("2 sessions live"), "also while a server runs");
    let refused = tool(["compact", word(&journal)]);
    assert!(refused.code == Some(3) && refused.err.contains("is open in another server"), "{refused:?}");
    stop(browsers, &journal).await;
    let store = continuity::Sqlite::open(&journal).expect("it opens");
    let session = 1 << 32 | 99;
    let (visitor, flow, what) = ([9; 16], String::new(), String::new());
    store.write(&[Change::Begin { session, visitor, label: 1, flow }]).expect("a session begins");
    let large = Chunk { session, first: 0, count: 1, at: 0, what, entries: vec![0; 1 << 20] };
    store.write(&[Change::Append(large), Change::Forget { session }]).expect("it came and went");
    drop(store);
    let before = std::fs::metadata(&journal).expect("it is there").len();
    assert!(before > 1 << 20);
    let said = tool(["compact", word(&journal)]).well();
    let after = std::fs::metadata(&journal).expect("it is there").len();
    assert!(after < 1 << 20 && said.contains(&format!("has {after}")), "{said}");
    let room = tool(["room", word(&journal)]).well();
    assert!(room.contains(&format!("has {after} bytes")) && room.contains(" 0 are free"), "{room}");
    assert!(tool(["check", word(&journal)]).well().contains("all is as it was written"));
}
