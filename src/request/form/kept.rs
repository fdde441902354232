//! Files that were chosen already, while another field of their form is not right yet.
//!
//! Browsers do not choose a file again by themselves, and its bytes are here. So they wait with the form until it is right
//! or given up. They are nowhere else: after a restart, or when the session was parked, the visitor is told to choose them
//! again.

use std::cell::Cell;
use std::sync::Arc;

use maud::{Markup, html};

use crate::engine::Core;
use crate::hit::Hit;
use crate::intake::multipart::Sent;
use crate::intake::spool::{Room, Spool};
use crate::request::file::UploadedFile;
use crate::wrong::Wrong;

/// The box by which a visitor keeps a file: its value is the file's number and its field.
const PARAM: &str = "_kept";

/// What waits with the forms of a page.
#[derive(Default)]
pub(in crate::request) struct Kept(Cell<Option<Box<Waiting>>>);

/// The files of one form.
struct Waiting {
    /// Which form of the page it is.
    part: u32,
    files: Vec<Held>,
    /// Fields whose file was to be kept and is not, and why.
    refused: Vec<(String, Wrong)>,
    spool: Arc<Spool>,
}

struct Held {
    file: UploadedFile,
    /// Its field takes several.
    several: bool,
    _room: Room,
}

impl Kept {
    /// Puts the files that the visitor keeps to those that came; a new one takes the old one's place. What was not kept is
    /// let go.
    pub(in crate::request) fn join(&self, part: u32, hit: &mut Hit, core: &Core) {
        let before = self.0.take().filter(|waiting| waiting.part == part);
        let Some(sent) = hit.sent_mut() else { return };
        let mut waiting = Waiting { part, files: Vec::new(), refused: Vec::new(), spool: core.spool.clone() };
        let came: Vec<String> = sent.files.iter().map(|file| file.field().to_owned()).collect();
        for value in take_fields(sent) {
            let Some((number, field)) = value.split_once(' ') else { continue };
            let held = before.as_ref().zip(number.parse().ok());
            let held = held.and_then(|(before, at): (_, usize)| before.files.get(at));
            let held = held.filter(|held| held.file.field() == field);
            if held.is_none_or(|held| !held.several) && came.iter().any(|new| new == field) {
                continue;
            }
            match held {
                None => waiting.refused.push((field.to_owned(), Wrong::Gone)),
                Some(held) if has_room(sent, &held.file, core) => keep(sent, held.file.clone()),
                Some(_) => waiting.refused.push((field.to_owned(), Wrong::Full)),
            }
        }
        self.0.set(Some(Box::new(waiting)));
    }

    /// What was to be kept and is not.
    pub(super) fn refused(&self) -> Vec<(String, Wrong)> {
        self.with(|waiting| std::mem::take(&mut waiting.refused)).unwrap_or_default()
    }

    /// Has the files of a field wait, as far as there is room; the boxes to keep them by.
    pub(in crate::request) fn hold(&self, hit: &Hit, field: &str, several: bool) -> Option<Markup> {
        let files = hit.files().unwrap_or_default().iter().filter(|file| file.field() == field);
        let held: Vec<_> = self.with(|waiting| {
            let mut numbers = Vec::new();
            for file in files {
                let Some(room) = waiting.spool.room(file.bytes_in_memory()) else { break };
                numbers.push((waiting.files.len(), file.name()));
                waiting.files.push(Held { file: file.clone(), several, _room: room });
            }
            numbers
        })?;
        let boxes = html! {
            @for (number, name) in &held {
                " " label class="kept" {
                    input type="checkbox" name=(PARAM) value={ (number) " " (field) } checked; " Keep " (name)
                }
            }
        };
        (!held.is_empty()).then_some(boxes)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Waiting) -> T) -> Option<T> {
        let mut waiting = self.0.take();
        let seen = waiting.as_deref_mut().map(look);
        self.0.set(waiting);
        seen
    }
}

/// Takes out which files are to be kept: the program does not see it.
fn take_fields(sent: &mut Sent) -> Vec<String> {
    let taken = sent.fields.extract_if(.., |(name, _)| name == PARAM);
    taken.map(|(_, value)| value).collect()
}

/// What is kept and what comes is no more than may come at once.
fn has_room(sent: &Sent, file: &UploadedFile, core: &Core) -> bool {
    let bytes: u64 = sent.files.iter().map(UploadedFile::len).sum();
    sent.files.len() < core.limits.files_per_hit && bytes + file.len() <= core.limits.upload as u64
}

/// As if it had come now: its name is its field's value.
fn keep(sent: &mut Sent, file: UploadedFile) {
    let (field, name) = (file.field().to_owned(), file.name().to_owned());
    match sent.fields.iter_mut().find(|(own, value)| *own == field && value.is_empty()) {
        Some((_, value)) => *value = name,
        None => sent.fields.push((field, name)),
    }
    sent.files.push(file);
}
