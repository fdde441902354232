//! `export` and `import`, and the replay of what was exported.

use std::fs;

use crate::{Folder, counter, greet, number, stop, tool, visited, word};

#[tokio::test]
async fn what_is_exported_while_a_server_runs_is_replayed() {
    let folder = Folder::new();
    let (journal, file) = (folder.journal(), folder.path("bug.journal"));
    let browsers = visited(&journal).await;
    let session = number(&journal, "/", "live");
    let export = ["export", word(&journal), &session, "-o", word(&file)];
    assert!(tool(export).well().starts_with("sessions written to "));
    assert!(tool(export).err.contains("is there already, and nothing is overwritten"));
    let bytes = fs::read(&file).expect("it was written");
    let piped = tool(["export", word(&journal), &session]);
    assert_eq!((piped.code, piped.bytes == bytes), (Some(0), true));
    let mut again = continuity::test::replay(&bytes, counter).await;
    again.shows("Count: 3");
    again.follow("++").await.shows("Count: 4");
    drop(browsers);

    let listed = tool(["list", "--long", word(&file)]).well();
    assert!(listed.lines().nth(1).is_some_and(|line| line.starts_with(&session)), "{listed}");
    assert_eq!(tool(["show", word(&file), &session]).well().matches("waits: Choose").count(), 4);
}

#[tokio::test]
async fn a_session_that_has_ended_is_replayed_up_to_its_last_page() {
    let folder = Folder::new();
    let (journal, file) = (folder.journal(), folder.path("bug.journal"));
    let browsers = visited(&journal).await;
    let session = number(&journal, "/greet", "ended");
    tool(["export", word(&journal), &session, "-o", word(&file)]).well();
    let bytes = fs::read(&file).expect("it was written");
    let mut again = continuity::test::replay(&bytes, greet).await;
    again.shows("Your name");
    again.fill("name", "Bob").submit().await.shows("Hello, Bob");
    drop(browsers);
}

#[tokio::test]
async fn what_is_imported_belongs_to_nobody() {
    let folder = Folder::new();
    let (journal, file) = (folder.journal(), folder.path("two.journal"));
    let browsers = visited(&journal).await;
    let sessions = [number(&journal, "/", "live"), number(&journal, "/greet", "ended")];
    tool(["export", word(&journal), &sessions[0], &sessions[1], "-o", word(&file)]).well();
    let refused = tool(["import", word(&journal), word(&file)]);
    assert!(refused.code == Some(3) && refused.err.contains("open in another server"), "{refused:?}");
    stop(browsers, &journal).await;
    let out = tool(["import", word(&journal), word(&file)]).well();
    assert_eq!(out.lines().count(), 2);
    assert!(out.starts_with(&format!("session {} is session ", sessions[0])), "{out}");
    let imported = number(&journal, "/", "quarantined");
    let shown = tool(["show", word(&journal), &imported]).well();
    assert_eq!(shown.matches("waits: Choose").count(), 4, "{shown}");
    tool(["check", word(&journal)]).well();
    fs::write(&file, "continuity journal export 2\n").expect("it is written");
    let newer = tool(["import", word(&journal), word(&file)]);
    assert!(newer.code == Some(3) && newer.err.contains("a newer version of continuity"), "{newer:?}");
    assert!(newer.err.contains("two.journal"), "{newer:?}");
}
