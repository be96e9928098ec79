//! The bare way to run one simulation: on this thread, with no watchdog, no report, no seeds.

use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use super::{Config, Outcome, Sim};
use crate::exec::{self, Capture, Context, Progress};
use crate::fault::Decisions;
use crate::kernel::{Ring, Sink, Trace};
use crate::model::disk::Disks;
use crate::model::net::Fabric;

/// Runs one simulation on the calling thread.
///
/// [`stormglass::run`](crate::run::run) and `#[stormglass::test]` are built on it; they add a
/// fresh thread for each simulation, many seeds, a watchdog and a report. A simulation on a thread
/// that ran others before shares the thread-local state of other crates with them: std's hash
/// keys, for one. So the bare builder promises the same run only to code without such state.
///
/// ```
/// use stormglass::sim::Builder;
/// use stormglass::time::{Duration, Instant, sleep};
///
/// let outcome = Builder::new().seed(7).run(|_sim| async {
///     let start = Instant::now();
///     sleep(Duration::from_secs(60)).await;
///     start.elapsed()
/// });
/// assert_eq!(outcome.unwrap(), Duration::from_secs(60));
/// ```
#[must_use = "a builder does nothing until `run` is called"]
pub struct Builder {
    config: Config,
    seed: u64,
    sink: Sink,
    log: Option<(LevelFilter, bool)>,
    progress: Option<Arc<Progress>>,
    decisions: Decisions,
    called_at: Option<&'static Location<'static>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Seed 0, the default configuration, no sink.
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            seed: 0,
            sink: Sink::None,
            log: None,
            progress: None,
            decisions: Decisions::default(),
            called_at: None,
        }
    }

    /// Sets the configuration; its `seeds` and `first_seed` are not looked at.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets the seed.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Has the run take over the decisions of another, as far as they go: its fault plans, the
    /// operations of its workloads, the sizes of its groups.
    pub fn decisions(mut self, decisions: Decisions) -> Self {
        self.decisions = decisions;
        self
    }

    /// Keeps the last `capacity` records and log lines; the outcome has them.
    ///
    /// # Panics
    /// If `capacity` is zero.
    pub fn keep_last(mut self, capacity: usize) -> Self {
        self.sink = Sink::Ring(Ring::new(capacity));
        self
    }

    /// Writes all records and log lines to `writer`, in the form that
    /// [`kernel::read`](crate::kernel::read) reads. Give it a buffer.
    pub fn write_trace(mut self, writer: impl Write + Send + 'static) -> Self {
        self.sink = Sink::Writer(Box::new(writer));
        self
    }

    /// Captures `tracing` events up to `level` into the sink, and prints them if `echo`.
    pub const fn log(mut self, level: LevelFilter, echo: bool) -> Self {
        self.log = Some((level, echo));
        self
    }

    pub(crate) fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Where the test's own task is said to be spawned; else where `run` is called.
    pub(crate) const fn called_at(mut self, place: &'static Location<'static>) -> Self {
        self.called_at = Some(place);
        self
    }

    /// Runs `test` until its future ends or the run fails.
    ///
    /// # Panics
    /// If the configuration makes no sense, if this thread runs a simulation already, or if the
    /// trace cannot be written.
    #[track_caller]
    pub fn run<F, Fut>(self, test: F) -> Outcome<Fut::Output>
    where
        F: FnOnce(Sim) -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        if let Err(error) = self.config.validate() {
            panic!("the configuration makes no sense: {error}");
        }
        exec::install_panic_hook();
        let location = self.called_at.unwrap_or_else(Location::caller);
        let trace = Trace::new(self.config.digest, self.sink);
        let mut net = Fabric::new(self.config.link.clone());
        net.set_dns(self.config.dns.clone());
        let disks = Disks::new(self.config.disk.clone(), self.config.disk_latency.clone());
        let context = Rc::new(Context::new(
            self.seed,
            self.config.settings(),
            self.config.limits(),
            trace,
            (net, disks),
            self.progress,
        ));
        context.world.borrow_mut().given = self.decisions;
        let entered = exec::context::enter(context.clone());
        let value = Rc::new(RefCell::new(None));
        let finished = {
            let _log = self
                .log
                .map(|(level, echo)| tracing::subscriber::set_default(Capture::new(level, echo)));
            let result = value.clone();
            let ended = context.clone();
            let main = async move {
                let output = test(Sim::new(ended.id)).await;
                *result.borrow_mut() = Some(output);
                ended.finished.set(true);
            };
            context.begin(self.seed, location, main);
            context.run()
        };
        drop(entered);
        let trace = exec::into_trace(context);
        let sink = trace
            .finish()
            .unwrap_or_else(|error| panic!("cannot write the trace: {error}"));
        let value = value.take();
        Outcome {
            seed: self.seed,
            value,
            failed: finished.failed,
            digest: finished.digest,
            steps: finished.steps,
            end: finished.now,
            counters: finished.counters,
            properties: finished.properties,
            decisions: finished.decisions,
            excused: finished.excused,
            stale: finished.stale,
            policy: finished.policy,
            escaped: finished.escaped,
            node_names: finished.node_names,
            ring: match sink {
                Sink::Ring(ring) => Some(ring),
                Sink::None | Sink::Writer(_) => None,
            },
        }
    }
}
