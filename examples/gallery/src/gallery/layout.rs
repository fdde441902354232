//! What is around every page: the document, its style, and the bar that leads back.

use continuity::prelude::*;

use super::shelf::Example;

const STYLE: &str = include_str!("style.css");

/// A whole page.
pub fn document(title: Option<&str>, bar: Markup, body: Markup) -> Markup {
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { @if let Some(title) = title { (title) " · " } "Continuity" }
                style { (PreEscaped(STYLE)) }
            }
            body { (bar) main { (body) } }
        }
    }
}

/// The way back to the gallery, and to and from the source of the example that the page belongs to.
pub fn bar(example: Option<&Example>) -> Markup {
    html! {
        nav.bar {
            a href="/" { "← All examples" }
            @if let Some(example) = example {
                strong { (example.name) }
                a href=(example.door()) { "Try it" }
                a href=(example.source_page()) { "Source" }
            }
        }
    }
}
