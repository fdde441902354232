//! Sessions: links, forms, who is who.

use tokio::task::JoinSet;

use super::super::{Case, Found};
use crate::error::BoxError;

pub(in super::super) async fn links_lead_on(case: Case) -> Found {
    let (mut one, mut two) = (case.open.visitor(), case.open.visitor());
    let page = one.get("/").await?;
    page.is(200)?.shows("Count: 0")?;
    let page = one.follow(&page, "++").await?;
    page.shows("Count: 1")?;
    two.get("/").await?.shows("Count: 0")?;
    one.follow(&page, "++").await?.shows("Count: 2")?;
    one.get("/").await?.shows("Count: 2")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn nobody_gets_anothers_page(case: Case) -> Found {
    let mut crowd = JoinSet::new();
    for clicks in 0..24 {
        let mut visitor = case.open.visitor();
        crowd.spawn(async move {
            let mut page = visitor.get("/").await?;
            for click in 0..clicks {
                page = visitor.follow(&page, "++").await?;
                page.shows(&format!("Count: {}", click + 1))?;
            }
            visitor.get("/").await?.shows(&format!("Count: {clicks}"))?;
            Ok::<_, BoxError>(())
        });
    }
    while let Some(done) = crowd.join_next().await {
        done??;
    }
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn what_is_written_arrives(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    visitor.get("/form").await?.shows("Words")?;
    for words in ["tea", "a & b = c + d", "100 %", "Zoë 茶 🍵", "<b>\"'", "two\nlines", ""] {
        let form: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("words", words).finish();
        let shown =
            words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        visitor.post("/form", &form).await?.is(200)?.shows(&format!("You wrote ({shown})."))?;
    }
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn a_click_applies_once(case: Case) -> Found {
    let mut visitor = case.open.visitor();
    let first = visitor.get("/").await?;
    visitor.follow(&first, "++").await?.shows("Count: 1")?;
    visitor.follow(&first, "++").await?.shows("Count: 1")?;
    let page = visitor.follow(&first, "--").await?;
    page.shows("Count: 1")?;
    visitor.follow(&page, "++").await?.shows("Count: 2")?;
    case.open.end().await;
    Ok(())
}

pub(in super::super) async fn a_failure_is_a_page(case: Case) -> Found {
    let (mut one, mut two) = (case.open.visitor(), case.open.visitor());
    let page = two.get("/").await?;
    one.get("/fail").await?.is(500)?;
    two.follow(&page, "++").await?.shows("Count: 1")?;
    one.get("/").await?.is(200)?.shows("Count: 0")?;
    case.open.end().await;
    Ok(())
}
