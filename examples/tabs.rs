//! Draws every way that a visitor went: Back and other tabs make branches, and each page knows where it stands.

use continuity::prelude::*;

#[path = "journal.rs"]
mod journal;
#[path = "port.rs"]
mod port;

pub async fn tabs(mut req: Request) -> Result<()> {
    let mut here = req.shared::<Tree>().update(|tree| tree.grow(None, "the door"))?;
    loop {
        // The tree is the session's, `here` is the branch's own: it is what it was on the page that was answered.
        let tree = req.shared::<Tree>().get()?;
        match req.choose(|c| page(c, &tree, here)).await? {
            Go::To(way) => here = req.shared::<Tree>().update(|tree| tree.grow(Some(here), &way))?,
            Go::Look => {}
        }
        if here + 1 >= MOST {
            break;
        }
    }
    req.print(html! { h1 { "That is a large tree." } a href="?" { "Plant another one" } });
    Ok(())
}

const WAYS: [&str; 3] = ["left", "straight on", "right"];
/// Each step records the tree as it is then: it has an end.
const MOST: usize = 100;

#[derive(Serialize, Deserialize)]
enum Go {
    To(String),
    Look,
}

/// All pages so far, on all branches: the page that each came from, and the way that was taken there.
#[derive(Default, Serialize, Deserialize)]
struct Tree(Vec<(Option<usize>, String)>);

impl Tree {
    /// Adds a page, and returns its number.
    fn grow(&mut self, from: Option<usize>, way: &str) -> usize {
        self.0.push((from, way.to_owned()));
        self.0.len() - 1
    }

    /// The pages that came from a page, with all that came from them.
    fn draw(&self, from: Option<usize>, here: usize) -> Markup {
        let mut pages = self.0.iter().enumerate().filter(|(_, page)| page.0 == from).peekable();
        html! {
            @if pages.peek().is_some() {
                ul {
                    @for (at, (_, way)) in pages {
                        li {
                            @if at == here { b aria-current="page" { (at + 1) " " (way) " ← you are here" } }
                            @else { (at + 1) " " (way) }
                            (self.draw(Some(at), here))
                        }
                    }
                }
            }
        }
    }
}

fn page(c: &Choices<'_, Go>, tree: &Tree, here: usize) -> Markup {
    html! {
        h1 { "Page " (here + 1) }
        p { "Go on: " @for way in WAYS { (c.link(way, Go::To(way.to_owned()))) " " } }
        p { "Or go Back and choose another way, or open two of them in two tabs. " (c.link("Look again", Go::Look)) }
        (tree.draw(None, here))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(journal::keep(Server::new(tabs), "tabs")?).await
}
