//! Line 17: what is a secret never reaches the journal, and what is none does, whatever is in it.

use continuity::journal::{Memory, Store};
use continuity::prelude::*;
use continuity::test::Browser;

/// All that is in a store, as bytes.
fn bytes_of(store: &Memory) -> Vec<u8> {
    let heads = store.list(0, 1000).expect("it is in memory");
    let chunks = heads.iter().flat_map(|head| store.load(head.session).expect("it is in memory"));
    chunks.flat_map(|chunk| [chunk.what.into_bytes(), chunk.entries].concat()).collect()
}

/// How often a text is in a store.
fn count(store: &Memory, text: &str) -> usize {
    bytes_of(store).windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: Secret<String>,
    hint: Option<String>,
}

/// Asks by a form, by parameters, and by a struct of them.
async fn login(mut req: Request) -> Result<()> {
    let page = |f: &Form<'_, Login>| {
        f.check(|login| login.name.len() > 2, "name", "is too short");
        html! { (f.errors()) (f.text("name")) (f.password("password")) (f.text("hint")) button { "Ask" } }
    };
    let Login { name, password, hint } = req.ask(page).await?;
    let length = req.read("check", async || password.open().map(|password| password.len())).await?;
    req.print(html! { "Asked " (name) " " (length) " " (hint.unwrap_or_default()) form method="post" { input name="pin"; input name="more"; } });
    let pin: Secret<String> = req.next().await?.param("pin")?;
    let more: String = req.param("more")?;
    let length = req.read("check", async || pin.open().map(String::len)).await?;
    req.print(html! { "Param " (more) " " (length) form method="post" { input name="name"; input name="password"; } });
    let Login { name, password, .. } = req.next().await?.decode()?;
    let length = req.read("check", async || password.open().map(String::len)).await?;
    req.choose(|c| html! { "Decoded " (name) " " (length) (c.link("Go on", ())) }).await?;
    req.inform("The end").await?;
    Ok(())
}

#[tokio::test]
async fn a_field_with_the_value_of_a_secret_is_what_it_was_after_a_restart() {
    let store = Memory::new();
    let server = || Server::new(login).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    browser
        .get("/")
        .await
        .fill("name", "opensesame")
        .fill("password", "opensesame")
        .fill("hint", "opensesame");
    browser.submit().await.shows("Asked opensesame 10 opensesame");
    browser
        .restart(server())
        .fill("pin", "90210")
        .fill("more", "90210")
        .submit()
        .await
        .shows("Param 90210 5");
    browser
        .restart(server())
        .fill("name", "xyzzy")
        .fill("password", "xyzzy")
        .submit()
        .await
        .shows("Decoded xyzzy 5");
    browser.restart(server()).reload().await.shows("Decoded xyzzy 5");
    // What the program has shown again is its own affair; of what came, only the fields that are no secrets are there.
    let written =
        [count(&store, "name=opensesame"), count(&store, "hint=opensesame"), count(&store, "more=90210")];
    assert_eq!(written, [1, 1, 1]);
    let secrets = ["password=opensesame", "pin=90210", "password=xyzzy"];
    assert_eq!(secrets.map(|secret| count(&store, secret)), [0, 0, 0]);
}

#[tokio::test]
async fn a_form_that_was_not_taken_hides_nothing_of_another_visitor() {
    let store = Memory::new();
    let server = || Server::new(login).mount("/plain", plain).journal(store.clone());
    async fn plain(mut req: Request) -> Result<()> {
        loop {
            req.print(html! { form method="post" { input name="password"; } });
            let word: String = req.next().await?.param("password")?;
            req.inform(html! { "Word " (word) }).await?;
        }
    }
    let mut ada = Browser::of(server());
    ada.get("/").await.fill("name", "x").fill("password", "opensesame").submit().await.shows("is too short");
    let mut bob = ada.other();
    bob.get("/plain").await.fill("password", "opensesame").submit().await.shows("Word opensesame");
    bob.restart(server()).reload().await.shows("Word opensesame");
}

#[derive(Deserialize)]
struct Order {
    note: String,
    cards: Vec<Card>,
}

#[derive(Deserialize)]
struct Card {
    number: Secret<String>,
    holder: String,
}

async fn pays(mut req: Request) -> Result<()> {
    req.print("Send your order");
    let Order { note, cards } = req.next().await?.json()?;
    let mut paid = Vec::new();
    for card in cards {
        let length = req.read("pay", async || card.number.open().map(|number| number.len())).await?;
        paid.push((card.holder, length));
    }
    req.print(html! { "Paid " (format!("{note} {paid:?}")) });
    req.next().await?;
    Ok(())
}

#[tokio::test]
async fn secrets_in_json_stay_out_of_the_journal_and_their_twins_do_not() {
    for kind in ["application/json", "application/x-www-form-urlencoded"] {
        let store = Memory::new();
        let server = || Server::new(pays).journal(store.clone());
        let mut browser = Browser::of(server()).rehearsing();
        browser.get("/").await;
        let body = r#"{"note": "4111", "cards": [{"number": "4111", "holder": "4222"}, {"number": "4222", "holder": "4111"}]}"#;
        let request =
            http::Request::post("/").header("content-type", kind).body(body.into()).expect("a request");
        let paid = r#"Paid 4111 [("4222", 4), ("4111", 4)]"#;
        browser.send(request).await.shows(paid);
        assert_eq!(count(&store, r#""number":"\u0000secret""#), 2, "{kind}");
        assert_eq!(count(&store, r#""number":"4"#) + count(&store, r#""number": "4"#), 0, "{kind}");
        assert_eq!(count(&store, r#""holder":"4"#), 2, "{kind}");
    }
}

#[tokio::test]
async fn parameters_that_the_server_names_stay_out_of_json_too() {
    async fn takes(mut req: Request) -> Result<()> {
        req.print("Send it");
        let sent: serde_json::Value = req.next().await?.json()?;
        req.print(html! { (sent["name"].as_str().unwrap_or("nobody")) });
        req.next().await?;
        Ok(())
    }
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(takes).secrets(["pin", "card"]).journal(store.clone()));
    browser.get("/").await;
    let body = r#"{"name": "Ada", "pin": [90210, {"old": "90211"}], "more": {"card": {"number": "90212"}}}"#;
    let request = http::Request::post("/").body(body.into()).expect("a request");
    browser.send(request).await.shows("Ada");
    for secret in ["90210", "90211", "90212"] {
        assert_eq!(count(&store, secret), 0, "{secret}");
    }
    assert_eq!(count(&store, "Ada"), 1);
}
