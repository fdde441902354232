//! Asks one question a day, for years: a checkpoint at the loop's head lets go of all that was before it.

use std::time::{SystemTime, UNIX_EPOCH};

use continuity::prelude::*;

#[path = "journal.rs"]
mod journal;
#[path = "port.rs"]
mod port;

pub async fn survey(mut req: Request) -> Result<()> {
    let mut diary = req.restore_or(Diary::default())?;
    loop {
        req.checkpoint(&diary)?;
        let today = day(req.now());
        if diary.next <= today {
            let grade = req.choose(|c| question(c, &diary)).await?;
            diary.grades.push(grade);
            diary.next = day(req.now()) + 1;
        }
        if let Go::On = req.choose(|c| results(c, &diary)).await? {
            diary.next = today;
        }
    }
}

/// All that there is to know of a visitor.
#[derive(Default, Serialize, Deserialize)]
struct Diary {
    grades: Vec<u8>,
    /// The day of the next question.
    next: u64,
}

const QUESTIONS: [&str; 3] = ["How did you sleep?", "How was the tea?", "How was your day?"];

impl Diary {
    fn question(&self) -> &'static str {
        QUESTIONS[self.grades.len() % QUESTIONS.len()]
    }

    /// The grades of one question.
    fn grades(&self, question: usize) -> impl Iterator<Item = u8> {
        self.grades.iter().copied().skip(question).step_by(QUESTIONS.len())
    }
}

/// Days since 1970.
fn day(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

fn question(c: &Choices<'_, u8>, diary: &Diary) -> Markup {
    html! {
        h1 { "Day " (diary.grades.len() + 1) ": " (diary.question()) }
        p { "Badly " @for grade in 1..=5 { (c.link(grade, grade)) " " } "very well" }
    }
}

#[derive(Serialize, Deserialize)]
enum Go {
    Look,
    On,
}

fn results(c: &Choices<'_, Go>, diary: &Diary) -> Markup {
    html! {
        h1 { "Days so far: " (diary.grades.len()) }
        @for (at, question) in QUESTIONS.iter().enumerate() {
            p { (question) @for grade in diary.grades(at) { " " (grade) } }
        }
        p { "The next question comes tomorrow. " (c.link("Is it there?", Go::Look)) " " (c.link("I cannot wait", Go::On)) }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(journal::keep(Server::new(survey), "survey")?).await
}
