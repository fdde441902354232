//! `list` and `show`, while a server runs and after it stopped.

use std::fs;

use crate::{Folder, number, stop, tool, visited, word};

#[tokio::test]
async fn sessions_are_listed_while_a_server_runs_and_after() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    let check = || {
        let out = tool(["list", word(&journal)]).well();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 4, "a head and a line for each session: {out}");
        assert!(lines[0].starts_with("session ") && lines[1].contains(" live "), "{out}");
        assert!(lines.iter().any(|line| line.contains(" ended ") && line.ends_with("/greet")), "{out}");
        let long = tool(["list", "--long", word(&journal)]).well();
        assert!(long.lines().nth(1).is_some_and(|line| line.contains("main.rs:")), "{long}");
        let json: serde_json::Value =
            serde_json::from_str(&tool(["list", "--long", "--json", word(&journal)]).well()).expect("JSON");
        assert_eq!(json.as_array().map(Vec::len), Some(3));
        assert!(json[0]["waits"].as_str().is_some_and(|place| place.contains("main.rs:")), "{json}");
        assert!(json[0]["entries"].as_u64() > Some(3) && json[0]["last_used"].is_string(), "{json}");
    };
    check();
    stop(browsers, &journal).await;
    check();
}

#[tokio::test]
async fn all_of_a_session_is_shown_a_line_each() {
    let folder = Folder::new();
    let journal = folder.journal();
    let browsers = visited(&journal).await;
    let id = browsers.0.cookie("sid").expect("the visitor has a cookie");
    let counted = tool(["show", word(&journal), &number(&journal, "/", "live")]).well();
    assert!(counted.starts_with("session ") && counted.contains(" of /, live: "), "{counted}");
    assert_eq!(counted.matches("waits: Choose i64 at ").count(), 4, "{counted}");
    assert!(counted.contains("    0  program ") && counted.contains(" → 1"), "{counted}");
    let greeted = tool(["show", word(&journal), &number(&journal, "/greet", "ended")]).well();
    assert!(greeted.contains("over: Returned") && greeted.contains("secret [\"pin\"]"), "{greeted}");
    for out in [&counted, &greeted] {
        assert!(!out.contains("4711") && !out.contains(&id[..32]) && !out.contains('\u{1b}'), "{out}");
        assert!(out.lines().skip(1).all(|line| line.starts_with("20") && line.contains("Z  ")), "{out}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_by_its_name() {
    let folder = Folder::new();
    let journal = folder.journal();
    for words in [["list", word(&journal)], ["check", word(&journal)], ["prune", word(&journal)]] {
        let done = tool(words);
        assert_eq!((done.code, &*done.out), (Some(3), ""), "{words:?}");
        assert_eq!(done.err, format!("error: there is no journal at {}\n", journal.display()));
    }
    assert_eq!(fs::read_dir(&folder.0).expect("the folder").count(), 0, "nothing is made");
    fs::write(&journal, "a letter").expect("it is written");
    let done = tool(["list", word(&journal)]);
    assert!(done.code == Some(3) && done.err.contains("is no journal or is damaged"), "{done:?}");
    fs::remove_file(&journal).expect("it goes");
    drop(visited(&journal).await);
    let done = tool(["show", word(&journal), "1"]);
    assert!(done.code == Some(3) && done.err.contains("there is no session 1 in "), "{done:?}");
    let done = tool(["show", word(&journal), "x"]);
    assert!(done.code == Some(2) && done.err.contains("hexadecimal digits"), "{done:?}");
    assert!(tool(["--help"]).well().contains("Exit codes:"));
    assert!(tool(["check", "--help"]).well().contains("1  damage was found"));
}
