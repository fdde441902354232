//! Answers each form with a redirect, so that reloading the page that follows sends nothing twice.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn post_redirect(mut req: Request) -> Result<()> {
    let (mut count, mut sum) = (0u64, 0.0f64);
    loop {
        if req.method() == "POST" {
            if let Ok(number) = req.param::<f64>("number") {
                count += 1;
                sum += number;
            }
            req.redirect("?")?;
        } else {
            req.print(html! {
                h1 { "Numbers: " (count) ", sum: " (sum) }
                form method="post" { label { "Number " input name="number" autofocus; } " " button { "Add" } }
                p { "Reload this page as often as you like." }
            });
        }
        req.next().await?;
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(post_redirect)).await
}
