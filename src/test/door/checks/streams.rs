//! What takes its time: streams, clients that leave, hits that wait, the end.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::task::JoinSet;

use super::super::program::{CHUNK, CHUNKS, QUEUE};
use super::super::{Case, Found};
use super::{ensure, until_seen};
use crate::error::BoxError;

/// How long something has to stand still to be taken for waiting.
const QUIET: Duration = Duration::from_millis(300);

pub(in super::super) async fn what_is_flushed_is_seen_at_once(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let mut coming = visitor.begin(Request::get("/flush"), Bytes::new()).await?;
    let mut seen = String::new();
    while !seen.contains("the first part") {
        let chunk = coming.body.chunk().await?.ok_or("it ended before it was flushed")?;
        seen += &String::from_utf8_lossy(&chunk);
    }
    ensure(!seen.contains("the last part"), || "it came before it was made".into())?;
    until_seen(&case.stage, 1).await;
    case.stage.cue();
    coming.page().await?.shows("the last part")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn who_does_not_read_is_waited_for(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let mut coming = visitor.begin(Request::get("/stream"), Bytes::new()).await?;
    let first = coming.body.chunk().await?.ok_or("nothing came")?;
    let mut went = 0;
    loop {
        tokio::time::sleep(QUIET).await;
        let now = case.stage.seen();
        if now == went {
            break;
        }
        went = now;
    }
    ensure(went < CHUNKS as u64, || "all of it went to a client that does not read".into())?;
    let rest = coming.body.rest().await?;
    let bytes = first.len() + rest.len();
    ensure(bytes == CHUNKS * CHUNK, || format!("{bytes} bytes came of {}", CHUNKS * CHUNK))?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn who_goes_away_cancels_nothing(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    case.stage.cue();
    visitor.get("/slow").await?.shows("Hit 1.")?;
    // The second hit's client leaves while the session is at it.
    let mut leaving = case.open.tab(&visitor);
    let gone = tokio::spawn(async move { drop(leaving.get("/slow").await) });
    until_seen(&case.stage, 2).await;
    gone.abort();
    drop(gone.await);
    case.stage.cue();
    case.stage.cue();
    visitor.get("/slow").await?.shows("Hit 3.")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn hits_wait_in_line_up_to_a_limit(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    case.stage.cue();
    visitor.get("/slow").await?.shows("Hit 1.")?;
    let mut tabs = JoinSet::new();
    for _ in 0..QUEUE + 3 {
        let mut tab = case.open.tab(&visitor);
        tabs.spawn(async move { tab.get("/slow").await });
    }
    let mut shown = Vec::new();
    for _ in 0..2 {
        let refused = tabs.join_next().await.ok_or("all wait")???;
        refused.is(503)?;
        ensure(!refused.field("retry-after").is_empty(), || format!("no Retry-After: {refused:?}"))?;
    }
    for _ in 0..=QUEUE {
        case.stage.cue();
        let page = tabs.join_next().await.ok_or("none waits")???;
        shown.push((page.status, page.text()));
    }
    for (nth, (status, text)) in shown.iter().enumerate() {
        let hit = format!("Hit {}.", nth + 2);
        ensure(*status == StatusCode::OK && text.contains(&hit), || format!("{hit} of {shown:?}"))?;
    }
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn a_stop_answers_what_is_in_flight(mut case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let waiting = tokio::spawn(async move {
        let page = visitor.get("/slow").await?;
        Ok::<_, BoxError>((visitor, page))
    });
    until_seen(&case.stage, 1).await;
    case.open.stop();
    tokio::time::sleep(QUIET).await;
    case.stage.cue();
    let (visitor, page) = waiting.await??;
    page.is(200)?.shows("Hit 1.")?;
    drop(visitor);
    case.open.end().await;
    Ok(())
}
