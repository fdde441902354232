//! A page of three components: a search, a list that it adds to, and a way out. What they share is a local variable.

use std::sync::Mutex;

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

const BOOKS: [&str; 6] = ["Dracula", "Emma", "Faust", "Middlemarch", "Persuasion", "Walden"];
const FREE: &str = "nobody panics while they have the list";

type List = Mutex<Vec<String>>;

pub async fn dashboard(mut req: Request) -> Result<()> {
    let list = List::default();
    let parts = req.parts().part("search", |req| search(req, &list));
    let parts = parts.part("list", |req| reading_list(req, &list)).part("order", |req| order(req, &list));
    // The page is over when one part is: only `order` ends.
    let (_, number) = parts.layout(draw).first().await?;
    req.print(html! { h1 { "Thank you" } p { "Your order has the number " b { (number) } "." } });
    Ok(())
}

fn draw(page: &Slots<'_>) -> Markup {
    html! {
        h1 { "Reading room" }
        section { h2 { "Search" } (page.part("search")) }
        section { h2 { "Reading list" } (page.part("list")) (page.part("order")) }
    }
}

#[derive(Deserialize)]
struct Query {
    title: String,
}

/// Looks for books, shows what it found, and adds one to the list.
async fn search(mut req: Request, list: &List) -> Result<String> {
    loop {
        let Query { title } = req.ask(|f| html! { (f.text("title")) button { "Search" } }).await?;
        let found: Vec<String> = req.read("catalogue", async || find(&title).await).await?;
        let page = |c: &Choices<'_, Option<String>>| {
            html! {
                p { (found.len()) " found for “" (title) "”" }
                ul { @for book in &found { li { (c.link(book, Some(book.clone()))) } } }
                (c.link("Search again", None))
            }
        };
        let chosen = req.choose(page).await?;
        list.lock().expect(FREE).extend(chosen);
    }
}

/// Shows the list; asks before it takes something off. The others wait, and can be used meanwhile.
async fn reading_list(mut req: Request, list: &List) -> Result<String> {
    loop {
        let page = |c: &Choices<'_, String>| {
            let list = list.lock().expect(FREE);
            html! { ul { @for book in list.iter() { li { (book) " " (c.link("remove", book.clone())) } } } }
        };
        let book = req.choose(page).await?;
        if req.confirm(format!("Take “{book}” off the list?")).await? {
            list.lock().expect(FREE).retain(|other| *other != book);
        }
    }
}

/// Ends, and with it the page.
async fn order(mut req: Request, list: &List) -> Result<String> {
    req.choose(|c| html! { (c.button("Order", ())) }).await?;
    let books = list.lock().expect(FREE).clone();
    Ok(req.once("order", &books, async |key: Key| Ok::<_, Error>(key.as_str()[..6].to_uppercase())).await?)
}

/// What a real program would ask its database.
async fn find(title: &str) -> Result<Vec<String>> {
    let title = title.trim().to_lowercase();
    Ok(BOOKS.iter().filter(|book| book.to_lowercase().contains(&title)).map(|&book| book.into()).collect())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(dashboard)).await
}
