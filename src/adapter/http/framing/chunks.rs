//! A chunked body: sizes, extensions, data, trailers (RFC 9112 7.1).

use super::bytes::{TOKEN, VALUE, is};
use super::{Bounds, Fault, fault};

/// Bytes of all chunk extensions of a body; nobody needs any.
const EXTENSIONS: usize = 16_000;
/// Bytes of all trailers of a body; they are read over.
const TRAILERS: usize = 16_000;

/// A chunked body as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    stage: Stage,
    /// The size that is being read, then what is left of the chunk.
    left: u64,
    extensions: usize,
    trailers: usize,
    fields: usize,
}

/// What is read next.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Stage {
    #[default]
    Size,
    MoreSize,
    /// Blanks, and then an extension.
    Blank,
    /// Blanks, and then the extension's name.
    BeforeName,
    Name,
    /// Blanks after the name: a value or another extension follows.
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    Escaped,
    /// Blanks after a value: another extension follows.
    AfterValue,
    /// The quote is closed.
    Closed,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

impl Chunks {
    /// Reads on: how many of these bytes belong to the body and are in order, and whether it is over.
    pub(super) fn read(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<(usize, bool), (usize, Fault)> {
        let mut at = 0;
        while at < bytes.len() {
            if self.stage == Stage::Data {
                let some = self.left.min((bytes.len() - at) as u64);
                self.left -= some;
                at += usize::try_from(some).expect("not more than there is");
                if self.left == 0 {
                    self.stage = Stage::DataCr;
                }
                continue;
            }
            self.stage = self.step(bytes[at]).map_err(|fault| (at, fault))?;
            self.count(bounds).map_err(|fault| (at, fault))?;
            at += 1;
            if self.stage == Stage::End {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Where a byte leads.
    fn step(&mut self, byte: u8) -> Result<Stage, Fault> {
        if self.stage as u8 >= Stage::Trailer as u8 {
            return self.trailer(byte);
        }
        let next = match (self.stage, byte) {
            (Stage::Size | Stage::MoreSize, _) if byte.is_ascii_hexdigit() => return self.digit(byte),
            (Stage::MoreSize | Stage::Name | Stage::Value | Stage::Closed, b'\r') => Stage::SizeLf,
            (Stage::SizeLf, b'\n') if self.left == 0 => Stage::Trailer,
            (Stage::SizeLf, b'\n') => Stage::Data,
            (Stage::DataCr, b'\r') => Stage::DataLf,
            (Stage::DataLf, b'\n') => Stage::Size,
            (stage, byte) => return extension(stage, byte),
        };
        Ok(next)
    }

    /// 2^60 is more than anybody sends, and far from what overflows.
    fn digit(&mut self, byte: u8) -> Result<Stage, Fault> {
        let digit = char::from(byte).to_digit(16).ok_or(fault::CHUNK)?;
        if self.left >> 56 != 0 {
            return Err(fault::CHUNK);
        }
        self.left = self.left << 4 | u64::from(digit);
        Ok(Stage::MoreSize)
    }

    fn trailer(&mut self, byte: u8) -> Result<Stage, Fault> {
        Ok(match (self.stage, byte) {
            (Stage::Trailer, b'\r') => Stage::EndLf,
            (Stage::EndLf, b'\n') => Stage::End,
            (Stage::Trailer | Stage::TrailerName, _) if is(byte, TOKEN) => Stage::TrailerName,
            (Stage::TrailerName, b':') => Stage::TrailerValue,
            (Stage::TrailerValue, b'\r') => Stage::TrailerLf,
            (Stage::TrailerValue, _) if is(byte, VALUE) => Stage::TrailerValue,
            (Stage::TrailerLf, b'\n') => Stage::Trailer,
            _ => return Err(fault::TRAILER),
        })
    }

    /// Keeps what is read over within its bounds.
    fn count(&mut self, bounds: &Bounds) -> Result<(), Fault> {
        match self.stage {
            Stage::Size | Stage::MoreSize | Stage::SizeLf | Stage::Data | Stage::DataCr | Stage::DataLf => {}
            stage if (stage as u8) < Stage::Trailer as u8 => self.extensions += 1,
            Stage::TrailerLf => self.fields += 1,
            _ => self.trailers += 1,
        }
        if self.extensions > EXTENSIONS {
            return Err(fault::CHUNK);
        }
        let large = self.trailers > TRAILERS || self.fields > bounds.fields;
        if large { Err(fault::TRAILER) } else { Ok(()) }
    }
}

/// Where a byte leads in an extension.
fn extension(stage: Stage, byte: u8) -> Result<Stage, Fault> {
    use Stage::*;
    Ok(match (stage, byte) {
        (MoreSize | Blank | Name | AfterName | Value | Closed | AfterValue, b';') => BeforeName,
        (MoreSize | Blank, b' ' | b'\t') => Blank,
        (BeforeName, b' ' | b'\t') => BeforeName,
        (Name | AfterName, b' ' | b'\t') => AfterName,
        (Name | AfterName, b'=') => BeforeValue,
        (BeforeValue, b' ' | b'\t') => BeforeValue,
        (Value | Closed | AfterValue, b' ' | b'\t') => AfterValue,
        (BeforeName | Name, _) if is(byte, TOKEN) => Name,
        (BeforeValue, b'"') => Quoted,
        (BeforeValue | Value, _) if is(byte, TOKEN) => Value,
        (Quoted, b'"') => Closed,
        (Quoted, b'\\') => Escaped,
        (Quoted | Escaped, _) if is(byte, VALUE) => Quoted,
        _ => return Err(fault::CHUNK),
    })
}
