//! Books a table in three steps: each is one `ask`, and what was filled in are local variables.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn wizard(mut req: Request) -> Result<()> {
    let (mut guest, mut wishes) = (Guest::default(), Wishes::default());
    let mut table = Table { people: 2, time: "19:30".into() };
    loop {
        guest = req.ask(|f| ask_guest(f, &guest)).await?;
        table = req.ask(|f| ask_table(f, &table)).await?;
        wishes = req.ask(|f| ask_wishes(f, &wishes)).await?;
        if req.choose(|c| summary(c, &guest, &table, &wishes)).await? {
            break;
        }
    }
    let number: String = req.once("book", &(&guest, &table, &wishes), book).await?;
    req.print(html! {
        h1 { "Thank you, " (guest.name) "!" }
        p { "Your table is booked. The number of your booking is " b { (number) } "." }
        a href="?" { "Book another one" }
    });
    Ok(())
}

/// What a real program would ask the restaurant's books for.
async fn book(key: Key) -> Result<String> {
    Ok(key.as_str()[..6].to_uppercase())
}

#[derive(Default, Serialize, Deserialize)]
struct Guest {
    name: String,
    email: String,
}

fn ask_guest(f: &Form<'_, Guest>, start: &Guest) -> Markup {
    f.start_with(start);
    f.check(|guest| !guest.name.trim().is_empty(), "name", "tell us who you are, please");
    f.check(|guest| guest.email.contains('@'), "email", "that is no address of e-mail");
    html! { h1 { "1. Who are you?" } (f.text("name")) (f.email("email")) button { "Go on" } }
}

#[derive(Serialize, Deserialize)]
struct Table {
    people: u8,
    time: String,
}

const TIMES: [(&str, &str); 3] = [("18:00", "at six"), ("19:30", "at half past seven"), ("21:00", "at nine")];

fn ask_table(f: &Form<'_, Table>, start: &Table) -> Markup {
    f.start_with(start);
    f.check(|table| (1..=12).contains(&table.people), "people", "we have tables for 1 to 12");
    f.check(|table| TIMES.iter().any(|(time, _)| *time == table.time), "time", "choose one, please");
    html! {
        h1 { "2. When, and how many?" }
        (f.number("people")) (f.select("time", &TIMES)) button { "Go on" }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Wishes {
    #[serde(default)]
    by_the_window: bool,
    remarks: String,
}

fn ask_wishes(f: &Form<'_, Wishes>, start: &Wishes) -> Markup {
    f.start_with(start);
    f.check(|wishes| wishes.remarks.chars().count() <= 200, "remarks", "200 letters at most, please");
    html! { h1 { "3. Any wishes?" } (f.checkbox("by_the_window")) (f.textarea("remarks")) button { "Go on" } }
}

/// All of it once more, to confirm or to change.
fn summary(c: &Choices<'_, bool>, guest: &Guest, table: &Table, wishes: &Wishes) -> Markup {
    html! {
        h1 { "Is this right?" }
        p { (guest.name) " (" (guest.email) ") wants a table for " (table.people) " at " (table.time) "." }
        @if wishes.by_the_window { p { "By the window." } }
        @if !wishes.remarks.is_empty() { p { (wishes.remarks) } }
        (c.button("Book", true)) (c.link("Change something", false))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(wizard)).await
}
