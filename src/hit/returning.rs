//! A hit that another site sent back: what it carries, and the hit without it.

use std::borrow::Cow;

use super::Hit;
use crate::mapper::returns::{PARAM, Pass, STATE, WIRE};
use crate::step;

impl Hit {
    /// Whether to look closer: links and forms of our own begin with a token.
    #[inline]
    pub(crate) fn may_be_return(&self) -> bool {
        self.pass.is_some()
            || may_carry(self.query().as_bytes())
            || self.is_urlencoded() && may_carry(&self.body)
    }

    /// What looks like a capability, and the parameter that it stands in.
    pub(crate) fn capability(&self) -> Option<(&'static str, Cow<'_, str>)> {
        let texts = [self.query(), if self.is_urlencoded() { self.form() } else { "" }];
        let find = |name| texts.iter().find_map(|text| param_in(text, name));
        let own = find(PARAM).map(|wire| (PARAM, wire));
        own.or_else(|| Some((STATE, find(STATE).filter(|wire| wire.len() == WIRE)?)))
    }

    fn form(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or_default()
    }

    /// It came by a capability, which nobody sees any more: not the program, no log, no journal.
    pub(crate) fn came_back(&mut self, pass: Pass) {
        if let Some((name, wire)) = self.capability() {
            let query = without(self.query(), name, &wire);
            let body = self.is_urlencoded().then(|| without(self.form(), name, &wire));
            let path = self.full_path();
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

/// The first of this name. Other sites may write it in their own way.
fn param_in<'t>(pairs: &'t str, name: &str) -> Option<Cow<'t, str>> {
    let mut pairs = form_urlencoded::parse(pairs.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The pairs as they came, without this one.
fn without(pairs: &str, name: &str, value: &str) -> String {
    let others = pairs.split('&').filter(|pair| param_in(pair, name).is_none_or(|other| other != value));
    others.collect::<Vec<_>>().join("&")
}
