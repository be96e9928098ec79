//! A disk without a simulation, for plain synchronous code.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::handle::Place;
use super::super::{CrashOdds, DiskConfig, DiskFaults, DiskScope};
use crate::kernel::FaultCounters;
use crate::model::disk::{Device, DeviceWorld, Image, Lone, Profile, Rule, Spot};

thread_local! {
    /// The disks that [`with_disk`] gave to this thread, the innermost last.
    static CURRENT: RefCell<Vec<DetachedDisk>> = const { RefCell::new(Vec::new()) };
}

/// A disk that belongs to no node. A clone is the same disk.
///
/// It is the disk that a node has, with the same faults, of which none is on at first. Its calls
/// take no time; its clock goes on by a microsecond with each of them. What is random of it depends
/// on its seed and on nothing else.
#[derive(Clone, Debug)]
pub struct DetachedDisk {
    shared: Arc<Mutex<Lone>>,
}

impl DetachedDisk {
    /// An empty disk of the default [`Profile`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_profile(Profile::default())
    }

    /// An empty disk without faults, of which a crash leaves what was synced and nothing else.
    #[must_use]
    pub fn with_profile(profile: Profile) -> Self {
        Self::with_config(&config(profile), 0)
    }

    /// An empty disk that behaves so, and whose random faults and crashes depend on a seed.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[must_use]
    #[track_caller]
    pub fn with_config(config: &DiskConfig, seed: u64) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Lone::new(config, seed))),
        }
    }

    /// A disk that was mounted in this state, and is watched, with call stacks of some spots.
    pub(crate) fn watched(profile: Profile, image: Image, stacks: BTreeSet<Spot>) -> Self {
        let disk = Self::with_profile(profile);
        disk.with(|device| {
            device.fs.remount(image);
            device.fs.watch(stacks);
        });
        disk
    }

    /// The program that uses it dies: what it has open is closed, and what it wrote stays. Handles
    /// that are left of it give `EIO`.
    pub fn kill(&self) {
        self.lock().process_died();
    }

    /// It loses power: what no sync made durable is lost as its [`CrashOdds`] say, all of it if
    /// nothing else was set. Handles that are left give `EIO`.
    pub fn crash(&self) {
        self.lock().power_lost();
    }

    /// Changes how it behaves, for what is done from now on.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub fn configure(&self, config: &DiskConfig) {
        self.lock().device.configure(config);
    }

    /// Lets a part of the disk fail as `faults` say, as
    /// [`sim::Disk::fault`](crate::sim::Disk::fault) does with a node's.
    ///
    /// A sync that fails loses what it should have written, though the program still reads it, and
    /// a second one finds nothing to do and succeeds:
    ///
    /// ```
    /// use stormglass::fs::blocking::{self, DetachedDisk, with_disk};
    /// use stormglass::fs::{DiskFaults, DiskScope};
    /// use stormglass::kernel::Probability;
    ///
    /// let disk = DetachedDisk::new();
    /// let failing = DiskFaults { sync_error: Probability::ALWAYS, ..DiskFaults::NONE };
    /// with_disk(&disk, || {
    ///     blocking::write("/note", "hello")?;
    ///     let note = blocking::File::open("/note")?;
    ///     let fault = disk.fault(DiskScope::default(), failing);
    ///     assert!(note.sync_all().is_err());
    ///     fault.end();
    ///     assert!(note.sync_all().is_ok());
    ///     blocking::File::open("/")?.sync_all()?;
    ///     assert_eq!(blocking::read_to_string("/note")?, "hello");
    ///     disk.crash();
    ///     assert_eq!(blocking::read("/note")?, [0; 5]);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn fault(&self, scope: DiskScope, faults: DiskFaults) -> DetachedFault {
        let number = self.lock().device.add_rule(Rule { scope, faults });
        let disk = self.clone();
        DetachedFault { disk, number }
    }

    /// Drops what of the page cache is on the disk, or was said to be: what a failed sync left in
    /// the cache alone is gone.
    pub fn drop_cache(&self) {
        self.lock().device.drop_cache();
    }

    /// Mounts a file system anew that took no more writes since an error
    /// ([`DiskFaults::read_only`]).
    pub fn remount(&self) {
        self.lock().device.faults.set_read_only(false);
    }

    /// What its faults did.
    #[must_use]
    pub fn counters(&self) -> FaultCounters {
        self.lock().device.faults.counters().clone()
    }

    pub(super) fn process(&self) -> u32 {
        self.lock().process()
    }

    /// Does something to the disk for a process.
    ///
    /// # Errors
    /// `EIO` if that has ended.
    pub(super) fn act<T>(
        &self,
        process: u32,
        place: Place,
        act: impl FnOnce(&mut Device, &mut DeviceWorld<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.lock().act(process, place, act)
    }

    /// Does something to the disk that no program does.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Device) -> T) -> T {
        act(&mut self.lock().device)
    }

    fn lock(&self) -> MutexGuard<'_, Lone> {
        // A call that panicked has changed the disk or not, and either is a state of it.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for DetachedDisk {
    fn default() -> Self {
        Self::new()
    }
}

/// A part of a detached disk that fails, until it is ended here; dropping this changes nothing.
#[derive(Clone, Debug)]
pub struct DetachedFault {
    disk: DetachedDisk,
    number: u64,
}

impl DetachedFault {
    /// Ends it; nothing happens if it has ended. What it has damaged stays so.
    pub fn end(&self) {
        self.disk.lock().device.end_rule(self.number);
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

fn config(profile: Profile) -> DiskConfig {
    DiskConfig {
        profile,
        crash: CrashOdds::SYNCED_ONLY,
        ..DiskConfig::default()
    }
}
