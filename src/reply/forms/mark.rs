//! What begins with `<!`, and what browsers take for a comment.

/// In a comment, or in what else is no element.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Begin,
    BeginDash,
    /// Up to the next `>`.
    Bogus,
    /// Text up to `]]>`, in SVG and MathML; how many brackets came just now.
    Section(u8),
    Start,
    StartDash,
    Comment,
    Dash,
    End,
    Bang,
}

/// What comes of a letter.
pub(super) enum Marked {
    In(Mark),
    Over,
    /// Over, or not: browsers do not agree.
    Unclear,
}

impl Mark {
    pub(super) fn read(self, byte: u8, foreign: bool) -> Marked {
        use Mark as M;
        let next = match (self, byte) {
            (M::Begin, b'-') => M::BeginDash,
            (M::Begin, b'[') if foreign => M::Section(0),
            (M::BeginDash, b'-') => M::Start,
            (M::Section(2..), b'>') => return Marked::Over,
            // In HTML within SVG it would end here.
            (M::Section(_), b'>') => return Marked::Unclear,
            (M::Section(before), b']') => M::Section(before.saturating_add(1)),
            (M::Section(_), _) => M::Section(0),
            (M::Comment | M::Dash, b'>') => M::Comment,
            (_, b'>') => return Marked::Over,
            (M::Begin | M::BeginDash | M::Bogus, _) => M::Bogus,
            (M::Start, b'-') => M::StartDash,
            (M::StartDash | M::Dash | M::End, b'-') => M::End,
            (M::Comment | M::Bang, b'-') => M::Dash,
            (M::End, b'!') => M::Bang,
            _ => M::Comment,
        };
        Marked::In(next)
    }

    /// The sign before which nothing changes.
    pub(super) fn skips_to(self) -> Option<u8> {
        match self {
            Mark::Comment => Some(b'-'),
            Mark::Bogus => Some(b'>'),
            _ => None,
        }
    }
}
