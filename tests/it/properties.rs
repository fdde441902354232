//! Whatever bytes come in, nobody gets into another's session; whatever is clicked in whatever order, a counter counts
//! what a small model of the policy says.

use continuity::prelude::*;
use continuity::test::Browser;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bare::{Bare, Seen};
use crate::flows::counter;

/// Shows what nobody else may see.
async fn diary_of_ada(mut req: Request) -> continuity::Result<()> {
    let mut page = 0;
    if req.path() != "/ada" {
        req.print("Not Ada's");
        return Ok(());
    }
    loop {
        page += req.choose(|c| html! { "Secret, page " (page) " " (c.link("turn", 1)) }).await?;
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

/// Ada's cookie and the link on her page.
async fn ada(bare: &Bare) -> (String, String) {
    let page = bare.ask(crate::bare::get("/ada", &[])).await;
    let link = page.body.split('"').find(|part| part.starts_with("?_t=")).expect("a link");
    (page.cookie().expect("an id"), link.to_owned())
}

/// Sends these bytes as path, cookie, token, query and body; `None` if HTTP itself does not let them through.
async fn send(bare: &Bare, fields: [&[u8]; 4]) -> Option<Seen> {
    let [path, query, cookie, body] = fields;
    let uri = [b"/", path, b"?", query].concat();
    let request = http::Request::post(http::Uri::try_from(uri).ok()?)
        .header("cookie", http::HeaderValue::from_bytes(cookie).ok()?)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.to_vec().into());
    Some(bare.ask(request.ok()?).await)
}

/// A change of one byte: its place (as a fraction) and what it becomes.
fn changed(text: &str, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    bytes[at] = byte;
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn line_02_no_bytes_open_anothers_session(
        path in vec(any::<u8>(), 0..20), query in vec(any::<u8>(), 0..200),
        cookie in vec(any::<u8>(), 0..200), body in vec(any::<u8>(), 0..200),
    ) {
        run(async {
            let bare = Bare::start(Server::new(diary_of_ada).cookie("sid")).await;
            ada(&bare).await;
            let named = [b"sid=", &*cookie].concat();
            let token = [b"_t=", &*query].concat();
            for fields in [[&path[..], &query, &cookie, &body], [b"ada", &token, &named, &token]] {
                if let Some(answer) = send(&bare, fields).await {
                    assert!(answer.status < 500, "{}", answer.status);
                    assert!(!answer.body.contains("page 1"), "{}", answer.body);
                }
            }
        });
    }

    #[test]
    fn line_02_no_changed_id_or_token_opens_anothers_session(at in any::<usize>(), byte in 0x21_u8..0x7f) {
        run(async {
            let bare = Bare::start(Server::new(diary_of_ada).cookie("sid")).await;
            let (cookie, link) = ada(&bare).await;
            let (id, query) = (&cookie["sid=".len()..], &link[1..]);
            let other = changed(id, at, byte);
            // The same digit in upper case is the same digit.
            if !other.eq_ignore_ascii_case(id.as_bytes()) {
                let cookie = [b"sid=", &*other].concat();
                let answer = send(&bare, [b"ada", query.as_bytes(), &cookie, b""]).await;
                prop_assert!(answer.is_none_or(|answer| answer.status == 410));
            }
            let other = changed(&query["_t=".len()..], at, byte);
            if !other.eq_ignore_ascii_case(&query.as_bytes()["_t=".len()..]) {
                let query = [b"_t=", &*other].concat();
                let answer = send(&bare, [b"ada", &query, cookie.as_bytes(), b""]).await;
                prop_assert!(answer.is_none_or(|answer| answer.body.contains("Secret, page 0")));
            }
            let answer = send(&bare, [b"ada", query.as_bytes(), cookie.as_bytes(), b""]).await;
            prop_assert!(answer.expect("as it came").body.contains("Secret, page 1"));
            Ok(())
        })?;
    }

    #[test]
    fn line_04_parameters_come_as_they_were_sent_or_name_the_field(number in any::<i64>(), text in any::<String>()) {
        async fn parrot(mut req: Request) -> continuity::Result<()> {
            let (number, text): (i64, String) = (req.param("number")?, req.param("text")?);
            req.send("text/plain", format!("{number} {text}"))?;
            Ok(())
        }
        run(async {
            let mut browser = Browser::new(parrot);
            browser.post("/", &[("text", &text), ("number", &number.to_string())]).await.status(200);
            prop_assert_eq!(browser.html(), format!("{number} {text}"));
            browser.post("/", &[("number", &text), ("text", "")]).await;
            match text.trim().parse::<i64>() {
                Ok(number) => prop_assert_eq!(browser.html(), format!("{number} ")),
                Err(_) => drop(browser.status(400).shows("`number`")),
            }
            Ok(())
        })?;
    }
}

#[derive(Debug, Clone, Copy)]
enum Click {
    Plus,
    Minus,
    Reload,
    Back,
    Forward,
    Address,
    NewTab,
    OtherTab(usize),
}

fn clicks() -> impl Strategy<Value = Vec<Click>> {
    vec(
        prop_oneof![
            4 => Just(Click::Plus),
            3 => Just(Click::Minus),
            3 => Just(Click::Reload),
            3 => Just(Click::Back),
            1 => Just(Click::Forward),
            1 => Just(Click::Address),
            1 => Just(Click::NewTab),
            2 => any::<usize>().prop_map(Click::OtherTab),
        ],
        1..60,
    )
}

/// What an answer says: which step's page it comes from, and by how much to count.
type Answer = (u32, i64);

/// A page in the model: what asked for it, and what it shows.
#[derive(Clone, Copy)]
struct Page {
    asked: Option<Answer>,
    step: u32,
    count: i64,
    older: bool,
}

/// The policy for old pages, without a journal: current page, with a notice.
#[derive(Default)]
struct Model {
    step: u32,
    count: i64,
    applied: Option<Answer>,
}

impl Model {
    fn hit(&mut self, asked: Option<Answer>) -> Page {
        let older = match asked {
            Some((step, by)) if step == self.step => {
                (self.step, self.count, self.applied) = (step + 1, self.count + by, asked);
                false
            }
            _ => asked.is_some() && asked != self.applied,
        };
        Page { asked, step: self.step, count: self.count, older }
    }
}

/// A tab with the pages that it has been to, as the model has them.
struct Tab {
    browser: Browser,
    pages: Vec<Page>,
    at: usize,
}

impl Tab {
    async fn open(mut browser: Browser, model: &mut Model) -> Tab {
        browser.get("/").await;
        Tab { browser, pages: vec![model.hit(None)], at: 0 }
    }

    async fn click(&mut self, click: Click, model: &mut Model) {
        let page = self.pages[self.at];
        match click {
            Click::Plus => self.follow("++", (page.step, 1), model).await,
            Click::Minus => self.follow("--", (page.step, -1), model).await,
            Click::Reload => {
                self.browser.reload().await;
                self.pages[self.at] = model.hit(page.asked);
            }
            Click::Back if self.at > 0 => {
                self.browser.back().await;
                self.at -= 1;
            }
            Click::Forward if self.at + 1 < self.pages.len() => {
                self.browser.forward().await;
                self.at += 1;
            }
            Click::Address => {
                self.browser.get("/").await;
                self.arrive(page.asked.is_some(), model.hit(None));
            }
            _ => {}
        }
    }

    async fn follow(&mut self, link: &str, answer: Answer, model: &mut Model) {
        self.browser.follow(link).await;
        self.arrive(true, model.hit(Some(answer)));
    }

    fn arrive(&mut self, is_next: bool, page: Page) {
        self.at += usize::from(is_next);
        self.pages.truncate(self.at);
        self.pages.push(page);
    }

    fn check(&mut self) {
        let page = self.pages[self.at];
        self.browser.status(200).shows(&format!("Count: {} ", page.count));
        if page.older {
            self.browser.shows("older page");
        } else {
            self.browser.shows_not("older page");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn line_11_whatever_is_clicked_the_counter_counts_what_the_policy_says(clicks in clicks()) {
        run(async {
            let mut model = Model { step: 1, ..Model::default() };
            let mut tabs = vec![Tab::open(Browser::new(counter), &mut model).await];
            let mut here = 0;
            for click in clicks {
                match click {
                    Click::NewTab => {
                        let tab = tabs[here].browser.new_tab();
                        tabs.push(Tab::open(tab, &mut model).await);
                        here = tabs.len() - 1;
                    }
                    Click::OtherTab(tab) => here = tab % tabs.len(),
                    click => tabs[here].click(click, &mut model).await,
                }
                tabs[here].check();
            }
            tabs[here].browser.get("/").await.shows(&format!("Count: {} ", model.count));
        });
    }
}
