//! The program that scripts click through: all that a session can do on its way, on one page of links.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use continuity::prelude::*;

/// What a link of the desk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    Left,
    Right,
    /// Goes to a form.
    Name,
    Pay,
    Tip,
    Luck,
    Share,
    /// Nobody goes back behind it.
    Seal,
    /// Goes to a page that is printed, and takes what comes next.
    Slip,
    Fail,
    /// Shares, pays and seals, and fails then.
    FailLate,
    End,
}

impl Op {
    pub const ALL: [Op; 12] = [
        Op::Left,
        Op::Right,
        Op::Name,
        Op::Pay,
        Op::Tip,
        Op::Luck,
        Op::Share,
        Op::Slip,
        Op::Seal,
        Op::Fail,
        Op::FailLate,
        Op::End,
    ];

    /// What its link says.
    pub fn link(self) -> &'static str {
        ["left", "right", "name", "pay", "tip", "luck", "share", "seal", "slip", "fail", "late", "end"]
            [self as usize]
    }
}

/// Words longer than this are refused.
pub const LONGEST: usize = 3;

#[derive(Deserialize)]
struct Word {
    word: String,
}

/// How often something was paid, by anybody.
#[derive(Debug, Default)]
pub struct Till {
    pub paid: AtomicU32,
    /// The desk makes checkpoints.
    pub checkpoints: bool,
}

/// What all branches of a session have put there.
#[derive(Default, Serialize, Deserialize)]
struct Basket(String);

/// Where a branch is.
#[derive(Default, Serialize, Deserialize)]
struct Desk {
    trail: String,
    luck: u64,
}

pub async fn desk(mut req: Request) -> Result<()> {
    let mut desk = req.restore_or(Desk::default())?;
    loop {
        if req.app::<Arc<Till>>().checkpoints {
            req.checkpoint(&desk)?;
        }
        let basket = req.shared::<Basket>().get()?.0;
        let op: Op = req
            .choose(|c| {
                html! {
                    "At " (desk.trail) ". Basket " (basket) ". Luck " (desk.luck) ". "
                    @for op in Op::ALL { (c.link(op.link(), op)) " " }
                }
            })
            .await?;
        if op == Op::End {
            break;
        }
        desk.apply(&mut req, op).await?;
    }
    req.print(html! { "Bye " (desk.trail) "." });
    Ok(())
}

impl Desk {
    async fn apply(&mut self, req: &mut Request, op: Op) -> Result<()> {
        match op {
            Op::Left | Op::Right | Op::End => {}
            Op::Name => {
                let word = self.name(req).await?;
                self.trail.push_str(&word);
            }
            Op::Pay => self.pay(req, 1).await?,
            Op::Tip => self.pay(req, 2).await?,
            Op::Luck => self.luck = req.rng().random(),
            Op::Share => self.share(req)?,
            Op::Seal => drop(req.commit()),
            Op::Slip => {
                req.print(html! { "Slip " (self.trail) ". " a href="/?on=1" { "on" } }).next().await?;
            }
            Op::Fail => return Err("told to".into()),
            Op::FailLate => {
                self.share(req)?;
                self.pay(req, 1).await?;
                req.commit();
                return Err("told to, late".into());
            }
        }
        self.trail.push_str(&op.link()[..2]);
        Ok(())
    }

    async fn name(&self, req: &mut Request) -> Result<String> {
        let Word { word } = req
            .ask(|f| {
                f.check(|a: &Word| a.word.len() <= LONGEST, "word", "too long");
                html! { "Name for " (self.trail) "? " (f.errors()) (f.text("word")) button { "Send" } }
            })
            .await?;
        Ok(word)
    }

    async fn pay(&self, req: &mut Request, cents: u32) -> Result<()> {
        let till = req.app::<Arc<Till>>();
        let pay = async |_| Ok::<_, Error>(till.paid.fetch_add(1, Ordering::SeqCst) + 1);
        let receipt: u32 = req.once("pay", &cents, pay).await?;
        req.print(html! { "Receipt " (receipt) ". " });
        Ok(())
    }

    fn share(&self, req: &mut Request) -> Result<()> {
        let item = self.trail.len();
        req.shared::<Basket>().update(|basket| basket.0.push_str(&format!("{item},")))?;
        Ok(())
    }
}
