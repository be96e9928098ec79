//! The slots: threads that each keep one process of a test busy with what they are ordered.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use stormglass::Config;
use stormglass::explore::Fingerprint;
use stormglass::run::Scenario;
use stormglass::run::worker::{FailedRun, Job, Labels, Message, Ran};

use crate::doctor::{self, Finding};
use crate::shrink;
use crate::worker::{Launch, Served, Worker};

/// What a slot is asked to do.
pub enum Order {
    /// Seeds of a test; with none, only its configuration is wanted.
    Seeds { test: usize, first: u64, count: u64 },
    /// A scenario, in a fresh process.
    Scenario {
        purpose: Purpose,
        test: usize,
        scenario: Box<Scenario>,
        labels: Option<Labels>,
    },
    /// One seed, in a fresh process.
    Again { test: usize, seed: u64 },
    /// A smaller scenario that fails in the same way.
    Shrink {
        failure: usize,
        test: usize,
        scenario: Box<Scenario>,
    },
    /// What makes a seed another run each time.
    Doctor {
        purpose: Purpose,
        test: usize,
        seed: u64,
    },
}

/// For what an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To confirm a failure.
    Confirm(usize),
    /// To write the report of a failure that was made smaller.
    Report(usize),
    /// To see what became of an entry of the corpus.
    Corpus(usize),
    /// To check that a seed is the same run again.
    Check(usize),
}

/// What a slot tells.
pub enum Event {
    /// A test's process is there, and this is the test's own configuration.
    Ready { test: usize, config: Box<Config> },
    /// A seed was run.
    Ran {
        test: usize,
        ran: Box<Ran>,
        took: Duration,
        /// How many seeds were run in its process before.
        after: u64,
    },
    /// Seeds that were ordered and not run.
    Rest { test: usize, first: u64, count: u64 },
    /// A test's process cannot be started.
    Unable { test: usize, message: String },
    /// A scenario was run.
    Answer { purpose: Purpose, ran: Box<Ran> },
    /// A seed was run again.
    Repeated { test: usize, ran: Box<Ran> },
    /// A scenario was made smaller, or as small as it was.
    Shrunk {
        failure: usize,
        /// The smaller one, and how much was needed; `None` if it is as small as it was.
        smaller: Option<(Box<Scenario>, String)>,
    },
    /// What the doctor found.
    Diagnosed { purpose: Purpose, finding: Finding },
    /// The slot waits for an order.
    Idle { slot: usize },
    /// Ctrl-C.
    Interrupted,
}

/// What all slots share.
pub struct Shared {
    /// How each test is started.
    pub launches: Vec<Launch>,
    /// Set when no more seeds are to be run.
    pub stopping: AtomicBool,
    /// Each seed has a process of its own.
    pub isolated: bool,
    /// How long a failure may be made smaller.
    pub shrink_for: Duration,
    /// Where the doctor may put files.
    pub scratch: PathBuf,
}

/// Starts the slots. Each says that it is idle first.
pub fn start(count: usize, shared: &Arc<Shared>, events: &Sender<Event>) -> Vec<Sender<Order>> {
    let slot = |number| {
        let (orders, receiver) = channel();
        let slot = Slot {
            number,
            shared: shared.clone(),
            events: events.clone(),
            kept: None,
        };
        thread::spawn(move || slot.run(&receiver));
        orders
    };
    (0..count).map(slot).collect()
}

struct Slot {
    number: usize,
    shared: Arc<Shared>,
    events: Sender<Event>,
    /// A process that waits for more seeds of its test, and how many it has run.
    kept: Option<(usize, Worker, u64)>,
}

impl Slot {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            self.tell(Event::Idle { slot: self.number });
            let Ok(order) = orders.recv() else { return };
            match order {
                Order::Seeds { test, first, count } => self.seeds(test, first, count),
                Order::Scenario {
                    purpose,
                    test,
                    scenario,
                    labels,
                } => match self.fresh(test, &scenario, labels) {
                    Ok(ran) => self.tell(Event::Answer { purpose, ran }),
                    Err(message) => self.tell(Event::Unable { test, message }),
                },
                Order::Again { test, seed } => self.again(test, seed),
                Order::Shrink {
                    failure,
                    test,
                    scenario,
                } => self.shrink(failure, test, &scenario),
                Order::Doctor {
                    purpose,
                    test,
                    seed,
                } => {
                    let directory = self.shared.scratch.join(format!("doctor-{}", self.number));
                    let launch = &self.shared.launches[test];
                    let finding = doctor::examine(launch, Some(seed), &directory);
                    self.tell(Event::Diagnosed { purpose, finding });
                }
            }
        }
    }

    fn tell(&self, event: Event) {
        // The other end is gone only when the campaign is over.
        let _ = self.events.send(event);
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    fn seeds(&mut self, test: usize, first: u64, count: u64) {
        let rest = |next: u64| Event::Rest {
            test,
            first: next,
            count: first + count - next,
        };
        let (mut worker, mut after) = match self.kept.take() {
            Some((kept, worker, after)) if kept == test => (worker, after),
            _ => match Worker::start(&self.shared.launches[test]) {
                Ok(worker) => {
                    let config = Box::new(worker.config.clone());
                    self.tell(Event::Ready { test, config });
                    (worker, 0)
                }
                Err(message) => {
                    self.tell(rest(first));
                    return self.tell(Event::Unable { test, message });
                }
            },
        };
        let mut next = first;
        let mut begun = Instant::now();
        let served = worker.serve(&Job::Seeds { first, count }, |message| {
            match message {
                Message::Began { .. } => begun = Instant::now(),
                Message::Ran(ran) => {
                    next = ran.seed + 1;
                    let took = begun.elapsed();
                    self.tell(Event::Ran {
                        test,
                        ran,
                        took,
                        after,
                    });
                    after += 1;
                    return next == first + count || !self.is_stopping();
                }
                _ => {}
            }
            true
        });
        match served {
            Served::Idle if !self.shared.isolated => self.kept = Some((test, worker, after)),
            Served::Idle => {}
            Served::Gone {
                running: Some(seed),
                death,
            } => {
                let name = &self.shared.launches[test].test;
                let (how, last) = (&death.how, &death.last_words);
                let failed = FailedRun::died(name, &worker.config, seed, how, last);
                let (ran, took) = (Box::new(Ran::died(failed)), begun.elapsed());
                next = seed + 1;
                self.tell(Event::Ran {
                    test,
                    ran,
                    took,
                    after,
                });
            }
            // It said itself that its run hangs, and ended; or this runner is stopping.
            Served::Gone { running: None, .. } => {}
        }
        if next < first + count {
            self.tell(rest(next));
        }
    }

    /// Runs a scenario in a fresh process.
    fn fresh(
        &self,
        test: usize,
        scenario: &Scenario,
        report: Option<Labels>,
    ) -> Result<Box<Ran>, String> {
        let launch = &self.shared.launches[test];
        let mut worker = Worker::start(launch)?;
        Ok(run_scenario(&mut worker, launch, scenario, report).0)
    }

    fn again(&self, test: usize, seed: u64) {
        let launch = &self.shared.launches[test];
        let mut worker = match Worker::start(launch) {
            Ok(worker) => worker,
            Err(message) => return self.tell(Event::Unable { test, message }),
        };
        let job = Job::Seeds {
            first: seed,
            count: 1,
        };
        let ran = run_one(&mut worker, launch, &job).0;
        self.tell(Event::Repeated { test, ran });
    }

    fn shrink(&self, failure: usize, test: usize, scenario: &Scenario) {
        let launch = &self.shared.launches[test];
        let smaller = shrink::with_processes(launch, scenario, self.shared.shrink_for);
        let smaller = smaller.map(|shrunk| (Box::new(shrunk.scenario), shrunk.told));
        self.tell(Event::Shrunk { failure, smaller });
    }
}

/// Runs a scenario, and tells whether the process is still there.
pub fn run_scenario(
    worker: &mut Worker,
    launch: &Launch,
    scenario: &Scenario,
    report: Option<Labels>,
) -> (Box<Ran>, bool) {
    let job = Job::Scenario {
        scenario: Box::new(scenario.clone()),
        report,
    };
    let (mut ran, is_there) = run_one(worker, launch, &job);
    if let Some(failed) = &mut ran.failed
        && is_death(&failed.fingerprint)
    {
        // What the process knew of its decisions and settings is in the scenario that it was given.
        failed.scenario.config = scenario.config.clone();
        failed.scenario.decisions = scenario.decisions.clone();
    }
    (ran, is_there)
}

/// Has a job of one run done, and tells whether the process is still there.
pub fn run_one(worker: &mut Worker, launch: &Launch, job: &Job) -> (Box<Ran>, bool) {
    let mut result = None;
    let served = worker.serve(job, |message| {
        if let Message::Ran(ran) = message {
            result = Some(ran);
        }
        true
    });
    let is_there = matches!(served, Served::Idle);
    let ran = result.unwrap_or_else(|| {
        let (seed, how, words) = match served {
            Served::Gone { running, death } => (running, death.how, death.last_words),
            Served::Idle => (None, "saying nothing of its run".to_owned(), Vec::new()),
        };
        let asked = match job {
            Job::Seeds { first, .. } => *first,
            Job::Scenario { scenario, .. } | Job::Trace { scenario, .. } => scenario.seed,
            _ => 0,
        };
        let seed = seed.unwrap_or(asked);
        let failed = FailedRun::died(&launch.test, &worker.config, seed, &how, &words);
        Box::new(Ran::died(failed))
    });
    (ran, is_there)
}

/// Whether a failure is the end of the process.
pub fn is_death(fingerprint: &Fingerprint) -> bool {
    fingerprint.as_str().starts_with("Died: ")
}
