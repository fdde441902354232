//! `check` on journals that are whole, and on one that is not.

use std::fs;
use std::path::Path;

use continuity::test::Browser;
use rusqlite::{Connection, Params};

use crate::{Folder, number, server, stop, tool, visited, word};

/// Bytes of one of SQLite's pages.
const PAGE: usize = 4096;

/// Changes the file as nobody should.
fn tamper(path: &Path, sql: &str, values: impl Params) {
    let conn = Connection::open(path).expect("the file opens");
    assert_eq!(conn.execute(sql, values).expect("the file is changed"), 1, "{sql}");
}

fn id(session: &str) -> i64 {
    u64::from_str_radix(session, 16).expect("a number").cast_signed()
}

#[tokio::test]
async fn a_whole_journal_is_said_to_be_whole_also_while_a_server_runs() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    let out = tool(["check", word(&journal)]).well();
    assert!(out.starts_with("3 sessions, ") && out.ends_with("all is as it was written\n"), "{out}");
    drop(browsers);
}

#[tokio::test]
async fn what_is_whole_of_a_damaged_journal_is_saved_and_visitors_go_on_from_there() {
    let folder = Folder::new();
    let (journal, saved) = (folder.journal(), folder.path("saved.journal"));
    let browsers = visited(&journal).await;
    let cookies = [&browsers.0, &browsers.1].map(|browser| browser.cookie("sid").expect("a cookie"));
    stop(browsers, &journal).await;
    let (counted, greeted) = (number(&journal, "/", "live"), number(&journal, "/greet", "ended"));
    let last = "UPDATE steps SET entries = x'00' WHERE id = (SELECT max(id) FROM steps WHERE session = ?1)";
    tamper(&journal, last, [id(&counted)]);
    let done = tool(["check", word(&journal)]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains(&format!("session {counted}: row ")), "{done:?}");
    assert!(done.out.contains("can be saved") && done.out.contains("not all is as it was"), "{done:?}");
    let shown = tool(["show", word(&journal), &counted]);
    assert_eq!((shown.code, shown.out.matches("waits: ").count()), (Some(1), 3), "{shown:?}");
    assert!(shown.out.contains("not all can be shown: "), "{shown:?}");
    assert_eq!(tool(["list", "--long", word(&journal)]).code, Some(1));
    assert_eq!(tool(["export", word(&journal), &counted]).code, Some(3));

    let save = ["check", word(&journal), "--save", word(&saved)];
    assert_eq!(tool(save).code, Some(1));
    assert!(tool(save).err.contains("nothing is overwritten"));
    let out = tool(["check", word(&saved)]).well();
    assert!(out.starts_with("3 sessions, "), "{out}");
    tool(["show", word(&saved), &greeted]).well();
    let mut ada = Browser::of(server(&saved));
    ada.set_cookie("sid", &cookies[0]).get("/").await.shows("Count: 2");
    ada.follow("++").await.shows("Count: 3");
    ada.other().set_cookie("sid", &cookies[1]).get("/").await.shows("Count: 1");
}

/// Where pages are overwritten, SQLite itself has lost its way.
#[tokio::test]
async fn whichever_page_is_lost_the_rest_is_saved() {
    let folder = Folder::new();
    let (journal, broken) = (folder.journal(), folder.path("broken.journal"));
    let browsers = visited(&journal).await;
    for _ in 0..40 {
        let mut visitor = browsers.0.other();
        visitor.get("/").await.follow("++").await.follow("++").await.shows("Count: 2");
    }
    stop(browsers, &journal).await;
    let whole = fs::read(&journal).expect("the journal");
    let mut saved_most = 0;
    for page in 1..whole.len() / PAGE {
        let mut bytes = whole.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0x5a);
        fs::write(&broken, bytes).expect("it is written");
        let key = |path: &Path| path.with_extension("journal.key");
        fs::copy(key(&journal), key(&broken)).expect("the secret is copied");
        let saved = folder.path(&format!("saved-{page}.journal"));
        let done = tool(["check", word(&broken), "--save", word(&saved)]);
        if done.code == Some(3) {
            assert!(done.err.contains("cannot be read as a journal: restore it from a backup"), "{done:?}");
            continue;
        }
        assert_eq!(done.code, Some(1), "page {page}: {done:?}");
        tool(["check", word(&saved)]).well();
        saved_most += usize::from(tool(["list", word(&saved)]).well().lines().count() > 20);
    }
    assert!(saved_most > 3, "most pages are of a few sessions only");
}

#[tokio::test]
async fn a_session_whose_row_is_damaged_is_put_aside() {
    let folder = Folder::new();
    let (journal, saved) = (folder.journal(), folder.path("saved.journal"));
    let browsers = visited(&journal).await;
    stop(browsers, &journal).await;
    let counted = number(&journal, "/", "live");
    tamper(&journal, "UPDATE sessions SET label = label + 1 WHERE id = ?1", [id(&counted)]);
    assert_eq!(tool(["check", word(&journal), "--save", word(&saved)]).code, Some(1));
    let done = tool(["list", word(&journal)]);
    assert!(done.code == Some(3) && done.err.contains("journal check"), "{done:?}");
    assert_eq!(number(&saved, "/", "quarantined"), counted);
    let shown = tool(["show", word(&saved), &counted]).well();
    assert_eq!(shown.matches("waits: ").count(), 4, "{shown}");
}
