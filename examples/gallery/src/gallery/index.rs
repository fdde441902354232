//! The root flow: the index, the sources, and nothing that waits.

use continuity::prelude::*;

use super::layout::{bar, document};
use super::shelf::{self, Example};

/// Prints one page and is over: there is nothing to remember between two of them.
pub async fn index(mut req: Request) -> Result<()> {
    let path = req.path();
    if path == "/" {
        req.print(document(None, html! {}, cards()));
    } else if let Some(example) = path.strip_prefix("/source/").and_then(shelf::find) {
        req.print(document(Some(example.name), bar(Some(example)), source(example)));
    } else {
        req.set_status(404)?.print(document(Some("Not found"), bar(None), lost()));
    }
    Ok(())
}

fn cards() -> Markup {
    html! {
        header.hero {
            h1 { "Continuity" }
            p {
                "A web application written like a command-line program: each visitor is one running "
                code { "async fn" } ", each " code { "next().await" }
                " is their next request, and local variables are the state."
            }
            @if let Some(example) = shelf::find("addtwo") { (listing(example.heart())) }
        }
        @for (title, examples) in shelf::SHELVES {
            section {
                h2 { (title) }
                div.cards { @for example in *examples { (card(example)) } }
            }
        }
    }
}

fn card(example: &Example) -> Markup {
    html! {
        article.card {
            h3 { a href=(example.door()) { (example.name) } }
            p { (with_code(example.about())) }
            a.source href=(example.source_page()) aria-label={ "Source of " (example.name) } { "Source" }
        }
    }
}

fn source(example: &Example) -> Markup {
    html! { h1 { (example.name) ".rs" } (listing(example.source)) }
}

fn listing(code: &str) -> Markup {
    html! { pre tabindex="0" { code { @for line in code.lines() { span { (line) "\n" } } } } }
}

fn lost() -> Markup {
    html! { div.stage { h1 { "Not found" } p { "There is no such page in the gallery." } } }
}

/// What stands between backticks is code.
fn with_code(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
