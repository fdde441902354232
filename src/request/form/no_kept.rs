//! Without files in forms none waits for its form to be right.

use crate::engine::Core;
use crate::hit::Hit;
use crate::wrong::Wrong;

#[derive(Default)]
pub(in crate::request) struct Kept(());

impl Kept {
    pub(in crate::request) fn join(&self, _: u32, _: &mut Hit, _: &Core) {}

    pub(super) fn refused(&self) -> Vec<(String, Wrong)> {
        Vec::new()
    }
}
