//! The library's counter, as in its examples: links are values sealed in tokens.

#[path = "../../../examples/counter.rs"]
#[expect(dead_code, reason = "an example has a main of its own")]
mod counter;

fn main() -> continuity::Result<()> {
    continuity_bench::library::run(counter::counter)
}
