//! Thinks of a number for you to guess: a game is a loop, and winning it leaves the loop.

use std::cmp::Ordering;

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn guess(mut req: Request) -> Result<()> {
    let number: u32 = req.rng().random_range(1..=100);
    let mut tries = 0;
    let mut hint = String::from("I'm thinking of a number from 1 to 100. Can you guess it?");
    loop {
        req.print(page(&hint));
        let Ok(guess) = req.next().await?.param::<u32>("guess") else {
            hint = "A whole number, please.".into();
            continue;
        };
        tries += 1;
        hint = match guess.cmp(&number) {
            Ordering::Less => format!("It is higher than {guess}."),
            Ordering::Greater => format!("It is lower than {guess}."),
            Ordering::Equal => break,
        };
    }
    req.print(html! {
        h1 { "You got it!" }
        p { "My number was " (number) "." }
        p { "It took you " (tries) @if tries == 1 { " try." } @else { " tries." } }
        a href="?" { "Play again" }
    });
    Ok(())
}

fn page(hint: &str) -> Markup {
    html! {
        p { (hint) }
        form {
            label { "Your guess " input name="guess" inputmode="numeric" autofocus; } " " button { "Guess" }
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(guess)).await
}
