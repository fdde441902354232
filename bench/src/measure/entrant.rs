//! A server that shares a round with others: its visitors and connections, and what it did when it was its turn.

use std::time::Duration;

use super::Bench;
use crate::load::{Generator, Stats, Visitors};
use crate::machine::Watch;
use crate::process::Server;

#[derive(Debug)]
pub(crate) struct Entrant {
    pub(crate) server: Server,
    pub(crate) stats: Stats,
    /// The CPU time it used in its turns.
    pub(crate) cpu: Duration,
    visitors: Visitors,
    generator: Generator,
}

impl Entrant {
    /// Opens the connections that all turns use.
    pub(crate) fn new(
        bench: &Bench,
        server: Server,
        visitors: Visitors,
        connections: usize,
    ) -> Result<Self, String> {
        let generator = bench.connect(&server, connections)?;
        Ok(Self { server, stats: Stats::new(), cpu: Duration::ZERO, visitors, generator })
    }

    /// Its generator lets others have its core while it waits.
    pub(crate) fn napping(self) -> Self {
        Entrant { generator: self.generator.napping(), ..self }
    }

    /// Does what `load` does, without counting it.
    pub(crate) fn warm_up(
        &mut self,
        bench: &mut Bench,
        load: impl FnOnce(&mut Generator, &mut Visitors) -> Result<Stats, String>,
    ) -> Result<(), String> {
        bench.run(&self.server, &mut self.generator, &mut self.visitors, load).map(drop)
    }

    /// Takes a turn.
    pub(crate) fn play(
        &mut self,
        bench: &mut Bench,
        load: impl FnOnce(&mut Generator, &mut Visitors) -> Result<Stats, String>,
    ) -> Result<(), String> {
        let pass = bench.run(&self.server, &mut self.generator, &mut self.visitors, load)?;
        self.stats.add(pass.stats);
        self.cpu += pass.cpu;
        Ok(())
    }
}

/// Gives each entrant its turns, forwards and backwards; the cores that others kept busy meanwhile.
pub(crate) fn play_in_turn(
    entrants: &mut [Entrant],
    turns: usize,
    mut play: impl FnMut(&mut Entrant) -> Result<(), String>,
) -> Result<f64, String> {
    let servers_cpu = |entrants: &[Entrant]| entrants.iter().map(|entrant| entrant.server.cpu()).sum();
    let watch = Watch::begin(servers_cpu(entrants));
    for turn in 0..turns {
        let forwards = turn.is_multiple_of(2);
        for index in 0..entrants.len() {
            play(&mut entrants[if forwards { index } else { entrants.len() - 1 - index }])?;
        }
    }
    Ok(watch.others(servers_cpu(entrants)))
}
