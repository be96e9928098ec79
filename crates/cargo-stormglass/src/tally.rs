//! What the runs of a test add up to.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stormglass::kernel::{Family, FaultCounters};
use stormglass::property::Properties;
use stormglass::run::worker::Ran;

use crate::ranges::Ranges;

/// The sum of some runs of one test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub seeds: Ranges,
    pub steps: u64,
    pub virtual_ns: u64,
    /// Real time in processes of tests.
    pub real_ns: u64,
    pub excused: u64,
    /// Runs that failed.
    pub failed: u64,
    pub counters: FaultCounters,
    /// Families that plans named.
    pub planned: BTreeSet<Family>,
    pub properties: Properties,
}

impl Tally {
    pub fn add_run(&mut self, ran: &Ran, took: Duration) {
        self.seeds.add(ran.seed, ran.seed + 1);
        self.steps += ran.steps;
        self.virtual_ns = self.virtual_ns.saturating_add(ran.virtual_ns);
        self.real_ns += u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.excused += u64::from(ran.excused);
        self.failed += u64::from(ran.failed.is_some());
        self.counters.add(&ran.counters);
        self.planned.extend(&ran.planned);
        add_properties(&mut self.properties, &ran.properties);
    }

    pub fn add(&mut self, other: &Self) {
        for (first, end) in other.seeds.iter() {
            self.seeds.add(first, end);
        }
        self.steps += other.steps;
        self.virtual_ns = self.virtual_ns.saturating_add(other.virtual_ns);
        self.real_ns += other.real_ns;
        self.excused += other.excused;
        self.failed += other.failed;
        self.counters.add(&other.counters);
        self.planned.extend(&other.planned);
        add_properties(&mut self.properties, &other.properties);
    }
}

fn add_properties(sum: &mut Properties, other: &Properties) {
    for (name, count) in other {
        match sum.get_mut(name) {
            Some(mine) => mine.add(count),
            None => {
                sum.insert(name.clone(), count.clone());
            }
        }
    }
}
