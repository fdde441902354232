//! Forms as visitors fill them in: what fields there are, what is sent of them, and what a program gets.

use std::fmt::Debug;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;
use scraper::{Html, Selector};
use serde::de::DeserializeOwned;

use crate::log::Log;
use crate::uploading::Folder;

/// Asks with these fields, and tells what came.
macro_rules! asks {
    ($of:ty, |$f:ident| $($page:tt)*) => {{
        async fn asks(mut req: Request) -> Result<()> {
            let answer: $of = req.ask(|$f| html! { ($f.errors()) $($page)* button { "Send" } }).await?;
            req.print(html! { (format!("{answer:?}")) });
            Ok(())
        }
        Browser::new(asks)
    }};
}

/// What a browser makes of the page: the elements of this kind.
fn elements(browser: &Browser, selector: &str) -> Vec<String> {
    let page = Html::parse_document(browser.html());
    let selector = Selector::parse(selector).expect("a selector");
    page.select(&selector).map(|element| element.html()).collect()
}

#[derive(Debug, Serialize, Deserialize, Clone, Copy)]
enum Colour {
    Red,
    Blue,
}

const COLOURS: [(&str, &str); 3] = [("", "any"), ("Red", "red"), ("Blue", "blue")];

#[tokio::test]
async fn an_optional_field_left_empty_is_none() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is shown whole")]
    struct Search {
        words: Option<String>,
        colour: Option<Colour>,
        most: Option<u8>,
        price: Option<f64>,
        day: Option<String>,
    }
    let mut browser = asks!(Search, |f| (f.text("words"))(f.select("colour", &COLOURS))(f.number("most"))(
        f.number("price")
    )(f.date("day")));
    browser.get("/").await.submit().await.status(200);
    browser.shows("Search { words: None, colour: None, most: None, price: None, day: None }");
    browser
        .get("/")
        .await
        .fill("words", "tea")
        .fill("colour", "Blue")
        .fill("most", " 5 ")
        .fill("price", "1.5");
    browser.fill("day", "2030-12-31").submit().await;
    browser.shows(
        "Search { words: Some(\"tea\"), colour: Some(Blue), most: Some(5), price: Some(1.5), day: Some(\"2030-12-31\") }",
    );
}

#[tokio::test]
async fn flattened_fields_and_tagged_enums_are_filled_in_like_others() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is shown whole")]
    struct Order {
        pieces: u8,
        #[serde(flatten)]
        payment: Payment,
    }
    #[derive(Debug, Deserialize)]
    #[serde(tag = "by")]
    #[expect(dead_code, reason = "it is shown whole")]
    enum Payment {
        Card { number: String },
        Invoice { days: u16 },
    }
    let mut browser = asks!(Order, |f| (f.number("pieces"))(
        f.radio("by", &[("Card", "by card"), ("Invoice", "by invoice")])
    )(f.text("number"))(f.number("days")));
    browser.get("/").await.fill("pieces", 2).fill("by", "Card").fill("number", "0042").submit().await;
    browser.shows("Order { pieces: 2, payment: Card { number: \"0042\" } }");
    browser
        .get("/")
        .await
        .fill("pieces", 2)
        .fill("by", "Invoice")
        .fill("days", "soon")
        .submit()
        .await
        .status(422);
    browser.shows("Days is not a whole number").shows_not("Pieces is");
    browser.fill("days", 30).submit().await.shows("Order { pieces: 2, payment: Invoice { days: 30 } }");
}

#[tokio::test]
async fn a_hidden_field_and_a_box_of_one_name_are_one_answer() {
    #[derive(Debug, Deserialize)]
    struct News {
        ok: bool,
    }
    async fn asks(mut req: Request) -> Result<()> {
        let by_ask: News = req
            .ask(|f| html! { input type="hidden" name="ok" value="false"; (f.checkbox("ok")) button { "Send" } })
            .await?;
        let (by_param, by_decode): (bool, News) = (req.param("ok")?, req.decode()?);
        let all: Vec<bool> = req.param("ok")?;
        req.print(html! { (by_ask.ok) " " (by_param) " " (by_decode.ok) " " (format!("{all:?}")) });
        Ok(())
    }
    let mut browser = Browser::new(asks);
    browser.get("/").await.tick("ok").submit().await.shows("true true true [false, true]");
    browser.get("/").await.submit().await.shows("false false false [false]");
}

#[tokio::test]
async fn of_body_and_query_the_body_counts() {
    async fn asks(mut req: Request) -> Result<()> {
        req.next().await?;
        let (one, all): (String, Vec<String>) = (req.param("a")?, req.param("a")?);
        req.print(html! { (one) " of " (all.join("+")) });
        Ok(())
    }
    let mut browser = Browser::new(asks);
    browser.get("/").await;
    browser.post("/?a=3&a=4", &[("a", "1"), ("a", "2")]).await.shows("2 of 1+2+3+4");
    browser.get("/").await;
    browser.get("/?a=3&a=4").await.shows("4 of 3+4");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_in_the_visitors_words() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is shown whole")]
    struct Order {
        pieces: u8,
        price: f64,
        colour: Colour,
        day: std::net::IpAddr,
    }
    let log = Log::listen();
    let mut browser = asks!(Order, |f| (f.number("pieces"))(f.number("price").label("Your price"))(
        f.select("colour", &COLOURS)
    )(f.text("day")));
    browser
        .get("/")
        .await
        .fill("pieces", "many")
        .fill("price", "NaN")
        .fill("day", "noon")
        .submit()
        .await
        .status(422);
    browser.shows("Pieces is not a whole number").shows("This is not a whole number");
    browser
        .shows("Your price is not a number")
        .shows("Colour is missing")
        .shows("Day is not what is needed here");
    for rust in ["invalid", "expected", "variant", "IP address"] {
        browser.shows_not(rust);
    }
    assert!(log.text().contains("invalid IP address"), "the log has what the parser says: {}", log.text());
    assert_eq!(elements(&browser, "[aria-invalid=true]").len(), 4, "{}", browser.html());
    browser
        .fill("pieces", "300")
        .fill("price", "inf")
        .fill("colour", "Red")
        .fill("day", "::1")
        .submit()
        .await;
    browser.shows("Pieces is too large: 255 or less").shows("Your price is not a number");
    browser.fill("pieces", "3").fill("price", " 1e2 ").submit().await.status(200).shows("price: 100.0");
}

#[tokio::test]
async fn bad_input_elsewhere_is_told_in_the_visitors_words_too() {
    #[derive(Deserialize)]
    struct Order {
        pieces: u8,
    }
    async fn order(mut req: Request) -> Result<()> {
        let order: Order = match req.path().as_str() {
            "/json" => req.json()?,
            _ => req.decode()?,
        };
        req.print(order.pieces);
        Ok(())
    }
    let log = Log::listen();
    let mut browser = Browser::new(order);
    browser
        .get("/?pieces=many")
        .await
        .status(400)
        .shows("`pieces` is not a whole number")
        .shows_not("invalid");
    let json =
        http::Request::post("/json").body(bytes::Bytes::from(r#"{"pieces": "many"}"#)).expect("a request");
    browser.send(json).await.status(400).shows("`pieces` is not a whole number").shows_not("invalid");
    assert!(log.text().contains("invalid type: string \"many\", expected u8"), "{}", log.text());
}

/// A page that asks for what no form can send.
async fn is_a_mistake<A: DeserializeOwned + Debug + Send + 'static>(field: &'static str, advice: &str) {
    let log = Log::listen();
    let mut browser = Browser::new(move |mut req: Request| async move {
        let answer: A = req.ask(|f| html! { (f.text(field)) button { "Send" } }).await?;
        req.print(format!("{answer:?}"));
        Ok::<_, continuity::BoxError>(())
    });
    browser.get("/").await.status(500);
    let error = log.errors()[0].says("error").to_owned();
    assert!(error.contains("no form can fill in") && error.contains(advice), "{error}");
}

#[tokio::test]
async fn what_no_form_can_fill_in_is_an_error_when_it_is_first_shown() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never filled in")]
    struct Nested {
        name: String,
        inner: Inner,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never filled in")]
    struct Inner {
        zip: String,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never filled in")]
    enum Untagged {
        Card { number: String },
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never filled in")]
    struct Wide {
        #[serde(flatten)]
        inner: Number,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never filled in")]
    struct Number {
        number: i128,
    }
    is_a_mistake::<Nested>(
        "name",
        "`inner`: a struct cannot come from one field of a form: put #[serde(flatten)]",
    )
    .await;
    is_a_mistake::<Untagged>("number", "#[serde(tag = ").await;
    is_a_mistake::<Wide>("number", "i128").await;
    is_a_mistake::<u32>("number", "a form becomes a struct").await;
}

#[tokio::test]
async fn what_a_form_cannot_start_with_is_an_error() {
    #[derive(Debug, Deserialize)]
    struct Name {
        name: String,
    }
    async fn asks(mut req: Request) -> Result<()> {
        let Name { name } = req
            .ask(|f| {
                f.start_with(&("a", ["pair"]));
                html! { (f.text("name")) }
            })
            .await?;
        req.print(name);
        Ok(())
    }
    let log = Log::listen();
    Browser::new(asks).get("/").await.status(500);
    assert!(log.errors()[0].says("error").contains("a form cannot start with this"), "{:?}", log.errors());
}

#[tokio::test]
async fn a_number_takes_decimals_where_its_type_has_them() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is shown whole")]
    struct Order {
        pieces: u8,
        price: Option<f64>,
        rate: f32,
        #[serde(flatten)]
        more: More,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is shown whole")]
    struct More {
        weight: f64,
        boxes: Option<i64>,
    }
    let mut browser = asks!(Order, |f| (f.number("pieces"))(f.number("price"))(
        f.number("rate").step("0.01")
    )(f.number("weight"))(f.number("boxes")));
    browser.get("/").await;
    for (field, step) in [
        ("pieces", None),
        ("price", Some("any")),
        ("rate", Some("0.01")),
        ("weight", Some("any")),
        ("boxes", None),
    ] {
        let input = elements(&browser, &format!("input[type=number][name={field}]")).remove(0);
        match step {
            Some(step) => assert!(input.contains(&format!("step=\"{step}\"")), "{input}"),
            None => assert!(!input.contains("step"), "{input}"),
        }
    }
}

#[tokio::test]
async fn attributes_can_be_set_on_every_field() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never sent")]
    struct Order {
        iban: String,
        phone: String,
        note: String,
        colour: Colour,
        ok: bool,
        secret: String,
    }
    let mut browser = asks!(Order, |f| (f
        .text("iban")
        .label("IBAN & \"more\"")
        .required()
        .autocomplete("off")
        .placeholder("DE<02>"))(
        f.text("phone").attr("type", "tel").attr("inputmode", "tel").min(1).max(9)
    )(f.textarea("note").attr("rows", 7).required())(
        f.select("colour", &COLOURS).required()
    )(f.checkbox("ok").required().label("I agree"))(
        f.password("secret").autocomplete("new-password")
    ));
    browser.get("/").await.shows("IBAN & \"more\"").shows("I agree");
    for there in [
        "input[name=iban][type=text][required][autocomplete=off][placeholder='DE<02>']",
        "input[name=phone][type=tel][inputmode=tel][min='1'][max='9']",
        "textarea[name=note][rows='7'][required]",
        "select[name=colour][required]",
        "input[name=ok][type=checkbox][value=true][required]",
        "input[name=secret][type=password][autocomplete=new-password]",
    ] {
        assert_eq!(elements(&browser, there).len(), 1, "{there} in {}", browser.html());
    }
}

#[tokio::test]
async fn one_and_several_are_chosen_of_what_is_there() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Room {
        bed: Colour,
        floors: Vec<u8>,
        extras: Vec<String>,
        token: String,
    }
    async fn asks(mut req: Request) -> Result<()> {
        let start =
            Room { bed: Colour::Blue, floors: vec![2, 3], extras: vec!["sea".into()], token: "<7>".into() };
        let floors = [("1", "first"), ("2", "second"), ("3", "third")];
        let room: Room = req
            .ask(|f| {
                f.start_with(&start);
                f.check(|room: &Room| room.extras.len() != 1, "extras", "none or two, please");
                html! {
                    (f.radio("bed", &COLOURS[1..]).required()) (f.select("floors", &floors).multiple())
                    (f.checkboxes("extras", &[("sea", "by the sea"), ("dog", "with a dog")]).required())
                    (f.hidden("token")) button { "Send" }
                }
            })
            .await?;
        req.print(format!("{room:?}"));
        Ok(())
    }
    let mut browser = Browser::new(asks);
    browser.get("/").await;
    assert_eq!((&*browser.value("bed"), &*browser.value("floors")), ("Blue", "2"));
    assert_eq!(elements(&browser, "input[type=radio][required]").len(), 2);
    assert_eq!(elements(&browser, "input[type=checkbox][required]").len(), 0, "one of them would be enough");
    browser.fill("bed", "Red").fill("floors", "1").submit().await.status(422).shows("none or two, please");
    assert_eq!(elements(&browser, "option[selected]").len(), 3, "what was chosen is still chosen");
    assert_eq!((&*browser.value("bed"), &*browser.value("extras")), ("Red", "sea"));
    browser.fill("extras", "dog").submit().await;
    browser.shows("bed: Red, floors: [1, 2, 3], extras: [\"sea\", \"dog\"], token: \"<7>\"");
    browser.get("/").await.untick("extras").submit().await.shows("extras: []");
}

#[tokio::test]
async fn lines_of_a_text_stay_as_they_are() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Letter {
        text: String,
    }
    async fn asks(mut req: Request) -> Result<()> {
        let start = Letter { text: req.param("text")? };
        let letter: Letter = req
            .ask(|f| {
                f.start_with(&start);
                f.check(|letter: &Letter| letter.text.contains("right"), "text", "say that it is right");
                html! { (f.textarea("text")) button { "Send" } }
            })
            .await?;
        req.print(format!("{:?}", letter.text));
        Ok(())
    }
    for (text, seen) in [
        ("\n\nx", "\n\nx"),
        ("\nx", "\nx"),
        ("\r\n\r\nx", "\n\nx"),
        ("x\r\ny\n", "x\ny\n"),
        ("\rx", "\nx"),
        ("<&", "<&"),
        ("", ""),
    ] {
        let mut browser = Browser::new(asks);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("text", text).finish();
        browser.get(&format!("/?{query}")).await;
        let area = |browser: &Browser| {
            let page = Html::parse_document(browser.html());
            let area = Selector::parse("textarea").expect("a selector");
            page.select(&area).map(|area| area.text().collect::<String>()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(area(&browser), seen, "at first {text:?}");
        browser.fill("text", seen).submit().await.status(422);
        assert_eq!(area(&browser), seen, "after an error {text:?}");
        let sent = format!("{seen}right");
        let came = format!("{:?}", sent.replace('\n', "\r\n"));
        browser.fill("text", &sent).submit().await;
        assert!(browser.text().contains(&came), "{came} in {}", browser.text());
    }
}

/// A photo with its title.
#[derive(Debug, Deserialize)]
struct Photo {
    title: String,
    photo: String,
}

async fn text_of(file: &UploadedFile) -> Result<String> {
    Ok(String::from_utf8(file.bytes().await?.to_vec())?)
}

async fn photo(mut req: Request) -> Result<()> {
    let answer: Photo = req
        .ask(|f| {
            f.check(|photo: &Photo| photo.title.len() > 2, "title", "three letters, please");
            html! { (f.errors()) (f.text("title")) (f.file("photo").required()) button { "Send" } }
        })
        .await?;
    let bytes = match req.file("photo")? {
        None => "no bytes".to_owned(),
        Some(photo) => req.read("photo", async || text_of(&photo).await).await?,
    };
    req.print(html! { (answer.title) ": " (answer.photo) ", " (bytes) });
    Ok(())
}

#[tokio::test]
async fn a_chosen_file_is_kept_while_another_field_is_wrong() {
    let mut browser = Browser::new(photo);
    browser.get("/").await.shows_not("Keep");
    browser.attach("photo", "cat.png", "meow").submit().await.status(422);
    browser.shows("three letters, please").shows("Keep cat.png");
    assert_eq!(elements(&browser, "input[type=file][required]").len(), 0, "there is one already");
    browser.fill("title", "No").submit().await.status(422).shows("Keep cat.png");
    browser.fill("title", "Cat").submit().await.shows("Cat: cat.png, meow");
}

#[tokio::test]
async fn another_file_takes_the_place_of_the_one_that_was_kept() {
    let mut browser = Browser::new(photo);
    browser.get("/").await.attach("photo", "cat.png", "meow").submit().await.shows("Keep cat.png");
    browser.attach("photo", "dog.png", "woof").submit().await.status(422);
    browser.shows("Keep dog.png").shows_not("cat.png");
    browser.fill("title", "Dog").submit().await.shows("Dog: dog.png, woof");
}

#[tokio::test]
async fn a_file_that_was_kept_can_be_let_go() {
    let folder = Folder::new();
    let mut browser = Browser::of(Server::new(photo).upload_dir(folder.path()));
    browser
        .get("/")
        .await
        .attach("photo", "cat.png", vec![b'm'; 100_000])
        .submit()
        .await
        .shows("Keep cat.png");
    folder.has(1).await;
    browser.untick("_kept").submit().await.status(422).shows_not("cat.png");
    folder.has(0).await;
    browser.fill("title", "Cat").submit().await.shows("Cat: , no bytes");
}

#[tokio::test]
async fn what_a_form_keeps_is_gone_when_the_form_is() {
    let folder = Folder::new();
    let mut browser = Browser::of(Server::new(photo).upload_dir(folder.path()));
    browser
        .get("/")
        .await
        .attach("photo", "cat.png", vec![b'm'; 100_000])
        .submit()
        .await
        .shows("Keep cat.png");
    folder.has(1).await;
    browser.fill("title", "Cat").submit().await.shows("Cat: cat.png, mmm");
    folder.has(0).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_form_keeps_is_gone_with_its_session() {
    let folder = Folder::new();
    let mut browser = Browser::of(Server::new(photo).upload_dir(folder.path()));
    browser
        .get("/")
        .await
        .attach("photo", "cat.png", vec![b'm'; 100_000])
        .submit()
        .await
        .shows("Keep cat.png");
    assert_eq!(folder.files().len(), 1);
    browser.wait(std::time::Duration::from_secs(3600)).await;
    folder.has(0).await;
}

#[tokio::test]
async fn several_files_are_kept_and_more_can_be_chosen() {
    #[derive(Deserialize)]
    struct Album {
        title: String,
        photos: Vec<String>,
    }
    async fn album(mut req: Request) -> Result<()> {
        let album: Album = req
            .ask(|f| {
                f.check(|album: &Album| !album.title.is_empty(), "title", "a title, please");
                html! { (f.errors()) (f.text("title")) (f.files("photos")) button { "Send" } }
            })
            .await?;
        let mut names: Vec<_> = req.files().iter().map(|file| file.name().to_owned()).collect();
        names.sort();
        req.print(html! { (album.title) ": " (names.join("+")) " of " (album.photos.len()) });
        Ok(())
    }
    let server = Server::new(album).limits(|limits| limits.files_per_hit = 3);
    let mut browser = Browser::of(server);
    browser.get("/").await.attach("photos", "a", "1").attach("photos", "b", "2").submit().await.status(422);
    browser.shows("Keep a").shows("Keep b");
    browser.attach("photos", "c", "3").submit().await.shows("Keep a").shows("Keep b").shows("Keep c");
    browser.attach("photos", "d", "4").fill("title", "Four").submit().await.status(422);
    browser.shows("Photos takes no more files");
    browser.submit().await.status(200).shows("of 3");
}

#[tokio::test]
async fn a_file_that_was_kept_by_a_server_that_is_gone_is_asked_for_again() {
    async fn begins(mut req: Request) -> Result<()> {
        req.inform("A photo, please.").await?;
        photo(req).await
    }
    let store = Memory::new();
    let server = || Server::new(begins).journal(store.clone());
    let mut browser = Browser::of(server());
    browser
        .get("/")
        .await
        .follow("OK")
        .await
        .attach("photo", "cat.png", "meow")
        .submit()
        .await
        .shows("Keep cat.png");
    browser.restart(server()).fill("title", "Cat").submit().await.status(422);
    browser.shows("Photo is not here any more: choose the file again").shows_not("Keep");
    browser.attach("photo", "cat.png", "purr").submit().await.shows("Cat: cat.png, purr");
}

#[tokio::test]
async fn files_that_are_kept_never_keep_new_ones_out() {
    let folder = Folder::new();
    let server = Server::new(photo).upload_dir(folder.path()).limits(|limits| limits.upload_files = 4);
    let mut browser = Browser::of(server);
    let mut others = Vec::new();
    for at in 0..5 {
        let mut other = browser.other();
        other.get("/").await.attach("photo", "cat.png", "meow").submit().await.status(422);
        // Two of four may wait.
        if at < 2 {
            other.shows("Keep cat.png")
        } else {
            other.shows_not("Keep")
        };
        others.push(other);
    }
    browser
        .get("/")
        .await
        .fill("title", "Cat")
        .attach("photo", "cat.png", vec![b'm'; 100_000])
        .submit()
        .await;
    browser.status(200).shows("Cat: cat.png, mmm");
    others[0].fill("title", "Cat").submit().await.shows("Cat: cat.png, meow");
    others[4].attach("photo", "cat.png", "meow").submit().await.shows("Keep cat.png");
}

#[tokio::test]
async fn a_part_of_a_page_keeps_the_files_of_its_form() {
    async fn page(mut req: Request) -> Result<()> {
        let parts = req.parts().part("photo", photo).part("counter", crate::flows::counter);
        parts.layout(|page| html! { (page.part("photo")) (page.part("counter")) }).await?;
        Ok(())
    }
    let mut browser = Browser::new(page);
    browser
        .get("/")
        .await
        .attach("photo", "cat.png", "meow")
        .submit()
        .await
        .status(422)
        .shows("Keep cat.png");
    browser.fill("title", "Cat").submit().await.shows("Cat: cat.png, meow");
}
