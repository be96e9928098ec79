//! One simulation on a fresh thread, watched from the thread that waits for it.

use std::fs::File;
use std::future::Future;
use std::io::BufWriter;
use std::panic::{self, Location};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::exec::{Failed, Failure, Progress, Properties};
use crate::fault::Decisions;
use crate::kernel::{Digest, FaultCounters};
use crate::sim::{Builder, Config, Outcome, Sim};
use crate::sys;

/// What to run and how to watch it.
pub(crate) struct Watched<'a> {
    pub(crate) config: &'a Config,
    pub(crate) seed: u64,
    /// Decisions of another run to take over.
    pub(crate) given: &'a Decisions,
    pub(crate) keep: Keep,
    /// Where the test is written.
    pub(crate) place: &'static Location<'static>,
    /// Level of `tracing` events to print.
    pub(crate) log: Option<LevelFilter>,
}

/// Which records of a run are kept.
pub(crate) enum Keep {
    /// None.
    Nothing,
    /// So many of the last.
    Last(usize),
    /// All, in this file.
    Written(File),
}

/// A simulation's stack: what the main thread of a program has by default.
const STACK_BYTES: usize = 8 << 20;
/// How often the watchdog looks, at least.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs one simulation on a fresh thread.
///
/// If a poll lasts longer than the configuration allows, the outcome is a `Hang` and the thread is
/// left behind: no thread can be stopped from outside.
pub(crate) fn run<F, Fut>(watched: Watched<'_>, test: F) -> Outcome<Fut::Output>
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future + 'static,
    Fut::Output: Send + 'static,
{
    let Watched {
        config,
        seed,
        given,
        keep,
        place,
        log,
    } = watched;
    let progress = Arc::new(Progress::default());
    let mut builder = Builder::new()
        .config(config.clone())
        .seed(seed)
        .decisions(given.clone())
        .called_at(place)
        .progress(progress.clone());
    // Log lines are kept for the report, and printed only the first time.
    builder = match (keep, log) {
        (Keep::Last(capacity), _) => builder.keep_last(capacity).log(LevelFilter::INFO, false),
        (Keep::Written(file), None) => builder.write_trace(BufWriter::new(file)),
        (Keep::Written(file), Some(level)) => {
            builder.write_trace(BufWriter::new(file)).log(level, true)
        }
        (Keep::Nothing, Some(level)) => builder.log(level, true),
        (Keep::Nothing, None) => builder,
    };
    let (sender, receiver) = sync_channel(1);
    let simulation = thread::Builder::new()
        .name(thread::current().name().unwrap_or("simulation").to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            // Before anything on this thread asks for entropy: std keeps hash keys for each thread.
            let _entropy = sys::seed_thread(seed);
            let result = panic::catch_unwind(panic::AssertUnwindSafe(|| builder.run(test)));
            // The receiver is gone only if this thread was given up as hanging.
            let _ = sender.send(result);
        })
        .unwrap_or_else(|error| panic!("cannot start a thread for the simulation: {error}"));
    let mut watch = Watch {
        last: None,
        since: Duration::ZERO,
    };
    let look_every = LOOK_EVERY
        .min(config.hang_after / 4)
        .max(Duration::from_millis(1));
    loop {
        match receiver.recv_timeout(look_every) {
            Ok(result) => {
                simulation.join().expect("the thread catches what panics");
                return result.unwrap_or_else(|payload| panic::resume_unwind(payload));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(after) = watch.stuck(&progress, look_every, config.hang_after) {
                    return hang(seed, after, &progress);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                unreachable!("the thread sends its result, whatever it is")
            }
        }
    }
}

/// Since when the same poll has been running.
struct Watch {
    last: Option<u64>,
    since: Duration,
}

impl Watch {
    /// How long the running poll has lasted, if that is too long. Counts in looks, so that a
    /// machine that slept does not make every poll a hang.
    fn stuck(&mut self, progress: &Progress, step: Duration, limit: Duration) -> Option<Duration> {
        let running = progress.running_poll();
        if running.is_some() && running == self.last {
            self.since += step;
        } else {
            self.last = running;
            self.since = Duration::ZERO;
        }
        (self.since >= limit).then_some(self.since)
    }
}

fn hang<T>(seed: u64, after: Duration, progress: &Progress) -> Outcome<T> {
    let task = progress.running_task();
    let moment = progress.moment();
    // A program that spins after a refused call has escaped first.
    let failed = progress.take_escape();
    let hang = Failed {
        failure: Failure::Hang { after, task },
        moment,
    };
    let end = hang.moment.at;
    Outcome {
        seed,
        value: None,
        failed: Some(failed.unwrap_or(hang)),
        digest: Digest::new(),
        steps: 0,
        end,
        counters: FaultCounters::default(),
        properties: Properties::new(),
        decisions: Decisions::default(),
        excused: false,
        stale: Vec::new(),
        policy: crate::Policy::default(),
        escaped: Vec::new(),
        node_names: Vec::new(),
        ring: None,
    }
}
