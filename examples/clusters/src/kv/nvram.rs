//! Memory that survives a crash: what stands in for a disk.
//!
//! The factory of a node's program captures it, so it outlives each incarnation of the program, as
//! a disk outlives the processes of its machine. A write takes its time and is there as a whole or
//! not at all; a crash in the middle of it leaves nothing of it. Nothing else that a disk does to
//! its owner happens here: no torn write, no lost one, no error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stormglass::{rand, task, time};

use super::bug::Bug;
use super::log::{Entry, Log};

/// A node's memory that survives a crash. Copies name the same memory.
#[derive(Clone, Debug, Default)]
pub struct Nvram {
    durable: Arc<Mutex<Durable>>,
    bug: Option<Bug>,
    /// When the last write is done that a planted bug does later.
    last: Arc<Mutex<Option<time::Instant>>>,
}

/// What survives.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// On the primary the number of its latest incarnation; on a replica the incarnation that it
    /// follows.
    pub epoch: u64,
    /// The log.
    pub log: Log,
}

/// A change of what survives.
#[derive(Clone, Debug)]
pub enum Write {
    /// Sets the epoch.
    Epoch(u64),
    /// Puts entries into the log after its first `after`, as [`Log::splice`] does.
    Entries {
        /// How many entries come before these.
        after: usize,
        /// The entries.
        entries: Vec<Entry>,
    },
}

/// How long a write takes.
const WRITE_MIN: Duration = Duration::from_micros(100);
const WRITE_SPREAD_US: u64 = 900;
/// One write in so many meets a device that is busy with itself, as flash memory now and then is.
const STALLS_ONE_IN: u32 = 12;
const STALL_MAX_US: u64 = 100_000;

/// How much later a planted bug writes.
const LATER: Duration = Duration::from_millis(100);

impl Nvram {
    /// An empty memory.
    #[must_use]
    pub fn new(bug: Option<Bug>) -> Self {
        Self {
            bug,
            ..Self::default()
        }
    }

    /// What is there.
    #[must_use]
    pub fn read(&self) -> Durable {
        self.durable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes a change, which is there when this returns. One change at a time, please: two at once
    /// may be made in either order.
    pub async fn write(&self, write: Write) {
        if self.bug == Some(Bug::SyncLater) && matches!(write, Write::Entries { .. }) {
            self.change_later(write);
            return;
        }
        let mut wait = WRITE_MIN + Duration::from_micros(rand::below(WRITE_SPREAD_US));
        if rand::chance(1, STALLS_ONE_IN) {
            wait += Duration::from_micros(rand::below(STALL_MAX_US));
        }
        time::sleep(wait).await;
        self.change(write);
    }

    /// What a planted bug does: one write after the other, each some time later.
    fn change_later(&self, write: Write) {
        let memory = self.clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = time::Instant::now() + LATER;
        let due = last.map_or(due, |last| due.max(last + WRITE_MIN));
        *last = Some(due);
        task::spawn(async move {
            time::sleep_until(due).await;
            memory.change(write);
        });
    }

    fn change(&self, write: Write) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        match write {
            Write::Epoch(epoch) => durable.epoch = epoch,
            Write::Entries { after, entries } => durable.log.splice(after, &entries),
        }
    }
}
