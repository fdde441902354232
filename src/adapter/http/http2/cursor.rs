//! Where frames begin and end in a stream of bytes (RFC 9113 4.1), and the numbers in those that have some.

/// Kinds of frames (RFC 9113 6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const RST_STREAM: u8 = 3;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const GOAWAY: u8 = 7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 8;
    pub(in super::super) const CONTINUATION: u8 = 9;
}

/// What frames say of themselves.
pub(super) mod flag {
    pub(in super::super) const END_STREAM: u8 = 1;
    pub(in super::super) const END_HEADERS: u8 = 4;
}

const HEAD: usize = 9;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) length: u32,
    pub(super) kind: u8,
    flags: u8,
    pub(super) stream: u32,
}

/// What was read of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head(Frame),
    /// A setting, or the four bytes of a window and nothing.
    Value(Frame, [u8; 6]),
    End(Frame),
}

/// Where in a stream of frames the reader is.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The frame whose payload is being read, and how much of it is left.
    frame: Option<(Frame, u32)>,
    /// What was read of a head or a value.
    kept: [u8; HEAD],
    filled: usize,
}

impl Frame {
    fn read(head: [u8; HEAD]) -> Frame {
        let [a, b, c, kind, flags, stream @ ..] = head;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Frame { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream }
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// How long the values in it are; 0 if nobody wants to know them.
    fn unit(self) -> usize {
        match self.kind {
            kind::SETTINGS => 6,
            kind::WINDOW_UPDATE => 4,
            _ => 0,
        }
    }
}

impl Cursor {
    /// Reads on; `None` if that needs more bytes.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Part> {
        loop {
            let Some((frame, left)) = self.frame else {
                self.fill(HEAD, bytes)?;
                let frame = Frame::read(self.kept);
                self.frame = Some((frame, frame.length));
                return Some(Part::Head(frame));
            };
            if left == 0 {
                (self.frame, self.filled) = (None, 0);
                return Some(Part::End(frame));
            }
            let read = self.pay(frame, left, bytes)?;
            if let Some(value) = read {
                return Some(Part::Value(frame, value));
            }
        }
    }

    /// Reads on in a payload: a value, if one is whole; `None` if there are no bytes.
    fn pay(&mut self, frame: Frame, left: u32, bytes: &mut &[u8]) -> Option<Option<[u8; 6]>> {
        if bytes.is_empty() {
            return None;
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let unit = frame.unit();
        let some = if unit == 0 { most } else { most.min(unit - self.filled) };
        let (read, rest) = bytes.split_at(some);
        *bytes = rest;
        self.frame = Some((frame, left - u32::try_from(some).unwrap_or(left)));
        if unit > 0 {
            self.kept[self.filled..self.filled + some].copy_from_slice(read);
            self.filled += some;
        }
        let whole = unit > 0 && self.filled == unit;
        Some(whole.then(|| {
            self.filled = 0;
            let [value @ .., _, _, _] = self.kept;
            value
        }))
    }

    /// Reads until so much is kept.
    fn fill(&mut self, length: usize, bytes: &mut &[u8]) -> Option<()> {
        let some = bytes.len().min(length - self.filled);
        let (read, rest) = bytes.split_at(some);
        self.kept[self.filled..self.filled + some].copy_from_slice(read);
        self.filled += some;
        *bytes = rest;
        (self.filled == length).then(|| self.filled = 0)
    }

    /// Whether it is at the beginning of a frame.
    pub(super) fn is_between(&self) -> bool {
        self.frame.is_none_or(|(_, left)| left == 0) && self.filled == 0
    }
}
