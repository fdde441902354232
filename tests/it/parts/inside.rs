//! What parts can do: call, answer, ask, print forms, have parts of their own, and share what stands around them.

use std::sync::Mutex;

use continuity::prelude::*;
use continuity::test::Browser;

use super::{count, in_order};

async fn asks(mut req: Request) -> Result<()> {
    let parts = req.parts().part("left", |req| count(req, "left")).part("name", name_of);
    parts.layout(in_order).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn name_of(mut req: Request) -> Result<i64> {
    loop {
        req.print("Who? ");
        let Name { name } = req
            .ask(|f| {
                f.check(|name: &Name| name.name.len() < 6, "name", "too long");
                html! { (f.errors()) (f.text("name")) button { "OK" } }
            })
            .await?;
        // A call: the answer of a question is an await.
        if req.confirm(html! { "Is it " (name) "?" }).await? {
            req.print(html! { "Hello, " (name) ". " });
            req.inform("Welcome").await?;
        }
    }
}

#[tokio::test]
async fn a_form_in_a_part_is_asked_until_it_is_right() {
    let mut browser = Browser::journaled(asks);
    browser.get("/").await.shows("Who?");
    browser.fill("name", "Guinevere").submit().await.status(422).shows("too long").shows("left at 0");
    browser.shows("Who?");
    assert_eq!(browser.value("name"), "Guinevere");
    browser.follow("left+").await.shows("left at 1").shows_not("too long");
    browser.fill("name", "Ada").submit().await.shows("Is it Ada?").shows("left at 1");
    browser.follow("left+").await.shows("Is it Ada?").shows("left at 2");
    browser.follow("Yes").await.shows("Hello, Ada.").shows("Welcome").shows("left at 2").shows_not("Who?");
    browser.follow("left+").await.shows("Hello, Ada.").shows("left at 3");
    browser.follow("OK").await.shows("Who?");
}

/// Prints its form; the part has no closure to draw it again.
async fn adds(mut req: Request) -> Result<i64> {
    let mut sum = 0;
    loop {
        req.print(html! { "sum " (sum) form method="post" { input name="by"; button { "Add" } } });
        sum += req.next().await?.param::<i64>("by")?;
    }
}

async fn prints(mut req: Request) -> Result<()> {
    req.print(html! { h1 { "Sums" } });
    let parts = req.parts().part("one", adds).part("left", |req| count(req, "left")).part("two", adds);
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn a_printed_form_goes_to_the_part_that_printed_it() {
    let mut browser = Browser::journaled(prints);
    browser.get("/").await.shows("Sums sum 0").shows("left at 0");
    browser.form(1).fill("by", 5).submit().await.shows("sum 0").shows("sum 5");
    browser.follow("left+").await.shows("left at 1").shows("sum 5");
    browser.form(0).fill("by", 7).submit().await.shows("sum 7").shows("sum 5").shows("left at 1");
    browser.resubmitting().reload().await.shows("sum 7").shows("sum 5");
    // Without a token it is nobody's.
    browser.post("/", &[("by", "100")]).await.shows("Sums sum 7").shows("sum 5").shows_not("100");
}

/// Callbacks count their own state.
async fn callbacks(mut req: Request) -> Result<()> {
    let part = async |mut req: Request, name: &'static str| -> Result<()> {
        let mut state = 0;
        loop {
            req.callbacks(&mut state, |c, state| {
                html! { (name) " at " (state) " " (c.link(format!("{name}+"), |state| *state += 1)) }
            })
            .await?;
        }
    };
    req.parts().part("a", |req| part(req, "a")).part("b", |req| part(req, "b")).layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn callbacks_run_in_their_part() {
    let mut browser = Browser::journaled(callbacks);
    browser.get("/").await.follow("b+").await.shows("a at 0").shows("b at 1");
    browser.follow("a+").await.follow("b+").await.shows("a at 1").shows("b at 2");
}

/// Parts in a part in a part.
async fn nested(mut req: Request) -> Result<()> {
    let outer = async |mut req: Request| -> Result<i64> {
        let inner = async |mut req: Request| -> Result<i64> {
            let parts = req.parts().part("x", |req| count(req, "x")).part("y", |req| count(req, "y"));
            let counts = parts.layout(in_order).await?;
            Ok(counts.iter().map(|(_, count)| count).sum())
        };
        req.print("inside: ");
        let parts = req.parts().part("deep", inner).part("name", name_of);
        let (name, sum) = parts.layout(in_order).first().await?;
        req.inform(format!("{name} gave {sum}")).await?;
        Ok(sum)
    };
    let parts = req.parts().part("left", |req| count(req, "left")).part("right", outer);
    let counts = parts.layout(in_order).await?;
    req.print(format!("{counts:?}"));
    Ok(())
}

#[tokio::test]
async fn parts_have_parts() {
    let mut browser = Browser::journaled(nested);
    browser.get("/").await.shows("left at 0").shows("inside: x at 0").shows("y at 0").shows("Who?");
    browser.follow("y+").await.shows("y at 1").shows("x at 0").shows("left at 0").shows("inside:");
    browser.follow("left+").await.shows("left at 1").shows("y at 1");
    browser
        .fill("name", "Guinevere")
        .submit()
        .await
        .status(422)
        .shows("too long")
        .shows("y at 1")
        .shows("inside:");
    browser.follow("end y").await.shows("y ended at 1").shows("x at 0");
    browser.follow("x+").await.follow("end x").await.shows("deep gave 2").shows("left at 1");
    browser.follow("OK").await.follow("end left").await.shows("[(\"left\", 1), (\"right\", 2)]");
}

/// What parts share stands around them.
async fn shares(mut req: Request) -> Result<()> {
    let words = Mutex::new(Vec::<String>::new());
    let says = async |mut req: Request, words: &Mutex<Vec<String>>| -> Result<()> {
        loop {
            let word = req
                .choose(|c| html! { (c.link("hey", "hey".to_owned())) " " (c.link("ho", "ho".to_owned())) });
            let word: String = word.await?;
            words.lock().expect("not poisoned").push(word);
        }
    };
    let shows = async |mut req: Request, words: &Mutex<Vec<String>>| -> Result<()> {
        loop {
            let clear = req.choose(|c| {
                html! { "said: " (words.lock().expect("not poisoned").join(" ")) " " (c.link("clear", ())) }
            });
            clear.await?;
            words.lock().expect("not poisoned").clear();
        }
    };
    let parts = req.parts().part("log", |req| shows(req, &words)).part("talk", |req| says(req, &words));
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn parts_share_what_stands_around_them() {
    let mut browser = Browser::journaled(shares);
    browser.get("/").await.follow("hey").await.follow("ho").await.shows("said: hey ho");
    browser.follow("clear").await.shows("said: clear");
    browser.follow("ho").await.shows("said: ho");
}

async fn many(mut req: Request) -> Result<()> {
    let names: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    let mut parts = req.parts();
    for name in &names {
        parts = parts.part(name, move |req| count(req, name));
    }
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn there_are_as_many_parts_as_are_made() {
    let mut browser = Browser::journaled(many);
    browser.get("/").await.follow("c17+").await.follow("c39+").await.follow("c17+").await;
    browser.shows("c0 at 0").shows("c17 at 2").shows("c39 at 1");
}
