//! The library's counter without tokens, as in its examples: plain links and plain `next()`.

#[path = "../../../examples/counter_simple.rs"]
#[expect(dead_code, reason = "an example has a main of its own")]
mod counter_simple;

fn main() -> continuity::Result<()> {
    continuity_bench::library::run(counter_simple::counter_simple)
}
