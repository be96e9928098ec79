//! The loop of a campaign: gives slots their orders, hears what they tell, and decides what
//! follows. What is news goes to the journal before anybody is told.

mod failures;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use stormglass::explore::Scenario;
use stormglass::run::worker::{Labels, Ran};

use crate::args::{Format, RunArgs};
use crate::campaign::Campaign;
use crate::commands::replay_file;
use crate::corpus;
use crate::discover::Found;
use crate::failure::State;
use crate::journal::{Begun, Journal, Line};
use crate::output::human::{self, Progress, Stand};
use crate::output::{ndjson, shown};
use crate::plan::Asked;
use crate::pool::{Event, Order, Purpose, Shared};
use crate::stop::Stop;

/// A campaign that is under way.
pub struct Runner<'a> {
    pub args: &'a RunArgs,
    pub found: &'a Found,
    pub campaign: Campaign,
    pub shared: Arc<Shared>,
    pub interrupted: bool,
    asked: Asked,
    begun: Begun,
    journal: Journal,
    slots: Vec<Sender<Order>>,
    events: Receiver<Event>,
    idle: Vec<usize>,
    /// The test whose process each slot keeps.
    keeps: Vec<Option<usize>>,
    /// What goes before seeds.
    orders: VecDeque<Order>,
    /// Failures that were made smaller: as they were, and how much of them was needed.
    shrunk: BTreeMap<usize, (Box<Scenario>, String)>,
    /// Failures that the journal does not have as they are.
    changed: BTreeSet<usize>,
    /// What is to be told when the journal has it.
    unsaid: Vec<Said>,
    progress: Progress,
    started: Instant,
}

enum Said {
    Failure(usize),
    Kept(usize),
    Warning(String),
}

/// What a runner is made of.
pub struct Parts<'a> {
    pub args: &'a RunArgs,
    pub found: &'a Found,
    pub campaign: Campaign,
    pub shared: Arc<Shared>,
    pub asked: Asked,
    pub begun: Begun,
    pub journal: Journal,
    pub slots: Vec<Sender<Order>>,
    pub events: Receiver<Event>,
}

impl<'a> Runner<'a> {
    pub fn new(parts: Parts<'a>) -> Self {
        let quiet = parts.args.format != Format::Human;
        Self {
            args: parts.args,
            found: parts.found,
            campaign: parts.campaign,
            shared: parts.shared,
            interrupted: false,
            asked: parts.asked,
            begun: parts.begun,
            journal: parts.journal,
            keeps: vec![None; parts.slots.len()],
            slots: parts.slots,
            events: parts.events,
            idle: Vec::new(),
            orders: VecDeque::new(),
            shrunk: BTreeMap::new(),
            changed: BTreeSet::new(),
            unsaid: Vec::new(),
            progress: Progress::new(parts.args.progress_every, quiet),
            started: Instant::now(),
        }
    }

    /// Real time of the campaign, with that before it was resumed.
    pub fn elapsed(&self) -> Duration {
        self.campaign.before + self.started.elapsed()
    }

    /// Runs the campaign to its end.
    pub fn run(&mut self) -> Result<(), Stop> {
        self.resume_failures();
        self.enlist_corpus()?;
        loop {
            self.assign();
            if self.is_over() {
                break;
            }
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(event) => self.hear(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the slots live as long"),
            }
            for _ in 0..EVENTS {
                let Ok(event) = self.events.try_recv() else {
                    break;
                };
                self.hear(event)?;
            }
            self.write_journal()?;
            self.say();
            self.mind_limits();
            if self.progress.is_due() {
                self.show_progress();
            }
        }
        self.write_journal()?;
        self.say();
        self.progress.finish();
        if !self.interrupted {
            self.journal.add(&[Line::Ended])?;
        }
        Ok(())
    }

    /// Tells failures of a campaign that is resumed again, and confirms those that were not.
    fn resume_failures(&mut self) {
        for number in 0..self.campaign.failures.len() {
            match self.campaign.failures[number].state {
                State::Suspected => self.confirm(number),
                State::Confirmed | State::Nondeterministic => {
                    self.unsaid.push(Said::Failure(number));
                }
                State::Merged => {}
            }
        }
    }

    /// Orders the saved failures of the campaign's tests to be run.
    fn enlist_corpus(&mut self) -> Result<(), Stop> {
        let is_first = self
            .args
            .partition
            .is_none_or(|partition| partition.number == 1);
        if self.args.no_corpus || !is_first {
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        for member in 0..self.campaign.members.len() {
            let directory = self.corpus_directory(member);
            if !seen.insert(directory.clone()) {
                continue;
            }
            let (entries, wrong) = corpus::load(&directory)?;
            self.unsaid.extend(wrong.into_iter().map(Said::Warning));
            for entry in entries {
                let owner = (0..self.campaign.members.len()).find(|member| {
                    let test = &self.found.tests[self.campaign.members[*member].test];
                    test.name == entry.scenario.test && self.corpus_directory(*member) == directory
                });
                let Some(member) = owner else {
                    let name = &entry.scenario.test;
                    if !self.found.tests.iter().any(|test| test.name == *name) {
                        let file = shown(&entry.path);
                        let text = format!("corpus: {file} is of `{name}`, which is not here");
                        self.unsaid.push(Said::Warning(text));
                    }
                    continue;
                };
                let test = self.campaign.members[member].test;
                let program = &self.found.binary(test).program;
                let labels = Labels {
                    replay: replay_file(&self.args.cargo, &self.args.process, program, &entry.path),
                    saved: shown(&entry.path),
                    shrunk: None,
                };
                self.orders.push_back(Order::Scenario {
                    purpose: Purpose::Corpus(self.campaign.kept.len()),
                    test,
                    scenario: Box::new(entry.scenario.clone()),
                    labels: Some(labels),
                });
                self.campaign.kept.push(crate::campaign::Kept {
                    member,
                    file: entry.path,
                    scenario: Box::new(entry.scenario),
                    label: None,
                    stale: Vec::new(),
                });
            }
        }
        Ok(())
    }

    fn corpus_directory(&self, member: usize) -> PathBuf {
        let test = self.campaign.members[member].test;
        let package = &self.found.binary(test).program.package;
        corpus::directory(package, self.args.corpus.as_deref())
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// Gives orders to slots that wait for them.
    fn assign(&mut self) {
        while let Some(slot) = self.idle.pop() {
            let order = self.orders.pop_front().or_else(|| self.next_seeds(slot));
            let order = order.or_else(|| self.next_check());
            let Some(order) = order else {
                self.idle.push(slot);
                return;
            };
            if let Order::Seeds { test, .. } = &order {
                self.keeps[slot] = Some(*test);
            }
            // The slot is there as long as this is.
            let _ = self.slots[slot].send(order);
        }
    }

    /// The seeds that a slot runs next.
    fn next_seeds(&mut self, slot: usize) -> Option<Order> {
        if self.is_stopping() {
            return None;
        }
        let members = &mut self.campaign.members;
        let unknown = members
            .iter_mut()
            .filter(|member| !member.pending.is_known() && member.broken.is_none());
        for member in unknown {
            if !member.pending.ask() {
                continue;
            }
            let test = member.test;
            return Some(Order::Seeds {
                test,
                first: 0,
                count: 0,
            });
        }
        let has_work = |member: &crate::campaign::Entrant| {
            member.broken.is_none() && member.pending.is_known() && !member.pending.is_done()
        };
        let keeps = self.keeps[slot];
        let kept = members
            .iter()
            .position(|it| Some(it.test) == keeps && has_work(it));
        let working = (0..members.len()).filter(|member| has_work(&members[*member]));
        let chosen = if self.asked.endless {
            // The test that had least time; the one that is there, if it is not far ahead.
            let least = working.min_by_key(|member| members[*member].tally.real_ns)?;
            let ahead = |kept: &usize| {
                members[*kept].tally.real_ns <= members[least].tally.real_ns + AHEAD_NS
            };
            kept.filter(ahead).unwrap_or(least)
        } else {
            let mut working = working;
            kept.or_else(|| working.next())?
        };
        let most = if self.shared.isolated { 1 } else { u64::MAX };
        let (first, count) = members[chosen]
            .pending
            .take(self.slots.len() as u64, most)?;
        Some(Order::Seeds {
            test: members[chosen].test,
            first,
            count,
        })
    }

    /// A seed that is to be the same in a fresh process, when there is nothing else to do.
    fn next_check(&mut self) -> Option<Order> {
        let member = self
            .campaign
            .members
            .iter_mut()
            .find(|member| member.checked.is_some() && !member.is_checked)?;
        if self.interrupted {
            return None;
        }
        member.is_checked = true;
        let (seed, _) = member.checked.as_ref()?;
        Some(Order::Again {
            test: member.test,
            seed: *seed,
        })
    }

    fn is_over(&self) -> bool {
        self.idle.len() == self.slots.len() && self.orders.is_empty()
    }

    fn hear(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Idle { slot } => self.idle.push(slot),
            Event::Interrupted => {
                self.interrupted = true;
                self.shared.stopping.store(true, Ordering::Relaxed);
            }
            Event::Ready { test, config } => {
                let member = self.campaign.member_of(test);
                let member = &mut self.campaign.members[member];
                member.unable = 0;
                member
                    .pending
                    .set(self.asked.range(&config), &member.tally.seeds);
                member.config = Some(config);
            }
            Event::Ran {
                test,
                ran,
                took,
                after,
            } => self.ran(test, &ran, took, after),
            Event::Rest { test, first, count } => {
                let member = self.campaign.member_of(test);
                self.campaign.members[member]
                    .pending
                    .give_back(first, count);
            }
            Event::Unable { test, message } => {
                let member = self.campaign.member_of(test);
                let member = &mut self.campaign.members[member];
                member.unable += 1;
                if member.pending.is_known() && member.unable < ATTEMPTS {
                    return Ok(());
                }
                if member.broken.is_none() {
                    self.unsaid.push(Said::Warning(message.clone()));
                }
                member.broken = Some(message);
            }
            Event::Answer { purpose, ran } => self.answered(purpose, &ran)?,
            Event::Repeated { test, ran } => {
                let member = self.campaign.member_of(test);
                let Some((seed, digest)) = self.campaign.members[member].checked.clone() else {
                    return Ok(());
                };
                if ran.digest != digest {
                    self.orders.push_back(Order::Doctor {
                        purpose: Purpose::Check(member),
                        test,
                        seed,
                    });
                }
            }
            Event::Shrunk { failure, smaller } => self.made_smaller(failure, smaller)?,
            Event::Diagnosed { purpose, finding } => self.diagnosed(purpose, &finding),
        }
        Ok(())
    }

    fn ran(&mut self, test: usize, ran: &Ran, took: Duration, after: u64) {
        let member = self.campaign.member_of(test);
        let known = self.campaign.failures.len();
        if let Some(failure) = self.campaign.ran(member, ran, took) {
            debug_assert_eq!(failure, known);
            self.confirm(failure);
        } else if let Some(failed) = &ran.failed {
            let id = &self.campaign.members[member].id;
            self.changed
                .extend(self.campaign.known(id, &failed.fingerprint));
        }
        // A run that came after others shows also what they left behind.
        let member = &mut self.campaign.members[member];
        if ran.failed.is_none() && !member.is_checked {
            member.checked = Some((ran.seed, ran.digest.clone()));
            if after > 0 {
                member.is_checked = true;
                self.orders.push_back(Order::Again {
                    test,
                    seed: ran.seed,
                });
            }
        }
    }

    fn write_journal(&mut self) -> Result<(), Stop> {
        let elapsed = self.elapsed();
        let changed = std::mem::take(&mut self.changed);
        let failures = changed
            .into_iter()
            .map(|number| &self.campaign.failures[number]);
        let mut lines: Vec<Line> = failures
            .map(|failure| Line::Failure(Box::new(failure.clone())))
            .collect();
        lines.extend(self.campaign.news(elapsed));
        if !lines.is_empty() {
            self.journal.add(&lines)?;
        }
        if self.journal.has_grown() {
            let mut lines = vec![Line::Begun(self.begun.clone())];
            lines.extend(self.campaign.lines(elapsed));
            self.journal.rewrite(&lines)?;
        }
        Ok(())
    }

    fn say(&mut self) {
        for said in std::mem::take(&mut self.unsaid) {
            let (text, event) = match said {
                Said::Failure(number) => {
                    let failure = &self.campaign.failures[number];
                    let event = ndjson::failure(&self.campaign, self.found, failure);
                    (format!("{}\n", failure.report), event)
                }
                Said::Kept(number) => {
                    let kept = &self.campaign.kept[number];
                    (human::kept(kept), ndjson::kept(&self.campaign, kept))
                }
                Said::Warning(text) => {
                    eprintln!("cargo stormglass: {text}");
                    continue;
                }
            };
            match self.args.format {
                Format::Human => self.progress.say(&text),
                Format::Ndjson => ndjson::print(&event),
            }
        }
    }

    fn mind_limits(&mut self) {
        let is_late = self.args.time.is_some_and(|time| self.elapsed() >= time);
        let told = |failure: &&crate::failure::Failure| failure.state != State::Suspected;
        let failures = self.campaign.distinct().filter(told).count();
        let is_enough = self
            .args
            .until_failures
            .is_some_and(|enough| failures >= enough);
        if is_late || is_enough {
            self.shared.stopping.store(true, Ordering::Relaxed);
        }
    }

    fn show_progress(&mut self) {
        let sum = self.campaign.sum();
        let goals = self.campaign.goals(self.found, 1);
        let members = self.campaign.members.iter();
        let asked = members.map(|member| {
            let (first, end) = self.asked.range(member.config.as_ref()?);
            Some(u128::from(end - first))
        });
        let of = asked.sum::<Option<u128>>().filter(|_| !self.asked.endless);
        let stand = Stand {
            seeds: sum.seeds,
            of: of.map(|of| u64::try_from(of).unwrap_or(u64::MAX)),
            elapsed: self.elapsed(),
            speed_tenths: sum.speed_tenths(),
            failures: self.campaign.distinct().count() as u64,
            goals_met: goals.iter().filter(|goal| goal.is_met()).count(),
            goals: goals.len(),
        };
        let quiet = self.args.format != Format::Human;
        if quiet {
            ndjson::print(&ndjson::progress(&stand));
        }
        self.progress.show(&stand, quiet);
    }
}

/// So many events at most are heard between two looks at the journal.
const EVENTS: usize = 1_000;
/// How often a test's process may fail to start.
const ATTEMPTS: u32 = 3;
/// How far a test may be ahead of others before its process makes room.
const AHEAD_NS: u64 = 2_000_000_000;
