//! A hit that another site sent back: what it carries, and the hit without it.

use std::borrow::Cow;

use super::Hit;
use crate::mapper::returns::{self, PARAM, Pass, STATE};
use crate::step;

impl Hit {
    /// Whether to look closer: links and forms of our own begin with a token.
    #[inline]
    pub(crate) fn may_be_return(&self) -> bool {
        self.pass.is_some()
            || may_carry(self.query().as_bytes())
            || self.is_urlencoded() && may_carry(&self.body)
    }

    /// What has the form of a capability, and the parameter that it stands in.
    pub(crate) fn capability(&self) -> Option<(&'static str, Cow<'_, str>)> {
        let texts = [self.query().as_bytes(), if self.is_urlencoded() { &self.body } else { b"" }];
        let find = |name| texts.iter().find_map(|pairs| capability_in(pairs, name)).map(|wire| (name, wire));
        find(PARAM).or_else(|| find(STATE))
    }

    /// It came by a capability, which nobody sees any more: not the program, no log, no journal.
    pub(crate) fn came_back(&mut self, pass: Pass) {
        if let Some((name, wire)) = self.capability() {
            let query = without(self.query().as_bytes(), name, &wire);
            let body = self.is_urlencoded().then(|| without(&self.body, name, &wire));
            let (path, query) = (self.full_path(), String::from_utf8_lossy(&query));
            let target = if query.is_empty() { path.to_owned() } else { [path, "?", &query].concat() };
            if let Ok(uri) = target.parse() {
                self.parts.uri = uri;
            }
            self.body = body.map_or_else(|| self.body.clone(), Into::into);
        }
        self.came_back_then(pass);
    }

    /// It came by a capability that was taken out before.
    pub(crate) fn came_back_then(&mut self, pass: Pass) {
        self.reply.returned = true;
        self.pass = Some(Box::new(pass));
    }

    /// How it came, if it was by a capability.
    pub(crate) fn pass(&self) -> Option<&Pass> {
        self.pass.as_deref()
    }

    /// Says whether it brought what names the session's visitor.
    pub(crate) fn set_own(&mut self, own: bool) {
        if let Some(pass) = &mut self.pass {
            pass.own = own;
        }
    }
}

fn may_carry(pairs: &[u8]) -> bool {
    let names = |name: &[u8]| [PARAM, STATE].iter().any(|ours| name.ends_with(ours.as_bytes()));
    !pairs.starts_with(concat!(step::param!(), "=").as_bytes())
        && pairs.iter().enumerate().any(|(at, byte)| *byte == b'=' && names(&pairs[..at]))
}

/// The first of this name that has the form of one. Other sites may write it in their own way.
fn capability_in<'t>(pairs: &'t [u8], name: &str) -> Option<Cow<'t, str>> {
    let of_name = form_urlencoded::parse(pairs).filter(|(key, _)| key == name);
    of_name.map(|(_, value)| value).find(|value| returns::has_form(value))
}

/// The pairs as they came, without this one.
fn without(pairs: &[u8], name: &str, value: &str) -> Vec<u8> {
    let is_other = |pair: &&[u8]| {
        let mut read = form_urlencoded::parse(pair);
        read.next().is_none_or(|(key, wire)| key != name || wire != value)
    };
    pairs.split(|byte| *byte == b'&').filter(is_other).collect::<Vec<_>>().join(&b'&')
}
