//! What must come of each click: a tree of steps with pages, and nothing of how the library does it.

use std::collections::HashMap;

use continuity::OldPages;

use super::desk::{LONGEST, Op};

/// What tells one answer to a page from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Link(Op),
    Word(&'static str),
}

impl Answer {
    fn is_wrong(&self) -> bool {
        matches!(self, Answer::Word(word) if word.len() > LONGEST)
    }
}

/// What a hit asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It carries no token.
    Plain,
    /// Where the session is.
    Here,
    Answer {
        session: usize,
        page: usize,
        answer: Answer,
    },
    /// The page that a form has made, by its address.
    Address {
        session: usize,
        node: usize,
        notice: bool,
        tried: Option<&'static str>,
    },
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The page of a step; `notice`: with a word that the answer came from an older one; `wrong`: what was filled in was.
    Page {
        session: usize,
        node: usize,
        notice: bool,
        wrong: bool,
    },
    /// A page of its own: the answer came from an older one.
    Outdated,
    /// The page that was asked for is none any more: the current one, unless that was printed.
    NotKept {
        session: usize,
        node: usize,
    },
    Expired,
    Committed,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Choose,
    Ask,
    Slip,
    End,
}

/// A step that came to its page.
#[derive(Debug, Clone)]
pub struct Node {
    parent: Option<usize>,
    answer: Option<Answer>,
    pub kind: Kind,
    pub trail: String,
    pub basket: String,
    /// The step that drew it; 0: nobody did.
    pub luck: usize,
    /// What was printed before the page.
    pub receipt: Option<u32>,
    /// How often each was paid on the way here.
    paid: [u32; 2],
    /// Checkpoints on the way here.
    checkpoints: u32,
    commit: bool,
    /// Somebody went back behind it.
    cut: bool,
}

/// One session, from its first page to its last.
#[derive(Debug, Clone)]
pub struct Line {
    pub nodes: Vec<Node>,
    here: usize,
    over: bool,
    basket: String,
    /// What came of payments, by amount and how many such were before it on the way.
    receipts: HashMap<(usize, u32, u32), u32>,
    /// Hits that were taken.
    taken: usize,
}

#[derive(Debug, Clone)]
pub struct Model {
    policy: OldPages,
    /// Payments are counted from the last checkpoint on, and there is one before each page of links.
    pub checkpoints: bool,
    pub lines: Vec<Line>,
    /// How often something was paid.
    pub till: u32,
    /// What was filled in wrongly the last time, and where.
    tried: Option<(usize, &'static str)>,
}

impl Model {
    pub fn new(policy: OldPages, checkpoints: bool) -> Model {
        Model { policy, checkpoints, lines: vec![Line::new()], till: 0, tried: None }
    }

    pub fn node(&self, session: usize, node: usize) -> &Node {
        &self.lines[session].nodes[node]
    }

    /// Hits that the last session has taken.
    pub fn taken(&self) -> usize {
        self.line().taken
    }

    /// The page that a hit gets, and what it does.
    pub fn hit(&mut self, asked: &Asked) -> Shown {
        let session = self.lines.len() - 1;
        let over = self.lines[session].over;
        match asked {
            Asked::Plain if over => {
                self.lines.push(Line::new());
                self.page(0)
            }
            Asked::Plain => self.plain(),
            Asked::Address { session: of, node, .. }
                if *of != session || (over && *node != self.line().here) =>
            {
                Shown::Expired
            }
            Asked::Address { node, .. } if over => self.page(*node),
            Asked::Address { node, notice, tried, .. } => self.address(*node, *notice, *tried),
            Asked::Here if over => Shown::Expired,
            Asked::Here => self.page(self.line().here),
            Asked::Answer { session: of, page, answer } if over => {
                let here = self.line().here;
                let last = &self.line().nodes[here];
                let again =
                    *of == session && last.parent == Some(*page) && last.answer.as_ref() == Some(answer);
                if again { self.page(here) } else { Shown::Expired }
            }
            Asked::Answer { session: of, .. } if *of != session => self.outdated(),
            Asked::Answer { page, answer, .. } => self.answer(*page, answer),
        }
    }

    /// Where the session is.
    pub fn here(&self) -> (usize, usize) {
        (self.lines.len() - 1, self.line().here)
    }

    fn line(&self) -> &Line {
        self.lines.last().expect("there is always one")
    }

    fn line_mut(&mut self) -> &mut Line {
        self.lines.last_mut().expect("there is always one")
    }

    fn page(&self, node: usize) -> Shown {
        Shown::Page { session: self.lines.len() - 1, node, notice: false, wrong: false }
    }

    fn plain(&mut self) -> Shown {
        let here = self.line().here;
        if self.line().nodes[here].kind != Kind::Slip {
            return self.page(here);
        }
        self.line_mut().taken += 1;
        let trail = format!("{}sl", self.line().nodes[here].trail);
        let node = self.line().next(here, None, Kind::Choose, trail);
        self.arrive(node)
    }

    /// The session leaves memory.
    pub fn forget_tries(&mut self) {
        self.tried = None;
    }

    fn address(&self, node: usize, notice: bool, tried: Option<&'static str>) -> Shown {
        let (session, line) = (self.lines.len() - 1, self.line());
        if tried.is_some_and(|word| self.tried == Some((node, word))) {
            return Shown::Page { session, node, notice: false, wrong: true };
        }
        if line.nodes[node].cut {
            return Shown::NotKept { session, node: line.here };
        }
        match line.nodes[node].kind {
            _ if !line.is_after_commit(node) && node != line.here => Shown::Committed,
            Kind::Slip if notice => Shown::Outdated,
            _ => Shown::Page { session, node, notice, wrong: false },
        }
    }

    fn outdated(&self) -> Shown {
        let (session, node) = (self.lines.len() - 1, self.line().here);
        match self.line().nodes[node].kind {
            Kind::Slip => Shown::Outdated,
            _ => Shown::Page { session, node, notice: true, wrong: false },
        }
    }

    fn answer(&mut self, page: usize, answer: &Answer) -> Shown {
        let line = self.line();
        let here = &line.nodes[line.here];
        // Who asks for the page that is there gets it, whatever is before it.
        if here.parent == Some(page) && here.answer.as_ref() == Some(answer) {
            return self.page(line.here);
        }
        if line.nodes[page].cut {
            return self.outdated();
        }
        if let Some(node) = line.answers(page).find(|node| line.nodes[*node].answer.as_ref() == Some(answer))
        {
            return if line.is_after_commit(node) { self.page(node) } else { Shown::Committed };
        }
        if !line.is_after_commit(page) {
            return Shown::Committed;
        }
        let old = page != line.here && line.answers(page).next().is_some();
        if old && self.policy == OldPages::Refuse {
            return self.outdated();
        }
        if let Answer::Word(word) = answer
            && answer.is_wrong()
        {
            self.tried = Some((page, *word));
            let session = self.lines.len() - 1;
            return Shown::Page { session, node: page, notice: false, wrong: true };
        }
        self.take(page, answer)
    }

    fn take(&mut self, page: usize, answer: &Answer) -> Shown {
        if self.policy == OldPages::Rewind {
            self.line_mut().cut_after(page);
        }
        self.line_mut().here = page;
        self.line_mut().taken += 1;
        let line = self.line();
        let trail = line.nodes[page].trail.clone();
        let next = |kind, trail| line.next(page, Some(answer.clone()), kind, trail);
        let on = |more: &str| next(Kind::Choose, format!("{trail}{more}"));
        let node = match answer {
            Answer::Word(word) => on(&format!("{word}na")),
            Answer::Link(op) => match op {
                Op::Left | Op::Right => on(&op.link()[..2]),
                Op::Name => next(Kind::Ask, trail),
                Op::Slip => next(Kind::Slip, trail),
                Op::End => next(Kind::End, trail),
                Op::Luck => Node { luck: line.nodes.len(), ..on("lu") },
                Op::Seal => {
                    let node = Node { commit: true, ..on("se") };
                    self.forget_tries();
                    node
                }
                Op::Share => {
                    self.line_mut().basket.push_str(&format!("{},", trail.len()));
                    self.line().next(page, Some(answer.clone()), Kind::Choose, trail + "sh")
                }
                Op::Pay | Op::Tip => {
                    let node = on(&op.link()[..2]);
                    self.pay(node, usize::from(*op == Op::Tip))
                }
                Op::Fail => {
                    self.forget_tries();
                    return Shown::Failed;
                }
                Op::FailLate => {
                    // What was paid stays paid; nothing else of it was.
                    let node = on("");
                    self.pay(node, 0);
                    self.forget_tries();
                    return Shown::Failed;
                }
            },
        };
        self.arrive(node)
    }

    fn pay(&mut self, node: Node, what: usize) -> Node {
        let (nth, next) = (node.paid[what], self.till + 1);
        // The node that pays is behind the checkpoint of its own page.
        let since = if self.checkpoints { node.checkpoints - 1 } else { 0 };
        let receipt = *self.line_mut().receipts.entry((what, nth, since)).or_insert(next);
        self.till = self.till.max(receipt);
        let mut paid = node.paid;
        paid[what] += u32::from(!self.checkpoints);
        Node { paid, receipt: Some(receipt), ..node }
    }

    fn arrive(&mut self, node: Node) -> Shown {
        let ends = node.kind == Kind::End;
        let line = self.line_mut();
        line.nodes.push(node);
        let at = line.nodes.len() - 1;
        line.here = at;
        if ends {
            self.tried = None;
            let line = self.line_mut();
            match line.open_end() {
                Some(other) => line.here = other,
                None => line.over = true,
            }
        }
        self.page(at)
    }
}

impl Line {
    fn new() -> Line {
        let first = Node {
            parent: None,
            answer: None,
            kind: Kind::Choose,
            trail: String::new(),
            basket: String::new(),
            luck: 0,
            receipt: None,
            paid: [0; 2],
            checkpoints: 1,
            commit: false,
            cut: false,
        };
        Line {
            nodes: vec![first],
            here: 0,
            over: false,
            basket: String::new(),
            receipts: HashMap::new(),
            taken: 0,
        }
    }

    /// A step that follows a page.
    fn next(&self, page: usize, answer: Option<Answer>, kind: Kind, trail: String) -> Node {
        let basket = self.basket.clone();
        let of = &self.nodes[page];
        let (luck, paid) = (of.luck, of.paid);
        let checkpoints = of.checkpoints + u32::from(kind == Kind::Choose);
        Node {
            parent: Some(page),
            answer,
            kind,
            trail,
            basket,
            luck,
            receipt: None,
            paid,
            checkpoints,
            commit: false,
            cut: false,
        }
    }

    fn answers(&self, page: usize) -> impl Iterator<Item = usize> {
        (0..self.nodes.len())
            .rev()
            .filter(move |node| self.nodes[*node].parent == Some(page) && !self.nodes[*node].cut)
    }

    fn back_from(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |at| self.nodes[*at].parent)
    }

    fn is_after_commit(&self, node: usize) -> bool {
        let last = (0..self.nodes.len()).rev().find(|at| self.nodes[*at].commit && !self.nodes[*at].cut);
        last.is_none_or(|last| self.back_from(node).any(|at| at == last))
    }

    /// The end of another branch that somebody may go on from: the one that was answered last.
    fn open_end(&self) -> Option<usize> {
        (0..self.nodes.len()).rev().find(|at| {
            let node = &self.nodes[*at];
            !node.cut
                && node.kind != Kind::End
                && self.answers(*at).next().is_none()
                && self.is_after_commit(*at)
        })
    }

    /// What came after this page on the way here is no part of the past.
    fn cut_after(&mut self, page: usize) {
        if !self.back_from(self.here).any(|at| at == page) {
            return;
        }
        let after: Vec<_> = self.back_from(self.here).take_while(|at| *at != page).collect();
        for at in after {
            self.nodes[at].cut = true;
        }
    }
}
