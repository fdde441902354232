//! Pages of all kinds that say which letters led to them, and offer two more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::{Error, Hit, Purpose};

/// How a page is made, and what leads on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `choose` with links.
    Linked,
    /// `choose` with buttons.
    Pressed,
    /// `ask`.
    Asked,
    /// `print` with a form.
    Printed,
    /// `print` with links that carry no token.
    Followed,
    /// All of them, one after the other; what is chosen on stands behind something that was printed.
    Mixed,
}

pub const KINDS: [Kind; 6] =
    [Kind::Linked, Kind::Pressed, Kind::Asked, Kind::Printed, Kind::Followed, Kind::Mixed];
pub const ACCOUNT: &str = "account";

impl Kind {
    /// What it is on a page that so many letters led to.
    pub fn at(self, letters: usize) -> Kind {
        match self {
            Kind::Mixed => [Kind::Linked, Kind::Printed, Kind::Asked, Kind::Pressed][letters % 4],
            kind => kind,
        }
    }

    pub fn is_printed(self) -> bool {
        matches!(self, Kind::Printed | Kind::Followed)
    }

    pub fn path(self, sensitive: bool) -> String {
        format!("{self:?}{}", if sensitive { "-sensitive" } else { "" }).to_lowercase()
    }
}

/// Forms that came.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<AtomicUsize>);

impl Counts {
    pub fn posts(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a server is, as far as a browser needs to know it.
#[derive(Debug, Clone)]
pub struct Place {
    /// In front of each path.
    pub root: String,
    pub journaled: bool,
    pub counts: Counts,
}

#[derive(Deserialize)]
struct Said {
    letter: String,
}

/// A server with all of them.
pub fn server(journaled: bool) -> (Server, Counts) {
    let counts = Counts::default();
    let counted = |flow: Flow| {
        let counts = counts.clone();
        flow.purpose(move |hit: &Hit| {
            let is_post = hit.method() == http::Method::POST;
            counts.0.fetch_add(usize::from(is_post), Ordering::Relaxed);
            Purpose::of(hit)
        })
    };
    let mut server = Server::new(hello).mount("/account", counted(Flow::new(account)));
    for kind in KINDS {
        for sensitive in [false, true] {
            let flow = Flow::new(move |req: Request| walk(req, kind, sensitive));
            server = server.mount(&format!("/{}", kind.path(sensitive)), counted(flow));
        }
    }
    (if journaled { server.journal(Memory::new()) } else { server }, counts)
}

async fn hello(mut req: Request) -> Result<()> {
    req.print("Hello");
    Ok(())
}

async fn walk(mut req: Request, kind: Kind, sensitive: bool) -> Result<()> {
    let mut trail = String::new();
    while !trail.ends_with("end") {
        if sensitive {
            req.sensitive();
        }
        trail = match kind.at(trail.len()) {
            Kind::Linked => linked(&mut req, kind, &trail).await?,
            Kind::Pressed => pressed(&mut req, kind, &trail).await?,
            Kind::Asked => asked(&mut req, &trail).await?,
            at => printed(&mut req, &trail, at).await?,
        };
    }
    if sensitive {
        req.sensitive();
    }
    req.print(html! { "Goodbye from " (trail.trim_end_matches("end")) });
    Ok(())
}

async fn linked(req: &mut Request, kind: Kind, trail: &str) -> Result<String, Error> {
    if kind == Kind::Mixed {
        req.print("Before. ");
    }
    let with = |letter: &str| [trail, letter].concat();
    req.choose(|c| {
        html! {
            p { "Trail: " (trail) "." }
            (c.link("a", with("a"))) " " (c.link("b", with("b"))) " " (c.button("End", with("end")))
        }
    })
    .await
}

async fn pressed(req: &mut Request, kind: Kind, trail: &str) -> Result<String, Error> {
    if kind == Kind::Mixed {
        req.print("Before. ");
    }
    let with = |letter: &str| [trail, letter].concat();
    req.choose(
        |c| html! { p { "Trail: " (trail) "." } (c.button("a", with("a"))) (c.button("b", with("b"))) },
    )
    .await
}

async fn asked(req: &mut Request, trail: &str) -> Result<String, Error> {
    let said: Said = req
        .ask(|f| {
            f.check(|said: &Said| said.letter.len() == 1, "letter", "one letter, please");
            html! { p { "Trail: " (trail) "." } (f.errors()) (f.text("letter")) button { "Go" } }
        })
        .await?;
    Ok([trail, &said.letter].concat())
}

async fn printed(req: &mut Request, trail: &str, kind: Kind) -> Result<String, Error> {
    req.print(html! {
        p { "Trail: " (trail) "." }
        @if kind == Kind::Followed {
            // Browsers keep one page for each address.
            @for letter in ["a", "b"] { a href={ "?letter=" (letter) "&after=" (trail) } { (letter) } " " }
        } @else {
            form method="post" { input name="letter"; button { "Go" } }
        }
    });
    let letter: String = req.next().await?.param("letter")?;
    Ok([trail, &letter].concat())
}

/// Somebody logs in, looks at what is theirs, and logs out.
async fn account(mut req: Request) -> Result<()> {
    loop {
        req.choose(|c| html! { p { "Welcome" } (c.button("Log in", ())) }).await?;
        req.rotate_id()?;
        let mut secret = 1;
        let ends = loop {
            let go = req
                .sensitive()
                .choose(|c| {
                    html! {
                        p { "Secret " (secret) " of Ada" } (c.link("Next", 0))
                        (c.button("Log out", 1)) (c.button("Log out and end", 2))
                    }
                })
                .await?;
            match go {
                0 => secret += 1,
                go => break go == 2,
            }
        };
        if ends {
            req.print("Goodbye");
            return Ok(());
        }
        req.rotate_id()?;
        req.print("Goodbye. ");
    }
}
