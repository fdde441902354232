//! A door: behind it the visitor is known, because the code that follows runs for nobody else.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn login(mut req: Request) -> Result<()> {
    let who: Login = req.ask(form).await?;
    req.rotate_id()?;
    let mut visits = 0;
    while let Go::Around = req.sensitive().choose(|c| private(c, &who.name, visits)).await? {
        visits += 1;
    }
    req.print(html! { p { "You are logged out." } a href="?" { "Log in again" } });
    Ok(())
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

fn form(f: &Form<'_, Login>) -> Markup {
    // A real program keeps hashes of passwords, and compares those.
    f.check(|login| login.name == "ada" && login.password == "sesame", "password", "wrong name or password");
    html! {
        h1 { "Log in" }
        p { "Try " code { "ada" } " and " code { "sesame" } "." }
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
