//! The visitors the generator plays: for each its cookie, the link it follows next, and the count it expects.
//!
//! A visitor takes 192 bytes and owns nothing else, so that a million of them are one allocation.

use super::page::{self, Answer};

const TEXT: usize = 185;

/// One visitor of a counter.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    count: u32,
    cookie_len: u8,
    target_len: u8,
    busy: bool,
    /// The cookie, then the target of the next request.
    text: [u8; TEXT],
}

impl Visitor {
    /// A visitor with this cookie and target, before any page.
    fn new(cookie: &[u8], target: &[u8]) -> Result<Self, String> {
        let mut visitor = Self { count: 0, cookie_len: 0, target_len: 0, busy: false, text: [0; TEXT] };
        visitor.remember(cookie, target)?;
        Ok(visitor)
    }

    pub(crate) fn cookie(&self) -> &[u8] {
        &self.text[..usize::from(self.cookie_len)]
    }

    pub(crate) fn target(&self) -> &[u8] {
        &self.text[usize::from(self.cookie_len)..][..usize::from(self.target_len)]
    }

    fn remember(&mut self, cookie: &[u8], target: &[u8]) -> Result<(), String> {
        let end = cookie.len() + target.len();
        let room = self.text.get_mut(..end).ok_or("cookie and link do not fit the generator's record")?;
        room[..cookie.len()].copy_from_slice(cookie);
        room[cookie.len()..].copy_from_slice(target);
        self.cookie_len = u8::try_from(cookie.len()).expect("the record is shorter than 256 bytes");
        self.target_len = u8::try_from(target.len()).expect("the record is shorter than 256 bytes");
        Ok(())
    }

    /// Takes the page that following the link gave. It must show the visitor's own count, changed by so much.
    pub(crate) fn take(&mut self, answer: &Answer<'_>, by: i8, scratch: &mut Vec<u8>) -> Result<(), Wrong> {
        let (count, link) = read(answer)?;
        let expected = self.count.saturating_add_signed(by.into());
        if count != u64::from(expected) {
            return Err(Wrong(format!("a visitor expected `Count: {expected}` and saw `Count: {count}`")));
        }
        self.count = expected;
        scratch.clear();
        page::resolve(link, scratch);
        match answer.cookie.filter(|cookie| *cookie != self.cookie()) {
            Some(cookie) => self.remember(cookie, scratch),
            None => self.retarget(scratch),
        }
        .map_err(Wrong)
    }

    /// Takes the page of a server that does not count: read like any other, so that it is no less work to ask for.
    fn take_unmoved(&mut self, answer: &Answer<'_>, scratch: &mut Vec<u8>) -> Result<(), Wrong> {
        let (_, link) = read(answer)?;
        scratch.clear();
        page::resolve(link, scratch);
        scratch.resize(usize::from(self.target_len), b'x');
        self.retarget(scratch).map_err(Wrong)
    }

    fn retarget(&mut self, target: &[u8]) -> Result<(), String> {
        let start = usize::from(self.cookie_len);
        let room = self.text.get_mut(start..start + target.len());
        room.ok_or("the link does not fit the generator's record")?.copy_from_slice(target);
        self.target_len = u8::try_from(target.len()).expect("the record is shorter than 256 bytes");
        Ok(())
    }
}

/// An answer that is not what the visitor had to get.
#[derive(Debug, Clone)]
pub(crate) struct Wrong(pub(crate) String);

fn read<'a>(answer: &Answer<'a>) -> Result<(u64, &'a [u8]), Wrong> {
    let body = answer.body;
    let complaint = || Wrong(format!("status {}: {}", answer.status, String::from_utf8_lossy(body)));
    if answer.status != 200 {
        return Err(complaint());
    }
    Ok((page::count(body).ok_or_else(complaint)?, page::plus_link(body).ok_or_else(complaint)?))
}

/// All visitors of one server, visited in turn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitors {
    list: Vec<Visitor>,
    cursor: usize,
    /// The length of the first page that the last new visitor got.
    first_body: usize,
    /// For a server that keeps no sessions: the length that every body must have.
    fixed_body: Option<usize>,
    /// Where the link called `--` led on the last page of each, where that is remembered.
    others: Option<Vec<Box<[u8]>>>,
    /// They follow that link next.
    minus: bool,
}

impl Visitors {
    pub(crate) fn with_room_for(count: usize) -> Self {
        Self { list: Vec::with_capacity(count), ..Self::default() }
    }

    /// Visitors for a server without sessions, whose requests are as long as those of real ones.
    pub(crate) fn of_hello(count: usize, shape: &Shape) -> Result<Self, String> {
        let cookie = format!("{:x<width$}", "sid=", width = shape.cookie);
        let target = format!("{:x<width$}", "/?_t=", width = shape.target);
        let visitor = Visitor::new(cookie.as_bytes(), target.as_bytes())?;
        Ok(Self { list: vec![visitor; count], fixed_body: Some(shape.body), ..Self::default() })
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, index: usize) -> &Visitor {
        &self.list[index]
    }

    /// The next visitor in turn who does not wait for an answer.
    pub(crate) fn next(&mut self) -> Option<usize> {
        for _ in 0..self.list.len() {
            let index = self.cursor;
            self.cursor = if index + 1 == self.list.len() { 0 } else { index + 1 };
            if !self.list[index].busy {
                self.list[index].busy = true;
                return Some(index);
            }
        }
        None
    }

    /// Brings them into another order, the same for the same seed, and begins with the first.
    pub(crate) fn shuffle(&mut self, seed: u64) {
        let mut state = seed;
        for at in (1..self.list.len()).rev() {
            let other = scattered(&mut state) % (at as u64 + 1);
            self.list.swap(at, usize::try_from(other).expect("it is at most `at`"));
        }
        self.cursor = 0;
    }

    /// Takes the answer to a visit.
    pub(crate) fn visited(
        &mut self,
        index: usize,
        answer: &Answer<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Wrong> {
        let by = if self.minus { -1 } else { 1 };
        let visitor = &mut self.list[index];
        visitor.busy = false;
        if let Some(other) = self.others.as_mut().and_then(|others| others.get_mut(index)) {
            scratch.clear();
            page::resolve(page::minus_link(answer.body).unwrap_or_default(), scratch);
            *other = scratch.as_slice().into();
        }
        match self.fixed_body {
            None => visitor.take(answer, by, scratch),
            Some(length) if answer.status == 200 && answer.body.len() == length => {
                visitor.take_unmoved(answer, scratch)
            }
            Some(_) => Err(Wrong(format!("status {}, {} bytes", answer.status, answer.body.len()))),
        }
    }

    /// From the next page on the other link of each visitor's page is remembered.
    pub(crate) fn remember_others(&mut self) {
        self.others = Some(vec![Box::default(); self.list.len()]);
    }

    /// The same visitors in another tab, each on the page where it is, about to follow the other link there.
    pub(crate) fn in_another_tab(&mut self) -> Result<Visitors, String> {
        let others = self.others.take().ok_or("nobody remembered the other link")?;
        let mut tab = Visitors { list: self.list.clone(), minus: true, ..Visitors::default() };
        tab.list.iter_mut().zip(&others).try_for_each(|(visitor, other)| visitor.retarget(other))?;
        Ok(tab)
    }

    /// From here on they follow the link called `++`.
    pub(crate) fn go_on(&mut self) {
        self.minus = false;
    }

    /// Takes the first page of a new visitor.
    pub(crate) fn begun(&mut self, answer: &Answer<'_>, scratch: &mut Vec<u8>) -> Result<(), Wrong> {
        let (count, link) = read(answer)?;
        if count != 0 {
            return Err(Wrong(format!("a new visitor saw `Count: {count}`")));
        }
        scratch.clear();
        page::resolve(link, scratch);
        let cookie = answer.cookie.ok_or_else(|| Wrong("a first page without a cookie".to_owned()))?;
        self.list.push(Visitor::new(cookie, scratch).map_err(Wrong)?);
        self.first_body = answer.body.len();
        Ok(())
    }

    /// The lengths that a new visitor brings about, if there has been one.
    pub(crate) fn shape(&self) -> Option<Shape> {
        let last = self.list.last()?;
        Some(Shape { body: self.first_body, cookie: last.cookie().len(), target: last.target().len() })
    }
}

/// The next number of splitmix64: scattered well enough for an order.
fn scattered(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The lengths that make a bare hello do the same work: of the first page, its cookie and its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Shape {
    pub(crate) body: usize,
    pub(crate) cookie: usize,
    pub(crate) target: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer<'a>(body: &'a str, cookie: Option<&'a str>) -> Answer<'a> {
        Answer { status: 200, cookie: cookie.map(str::as_bytes), body: body.as_bytes() }
    }

    #[test]
    fn a_visitor_follows_the_link_of_the_last_page() {
        let (mut visitors, mut scratch) = (Visitors::default(), Vec::new());
        let first = answer("Count: 0<a href=\"?_t=first\">++</a>", Some("sid=1"));
        visitors.begun(&first, &mut scratch).expect("a right first page");
        let index = visitors.next().expect("one is free");
        assert_eq!(visitors.next(), None, "the only one waits for its answer");
        let second = answer("Count: 1<a href=\"?_t=2\">++</a>", None);
        visitors.visited(index, &second, &mut scratch).expect("a right second page");
        assert_eq!((visitors.get(0).cookie(), visitors.get(0).target()), (&b"sid=1"[..], &b"/?_t=2"[..]));
        assert_eq!(visitors.next(), Some(0));
        let wrong = visitors.visited(0, &second, &mut scratch).expect_err("the same count again is wrong");
        assert_eq!(wrong.0, "a visitor expected `Count: 2` and saw `Count: 1`");
    }

    #[test]
    fn another_tab_follows_the_other_link_of_the_same_page() {
        let (mut visitors, mut scratch) = (Visitors::default(), Vec::new());
        let first = answer("Count: 0<a href=\"?_t=p0\">++</a>", Some("sid=1"));
        visitors.begun(&first, &mut scratch).expect("a right first page");
        visitors.remember_others();
        let second = answer("Count: 1<a href=\"?_t=p1\">++</a> <a href=\"?_t=m1\">--</a>", None);
        let index = visitors.next().expect("one is free");
        visitors.visited(index, &second, &mut scratch).expect("a right second page");
        let mut tab = visitors.in_another_tab().expect("it was remembered");
        assert_eq!((visitors.get(0).target(), tab.get(0).target()), (&b"/?_t=p1"[..], &b"/?_t=m1"[..]));
        tab.visited(0, &first, &mut scratch).expect("one less than there");
        tab.go_on();
        tab.visited(0, &second, &mut scratch).expect("one more");
    }

    #[test]
    fn a_shuffle_loses_nobody() {
        let mut visitors = Visitors::default();
        visitors
            .list
            .extend((0..100).map(|count| Visitor { count, ..Visitor::new(b"", b"").expect("short") }));
        visitors.shuffle(1);
        let mut counts: Vec<u32> = visitors.list.iter().map(|visitor| visitor.count).collect();
        assert!(!counts.is_sorted(), "it is another order");
        counts.sort_unstable();
        assert_eq!(counts, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_hello_is_checked_by_status_and_length() {
        let page = "Count: 0<a href=\"?_t=x\">++</a>";
        let shape = Shape { body: page.len(), cookie: 36, target: 30 };
        let (mut visitors, mut scratch) = (Visitors::of_hello(2, &shape).expect("it fits"), Vec::new());
        let index = visitors.next().expect("one is free");
        assert_eq!((visitors.get(index).cookie().len(), visitors.get(index).target().len()), (36, 30));
        assert!(visitors.visited(index, &answer(page, None), &mut scratch).is_ok());
        assert_eq!(visitors.get(0).target().len(), 30, "requests stay as long as they are");
        assert!(visitors.visited(index, &answer("abcd", None), &mut scratch).is_err());
    }
}
