//! Guesses the animal you think of, and learns from all visitors: their sessions share one tree of questions.

use std::sync::{Arc, Mutex};

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn animals(mut req: Request) -> Result<()> {
    loop {
        req.inform("Think of an animal. I will guess it.").await?;
        if play(&mut req).await? {
            req.inform("I got it!").await?;
        }
        if !req.confirm("Play again?").await? {
            break;
        }
    }
    req.print(html! { p { "Bye!" } a href="?" { "Start over" } });
    Ok(())
}

/// One round: whether the animal was guessed. If not, it is known from then on.
async fn play(req: &mut Request) -> Result<bool> {
    let tree = req.app::<Tree>();
    let mut at = 0;
    let animal = loop {
        match req.read("node", async || tree.node(at)).await? {
            Node::Animal(animal) => break animal,
            Node::Question { text, yes, no } => at = if req.confirm(text).await? { yes } else { no },
        }
    };
    if req.confirm(format!("Is it {}?", with_article(&animal))).await? {
        return Ok(true);
    }
    let lesson: Lesson = req.ask(|f| lesson(f, &animal)).await?;
    req.once("learn", &(at, &lesson), async |_key| tree.learn(at, &lesson)).await?;
    Ok(false)
}

/// What a visitor teaches.
#[derive(Serialize, Deserialize)]
struct Lesson {
    animal: String,
    question: String,
    #[serde(default)]
    answer_is_yes: bool,
}

fn lesson(f: &Form<'_, Lesson>, guessed: &str) -> Markup {
    let fits = |text: &str| (1..=100).contains(&text.trim().chars().count());
    f.check(|lesson| fits(&lesson.animal), "animal", "1 to 100 letters, please");
    f.check(|lesson| fits(&lesson.question), "question", "1 to 100 letters, please");
    html! {
        p { "What was it then? And which question tells it from " (with_article(guessed)) "?" }
        (f.text("animal")) (f.text("question")) (f.checkbox("answer_is_yes")) button { "Teach me" }
    }
}

fn with_article(animal: &str) -> String {
    let article = if animal.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {animal}")
}

/// A place in the tree: an animal, or a question with the places its answers lead to.
#[derive(Clone, Serialize, Deserialize)]
enum Node {
    Animal(String),
    Question { text: String, yes: usize, no: usize },
}

/// What all sessions share. Nodes are never removed, so that a place stays one while others teach; but they go with the
/// process, and a session that outlives it begins at the root again.
#[derive(Clone)]
pub struct Tree(Arc<Mutex<Vec<Node>>>);

impl Tree {
    /// More is not learned.
    const NODES: usize = 10_000;

    fn node(&self, at: usize) -> Result<Node> {
        let nodes = self.0.lock().map_err(|_| "the tree is broken")?;
        Ok(nodes.get(at).unwrap_or(&nodes[0]).clone())
    }

    /// Puts the question where `at` is; what was there is its other answer.
    fn learn(&self, at: usize, lesson: &Lesson) -> Result<()> {
        let mut nodes = self.0.lock().map_err(|_| "the tree is broken")?;
        if nodes.len() < Self::NODES {
            let at = if at < nodes.len() { at } else { 0 };
            let (old, new) = (nodes.len(), nodes.len() + 1);
            let (yes, no) = if lesson.answer_is_yes { (new, old) } else { (old, new) };
            let question = Node::Question { text: lesson.question.trim().into(), yes, no };
            let was = std::mem::replace(&mut nodes[at], question);
            nodes.extend([was, Node::Animal(lesson.animal.trim().into())]);
        }
        Ok(())
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree(Arc::new(Mutex::new(vec![Node::Animal("dog".into())])))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(animals).app(Tree::default())).await
}
