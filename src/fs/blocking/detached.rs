//! A disk without a simulation, for plain synchronous code.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::disk::{Around, Disk, Profile};

use super::super::handle::Place;

thread_local! {
    /// The disks that [`with_disk`] gave to this thread, the innermost last.
    static CURRENT: RefCell<Vec<DetachedDisk>> = const { RefCell::new(Vec::new()) };
}

/// A disk that belongs to no node. A clone is the same disk.
///
/// Calls on it take no time and meet no faults but those that are asked for. Its clock goes on by a
/// microsecond with each call.
#[derive(Clone, Debug)]
pub struct DetachedDisk {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    disk: Disk,
    /// Counts the processes that used it; what an earlier one opened means nothing now.
    process: u32,
    wall_ns: u64,
}

impl DetachedDisk {
    /// An empty disk of the default [`Profile`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_profile(Profile::default())
    }

    /// An empty disk.
    #[must_use]
    pub fn with_profile(profile: Profile) -> Self {
        Self::from_disk(Disk::new(profile, START_NS))
    }

    pub(crate) fn from_disk(disk: Disk) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                disk,
                process: 0,
                wall_ns: START_NS,
            })),
        }
    }

    /// The program that uses it dies: what it has open is closed, and what it wrote stays. Handles
    /// that are left of it give `EIO`.
    pub fn kill(&self) {
        let mut shared = self.lock();
        shared.process += 1;
        shared.disk.process_died();
    }

    /// It loses power, and with it all that no sync made durable. Handles that are left give `EIO`.
    pub fn crash(&self) {
        let mut shared = self.lock();
        shared.process += 1;
        shared.disk.lose_unsynced();
    }

    /// Has the next sync fail with `EIO`, as Linux does it: what it should have written is gone,
    /// though the program still reads it, and a second sync finds nothing to do and succeeds.
    ///
    /// ```
    /// use stormglass::fs::blocking::{DetachedDisk, self, with_disk};
    ///
    /// let disk = DetachedDisk::new();
    /// with_disk(&disk, || {
    ///     blocking::write("/note", "hello")?;
    ///     let note = blocking::File::open("/note")?;
    ///     disk.fail_next_sync();
    ///     assert!(note.sync_all().is_err());
    ///     assert!(note.sync_all().is_ok());
    ///     blocking::File::open("/")?.sync_all()?;
    ///     assert_eq!(blocking::read_to_string("/note")?, "hello");
    ///     disk.crash();
    ///     assert_eq!(blocking::read("/note")?, [0; 5]);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn fail_next_sync(&self) {
        self.lock().disk.fail_next_sync();
    }

    /// Looks at the disk, or changes it.
    #[cfg(test)]
    pub(crate) fn disk<T>(&self, f: impl FnOnce(&mut Disk) -> T) -> T {
        f(&mut self.lock().disk)
    }

    pub(super) fn process(&self) -> u32 {
        self.lock().process
    }

    /// Does something to the disk for a process; `None` if that has ended.
    pub(super) fn act<T>(
        &self,
        process: u32,
        place: Place,
        act: impl FnOnce(&mut Disk, &Around) -> T,
    ) -> Option<T> {
        let mut shared = self.lock();
        if shared.process != process {
            return None;
        }
        shared.wall_ns += CALL_NS;
        let around = Around {
            wall_ns: shared.wall_ns,
            place: Some(place),
        };
        Some(act(&mut shared.disk, &around))
    }

    /// Does something to the disk that no program does.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Disk) -> T) -> T {
        act(&mut self.lock().disk)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A call that panicked has changed the disk or not, and either is a state of it.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for DetachedDisk {
    fn default() -> Self {
        Self::new()
    }
}

/// Has the functions of this module that `f` calls on this thread work on a disk, also where a
/// simulation runs.
pub fn with_disk<R>(disk: &DetachedDisk, f: impl FnOnce() -> R) -> R {
    struct Leave;

    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.with_borrow_mut(Vec::pop);
        }
    }

    CURRENT.with_borrow_mut(|current| current.push(disk.clone()));
    let _leave = Leave;
    f()
}

/// The disk that [`with_disk`] gave to this thread.
pub(super) fn current() -> Option<DetachedDisk> {
    CURRENT.with_borrow(|current| current.last().cloned())
}

/// 2026-01-01T00:00:00Z in nanoseconds since 1970.
const START_NS: u64 = 1_767_225_600_000_000_000;
/// How far the clock goes with each call, so that times of files tell their order.
const CALL_NS: u64 = 1_000;
