//! What tells one effect from another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use continuity::journal::{Export, Memory, Store};
use continuity::prelude::*;
use continuity::test::{Browser, replay_on};

/// What the outside is like.
#[derive(Default)]
pub struct Outside {
    /// How often a card was charged.
    charges: AtomicU32,
    /// The step fails after the charge.
    fails: AtomicBool,
}

impl Outside {
    fn charges(&self) -> u32 {
        self.charges.load(Ordering::SeqCst)
    }
}

pub async fn orders(mut req: Request) -> Result<()> {
    let mut paid = 0;
    loop {
        let cents: u32 = req
            .choose(
                |c| html! { "Paid " (paid) " " (c.link("7 cents", 7_u32)) " " (c.link("5 cents", 5_u32)) },
            )
            .await?;
        let outside = req.app::<Arc<Outside>>();
        let receipt: (u32, Option<()>) = req
            .once("charge", &("card", cents, ()), async |_| {
                outside.charges.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Error>((cents, Some(())))
            })
            .await?;
        let fails = outside.fails.load(Ordering::SeqCst);
        req.read("mail", async || if fails { Err("no line") } else { Ok(()) }).await?;
        paid += req.shared::<Vec<u32>>().update(|paid| {
            paid.push(receipt.0);
            receipt.0
        })?;
    }
}

/// What a visitor leaves who has paid 5 cents, and whose payment of 7 failed after the charge.
async fn recorded() -> Vec<u8> {
    let (store, outside) = (Memory::new(), Arc::new(Outside::default()));
    let server = Server::new(orders).app(outside.clone()).journal(store.clone());
    let mut browser = Browser::of(server);
    browser.get("/").await.follow("5 cents").await.shows("Paid 5");
    outside.fails.store(true, Ordering::SeqCst);
    browser.follow("7 cents").await.status(500);
    assert_eq!(outside.charges(), 2);
    let head = store.list(0, 9).expect("it is in memory").pop().expect("there is one session");
    let mut file = Vec::new();
    Export::of(&store, head.session).expect("it is there").write(&mut file).expect("memory takes all");
    file
}

/// The second version of the format knew arguments by a hash without a key; the third by one with the session's salt.
#[tokio::test]
async fn an_effect_that_was_done_before_an_upgrade_is_found_after_it() {
    let (second, third) =
        (include_bytes!("journals/orders.2.journal"), include_bytes!("journals/orders.3.journal"));
    for export in [&second[..], &third[..], &recorded().await] {
        let outside = Arc::new(Outside::default());
        let mut browser = replay_on(export, Server::new(orders).app(outside.clone())).await;
        browser.shows("Paid 5");
        browser.follow("7 cents").await.shows("Paid 12");
        assert_eq!(outside.charges(), 0, "its step had failed after the charge");
        browser.follow("7 cents").await.shows("Paid 19");
        assert_eq!(outside.charges(), 1, "the next one is another");
        browser.back().follow("5 cents").await.shows("Paid 17");
        assert_eq!(outside.charges(), 2, "and so is one on another branch");
    }
}

/// SipHash-1-3 without a key makes the same 64 bits of the two, in CBOR.
const TWINS: [u64; 2] = [9_541_310_435_661_506_504, 12_658_462_983_202_500_697];

#[tokio::test]
async fn two_orders_that_a_visitor_has_made_look_alike_are_two() {
    async fn buys(mut req: Request) -> Result<()> {
        loop {
            let [one, other] = TWINS;
            let order: u64 = req
                .choose(|c| html! { (c.link("The cheap one", one)) (c.link("The dear one", other)) })
                .await?;
            let outside = req.app::<Arc<Outside>>();
            let receipt: u64 = req
                .once("charge", &order, async |_| {
                    outside.charges.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Error>(order)
                })
                .await?;
            req.inform(html! { "Receipt for " (receipt) }).await?;
        }
    }
    let outside = Arc::new(Outside::default());
    let mut browser = Browser::of(Server::new(buys).app(outside.clone()).journal(Memory::new()));
    browser.get("/").await.follow("The cheap one").await.shows(&format!("Receipt for {}", TWINS[0]));
    browser.back().follow("The dear one").await.shows(&format!("Receipt for {}", TWINS[1]));
    assert_eq!(outside.charges(), 2);
}
