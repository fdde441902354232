//! Pages that are printed: their forms get tokens by themselves, so that a repeat of what they send is known as one.

use crate::address::action;
use crate::hit::Hit;
use crate::session::{Session, Way};

/// Gives the forms of a page that is about to leave the tokens of its step. With `more` the page goes on.
///
/// By [`next`](super::Request::next), and by [`flush`](super::Request::flush) before it is known who waits: a page that is
/// chosen on has tokens of its own, and a last page is answered by nobody.
#[inline]
pub(super) fn seal_forms(session: &Session, hit: &mut Hit, more: bool) {
    if hit.reply.may_have_forms(more) {
        seal(session, hit, more);
    }
}

#[inline(never)]
fn seal(session: &Session, hit: &mut Hit, more: bool) {
    let (core, label) = (&session.core, session.label);
    let (step, flow, fleeting) = session.talk(|talk| (talk.step, talk.flow, talk.way == Way::Fleeting));
    // Nobody comes back to a session that was made for one page.
    if fleeting || !core.flow(flow).has_form_tokens() {
        return;
    }
    let place = (session.serial, step, session.old_bits());
    // Where a parameter names the visitor it is the program that puts it into its forms.
    let action = if core.flow(flow).in_url { String::new() } else { action(hit.query()) };
    let seal = |nth, token: &mut String| core.seal.seal_form(place, nth, label, token);
    hit.reply.add_tokens(core.limits.page, more, &action, seal);
}
