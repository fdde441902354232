//! A door: behind it the visitor is known, because the code that follows runs for nobody else.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn login(mut req: Request) -> Result<()> {
    let name = door(&mut req).await?;
    req.rotate_id()?;
    let mut visits = 0;
    while let Go::Around = req.sensitive().choose(|c| private(c, &name, visits)).await? {
        visits += 1;
    }
    req.print(html! { p { "You are logged out." } a href="?" { "Log in again" } });
    Ok(())
}

/// Asks until the password is right. No journal ever has it: it is a secret, which opens in `read` and `once` only.
async fn door(req: &mut Request) -> Result<String> {
    let mut tried = None;
    loop {
        let Login { name, password } = req.ask(|f| form(f, tried.as_deref())).await?;
        if req.read("password", async || is_right(&name, password.open()?)).await? {
            return Ok(name);
        }
        tried = Some(name);
    }
}

/// A real program keeps hashes of passwords, and compares those.
fn is_right(name: &str, password: &str) -> Result<bool> {
    Ok(name == "ada" && password == "sesame")
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: Secret<String>,
}

fn form(f: &Form<'_, Login>, tried: Option<&str>) -> Markup {
    f.start_with(&[("name", tried.unwrap_or_default())]);
    html! {
        h1 { "Log in" }
        p { "Try " code { "ada" } " and " code { "sesame" } "." }
        @if tried.is_some() { p role="alert" { "wrong name or password" } }
        (f.text("name")) (f.password("password")) button { "Log in" }
    }
}

#[derive(Serialize, Deserialize)]
enum Go {
    Around,
    Out,
}

fn private(c: &Choices<'_, Go>, name: &str, visits: u32) -> Markup {
    html! {
        h1 { "Welcome, " (name) "!" }
        p { "Nobody else sees this. You looked around " (visits) " times." }
        (c.link("Look around", Go::Around)) " " (c.button("Log out", Go::Out))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(login)).await
}
