//! Signing in with an account elsewhere: to a provider's page and back, as OAuth does, in a row of plain steps.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;
#[path = "provider.rs"]
pub mod provider;

use provider::{Provider, partner};

pub async fn sign_in(mut req: Request) -> Result<()> {
    let name = door(&mut req).await?;
    let mut looks = 0;
    while let Go::Around = req.sensitive().choose(|c| private(c, &name, looks)).await? {
        looks += 1;
    }
    req.print(html! { p { "You are signed out." } a href="?" { "Sign in again" } });
    Ok(())
}

/// Sends visitors to the provider until one comes back whom it knows.
async fn door(req: &mut Request) -> Result<String> {
    let provider = req.app::<Provider>();
    let mut tried = false;
    loop {
        req.choose(|c| outside(c, tried)).await?;
        // `state` leads back into this very step: nobody else's code is taken here, and this one nowhere else.
        let (home, state) = (home(req), req.return_state()?);
        let page = req.read("provider", async || provider.page(&home, &state).await).await?;
        req.leave_for(&page)?;
        req.returned(html! { p { "The provider asks who you are." } a href=(page) { "Go there" } }).await?;
        // First: whoever was made to follow somebody else's way back is let in nowhere.
        req.rotate_id()?;
        let code: String = req.param::<Option<String>>("code")?.unwrap_or_default();
        match req.once("sign in", &code, async |_| provider.name(&code, &home).await).await? {
            Some(name) => return Ok(name),
            None => tried = true,
        }
    }
}

/// Where the provider sends visitors back to. A real program has it in its configuration, and the provider too.
fn home(req: &Request) -> String {
    let scheme = if req.is_https() { "https" } else { "http" };
    format!("{scheme}://{}{}/", req.header("host").unwrap_or_default(), req.mount())
}

fn outside(c: &Choices<'_, ()>, tried: bool) -> Markup {
    html! {
        h1 { "Who are you?" }
        @if tried { p role="alert" { "The provider did not say." } }
        (c.button("Sign in", ()))
    }
}

#[derive(Serialize, Deserialize)]
enum Go {
    Around,
    Out,
}

fn private(c: &Choices<'_, Go>, name: &str, looks: u32) -> Markup {
    html! {
        h1 { "Welcome, " (name) "!" }
        p { "You never told us a password. You looked around " (looks) " times." }
        (c.link("Look around", Go::Around)) " " (c.button("Sign out", Go::Out))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    partner::be_it_if_asked(provider::NAME, provider::server).await?;
    port::run(Server::new(sign_in).app(Provider::default())).await
}
