//! What a campaign has found so far: sums of runs and distinct failures.

use std::time::Duration;

use stormglass::Config;
use stormglass::explore::Fingerprint;
use stormglass::run::worker::{FailedRun, Ran};

use crate::discover::Found;
use crate::failure::{Failure, State};
use crate::goals::{self, Goal, Member};
use crate::journal::{Line, Told};
use crate::plan::Pending;
use crate::tally::Tally;
use stormglass::explore::Label;

/// A test of a campaign.
pub struct Entrant {
    /// Its number among those that were found.
    pub test: usize,
    pub id: String,
    pub config: Option<Box<Config>>,
    pub pending: Pending,
    pub tally: Tally,
    /// What the journal does not have yet.
    pub news: Tally,
    /// A seed that is to be the same again, and its digest.
    pub checked: Option<(u64, String)>,
    /// Whether that was asked for.
    pub is_checked: bool,
    /// How often its process could not be started.
    pub unable: u32,
    /// Why it cannot be run.
    pub broken: Option<String>,
}

/// A saved failure that was run.
pub struct Kept {
    pub member: usize,
    pub file: std::path::PathBuf,
    pub scenario: Box<stormglass::run::Scenario>,
    pub label: Option<Label>,
    /// What it found no target for.
    pub stale: Vec<String>,
}

/// The state of a campaign.
pub struct Campaign {
    pub members: Vec<Entrant>,
    pub failures: Vec<Failure>,
    pub kept: Vec<Kept>,
    /// Real time before this process, if it goes on with another's campaign.
    pub before: Duration,
}

impl Campaign {
    pub fn new(found: &Found, tests: &[usize]) -> Self {
        let member = |test: &usize| Entrant {
            test: *test,
            id: found.id(*test),
            config: None,
            pending: Pending::default(),
            tally: Tally::default(),
            news: Tally::default(),
            checked: None,
            is_checked: false,
            unable: 0,
            broken: None,
        };
        Self {
            members: tests.iter().map(member).collect(),
            failures: Vec::new(),
            kept: Vec::new(),
            before: Duration::ZERO,
        }
    }

    /// Takes over what a journal tells.
    pub fn restore(&mut self, told: Told) {
        for (id, tally) in told.tallies {
            if let Some(member) = self.members.iter_mut().find(|member| member.id == id) {
                member.tally = tally;
            }
        }
        self.failures = told.failures;
        self.before = Duration::from_millis(told.elapsed_ms);
    }

    /// The journal's lines of all that is known.
    pub fn lines(&self, elapsed: Duration) -> Vec<Line> {
        let ran = |member: &Entrant| Line::Ran {
            test: member.id.clone(),
            tally: Box::new(member.tally.clone()),
            elapsed_ms: millis(elapsed),
        };
        let failures = self.failures.iter().cloned().map(Box::new);
        let begun = self
            .members
            .iter()
            .filter(|member| member.tally != Tally::default());
        begun.map(ran).chain(failures.map(Line::Failure)).collect()
    }

    /// What is new since the last call.
    pub fn news(&mut self, elapsed: Duration) -> Vec<Line> {
        let mut lines = Vec::new();
        for member in &mut self.members {
            let news = std::mem::take(&mut member.news);
            if news != Tally::default() {
                lines.push(Line::Ran {
                    test: member.id.clone(),
                    tally: Box::new(news),
                    elapsed_ms: millis(elapsed),
                });
            }
        }
        lines
    }

    /// Counts a run; if it failed in a way that is new, gives the number of that failure.
    pub fn ran(&mut self, member: usize, ran: &Ran, took: Duration) -> Option<usize> {
        let it = &mut self.members[member];
        // One that a killed runner's process had begun may come twice.
        it.tally.add_run(ran, took);
        it.news.add_run(ran, took);
        it.pending.took(took);
        let failed = ran.failed.as_ref()?;
        let id = it.id.clone();
        if let Some(known) = self.known(&id, &failed.fingerprint) {
            let known = &mut self.failures[known];
            known.count += 1;
            known.seed = known.seed.min(ran.seed);
            return None;
        }
        Some(self.add(member, failed, ran.seed, &ran.digest))
    }

    /// The failure of a test that has this fingerprint.
    pub fn known(&self, test: &str, fingerprint: &Fingerprint) -> Option<usize> {
        let is_it = |failure: &Failure| failure.test == test && failure.fingerprint == *fingerprint;
        self.failures.iter().position(is_it)
    }

    /// The number of a test in the campaign.
    pub fn member_of(&self, test: usize) -> usize {
        let position = self.members.iter().position(|member| member.test == test);
        position.expect("slots run tests of the campaign")
    }

    pub fn member_by_id(&self, id: &str) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    /// The failures, each once.
    pub fn distinct(&self) -> impl Iterator<Item = &Failure> {
        self.failures
            .iter()
            .filter(|failure| failure.state != State::Merged)
    }

    /// Whether some failure is in one of these states.
    pub fn has(&self, states: &[State]) -> bool {
        self.failures
            .iter()
            .any(|failure| states.contains(&failure.state))
    }

    /// Gives a failure the fingerprint that its replay had. If another failure has it, that one
    /// counts for both, and this gives false.
    pub fn rename(&mut self, number: usize, fingerprint: Fingerprint) -> bool {
        let (count, seed) = (self.failures[number].count, self.failures[number].seed);
        let test = self.failures[number].test.clone();
        match self
            .known(&test, &fingerprint)
            .filter(|known| *known != number)
        {
            Some(known) => {
                let known = &mut self.failures[known];
                known.count += count;
                known.seed = known.seed.min(seed);
                self.failures[number].state = State::Merged;
                false
            }
            None => {
                self.failures[number].fingerprint = fingerprint;
                true
            }
        }
    }

    /// Adds a failure, and gives its number.
    pub fn add(&mut self, member: usize, failed: &FailedRun, seed: u64, digest: &str) -> usize {
        let number = self.failures.len();
        self.failures.push(Failure {
            number,
            test: self.members[member].id.clone(),
            fingerprint: failed.fingerprint.clone(),
            count: 1,
            seed,
            scenario: Box::new(failed.scenario.clone()),
            digest: digest.to_owned(),
            state: State::Suspected,
            file: None,
            report: String::new(),
        });
        number
    }

    /// The sum over all tests. Its seeds are those of several tests, so only their number counts.
    pub fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for member in &self.members {
            sum.seeds += member.tally.seeds.count();
            sum.steps += member.tally.steps;
            sum.virtual_ns += u128::from(member.tally.virtual_ns);
            sum.real_ns += u128::from(member.tally.real_ns);
            sum.excused += member.tally.excused;
            sum.failed += member.tally.failed;
        }
        sum
    }

    /// All goals that are to be reached, met or not.
    pub fn goals(&self, found: &Found, after: u64) -> Vec<Goal> {
        let binaries = found.binaries.iter().enumerate();
        let members: Vec<Member<'_>> = binaries
            .map(|(number, binary)| {
                let of_it = self
                    .members
                    .iter()
                    .filter(|member| found.tests[member.test].binary == number);
                let tallies: Vec<&Tally> = of_it.map(|member| &member.tally).collect();
                Member {
                    properties: &binary.properties,
                    is_whole: tallies.len() == binary.tests,
                    tallies,
                }
            })
            .filter(|member| !member.tallies.is_empty())
            .collect();
        goals::judge(&members, after)
    }
}

/// The sum over all tests of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub seeds: u64,
    pub steps: u64,
    pub virtual_ns: u128,
    /// In processes of tests.
    pub real_ns: u128,
    pub excused: u64,
    pub failed: u64,
}

impl Sum {
    /// Whether more than one run in a hundred was excused.
    pub const fn is_excused_too_often(&self) -> bool {
        self.excused * 100 > self.seeds
    }

    /// How many virtual seconds a second of a process gave, in tenths.
    pub fn speed_tenths(&self) -> u64 {
        let tenths = (self.virtual_ns * 10).checked_div(self.real_ns);
        u64::try_from(tenths.unwrap_or(0)).unwrap_or(u64::MAX)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
