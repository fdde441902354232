//! A page of three components: a search, a list that it adds to, and a way out. What they share is a local variable.

use std::sync::{Mutex, MutexGuard};

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

const BOOKS: [&str; 6] = ["Dracula", "Emma", "Faust", "Middlemarch", "Persuasion", "Walden"];

#[derive(Default)]
struct List(Mutex<Vec<String>>);

pub async fn dashboard(mut req: Request) -> Result<()> {
    let list = List::default();
    let parts = req
        .parts()
        .part("search", |req| search(req, &list))
        .part("list", |req| reading_list(req, &list))
        .part("order", |req| order(req, &list));
    let first = parts.layout(|page| {
        html! {
            h1 { "Reading room" }
            section { h2 { "Search" } (page.part("search")) }
            section { h2 { "Reading list" } (page.part("list")) (page.part("order")) }
        }
    });
    // The page is over when one part is: only `order` ends.
    let (_, number) = first.first().await?;
    req.print(html! { h1 { "Thank you" } p { "Your order has the number " b { (number) } "." } });
    Ok(())
}

#[derive(Deserialize)]
struct Query {
    title: String,
}

/// Looks for books, shows what it found, and adds one to the list.
async fn search(mut req: Request, list: &List) -> Result<String> {
    loop {
        let Query { title } = req
            .ask(|f| {
                f.check(|query: &Query| !query.title.trim().is_empty(), "title", "some letters, please");
                html! { (f.text("title")) button { "Search" } }
            })
            .await?;
        let found: Vec<String> = req.read("catalogue", async || find(&title).await).await?;
        let chosen = req.choose(|c| {
            html! {
                p { (found.len()) " found for “" (title) "”" }
                ul { @for book in &found { li { (c.link(book, Some(book.clone()))) } } }
                (c.link("Search again", None))
            }
        });
        if let Some(book) = chosen.await? {
            list.get().push(book);
        }
    }
}

/// Shows the list; asks before it takes something off. The others wait, and can be used meanwhile.
async fn reading_list(mut req: Request, list: &List) -> Result<String> {
    loop {
        let at: usize = req.choose(|c| draw_list(c, &list.get())).await?;
        let book = list.get().get(at).cloned().unwrap_or_default();
        if req.confirm(format!("Take “{book}” off the list?")).await? {
            list.get().retain(|other| *other != book);
        }
    }
}

fn draw_list(c: &Choices<'_, usize>, list: &[String]) -> Markup {
    html! {
        @if list.is_empty() { p { "Nothing yet." } }
        ul { @for (at, book) in list.iter().enumerate() { li { (book) " " (c.link("remove", at)) } } }
    }
}

/// Ends, and with it the page.
async fn order(mut req: Request, list: &List) -> Result<String> {
    req.choose(|c| html! { (c.button("Order", ())) }).await?;
    let books = list.get().clone();
    Ok(req.once("order", &books, async |key: Key| place_order(key).await).await?)
}

impl List {
    /// Not across an `await`: a part has it, and gives it back.
    fn get(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("nobody panics while they have the list")
    }
}

/// What a real program would ask its database.
async fn find(title: &str) -> Result<Vec<String>> {
    let title = title.trim().to_lowercase();
    Ok(BOOKS.iter().filter(|book| book.to_lowercase().contains(&title)).map(|&book| book.into()).collect())
}

/// What a real program would tell its shop.
async fn place_order(key: Key) -> Result<String> {
    Ok(key.as_str()[..6].to_uppercase())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(dashboard)).await
}
