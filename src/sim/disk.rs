//! A node's disk, for the test that looks at it and breaks it.

use std::io;
use std::panic::Location;
use std::path::Path;

use super::Node;
use crate::exec::World;
use crate::fs::{DiskConfig, DiskFaults, DiskLatency, DiskScope, Operator};
use crate::kernel::{Kind, NodeId};
use crate::model::disk::{Image, Rule};

/// The disk of a node. It is the node's own whether the node runs or not.
///
/// What the test does here takes no time, meets no faults and is not a program's: it needs no
/// process that is alive. All methods panic if this thread runs another simulation than theirs, and
/// give `EIO` or do nothing if called by code of a node that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    node: Node,
}

/// What a disk held at some time. A clone, like taking one, costs next to nothing.
#[derive(Clone, Debug)]
pub struct DiskImage(Image);

impl Disk {
    pub(super) const fn new(node: Node) -> Self {
        Self { node }
    }

    /// What a program would read in a file: it need not be durable.
    ///
    /// # Errors
    /// Those of `open` and `read`.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.operator().read(path.as_ref())
    }

    /// The names in a directory, in their order.
    ///
    /// # Errors
    /// Those of `opendir`.
    #[track_caller]
    pub fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        self.operator().list(path.as_ref())
    }

    /// Puts a file there, with the directories above it, durable.
    ///
    /// # Errors
    /// Those of `mkdir`, `open` and `write`.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
        let content = content.as_ref().to_vec();
        self.operator().write(path.as_ref(), content)
    }

    /// What a loss of power would leave at least: what is durable now.
    ///
    /// # Panics
    /// If called by code of a node that has ended.
    #[must_use]
    #[track_caller]
    pub fn snapshot(&self) -> DiskImage {
        let image = self.act(|world, node, wall_ns| {
            let device = world.disks.device(node, wall_ns);
            device.fs.durable()
        });
        DiskImage(image.expect("code of a node that has ended takes no snapshot"))
    }

    /// Puts back what the disk held at another time, of this node or of another: a restored
    /// backup, a virtual machine rolled back. What a program has open, and what it waits for, gets
    /// `EIO`.
    #[track_caller]
    pub fn restore(&self, image: &DiskImage) {
        let image = image.0.clone();
        self.act(|world, node, _| world.restore_disk(node, image));
    }

    /// Puts an empty disk in its place. What a program has open, and what it waits for, gets `EIO`.
    #[track_caller]
    pub fn wipe(&self) {
        self.act(|world, node, _| world.wipe_disk(node));
    }

    /// Drops what of the page cache is on the disk, or was said to be: what a failed sync left in
    /// the cache alone is gone.
    #[track_caller]
    pub fn drop_cache(&self) {
        self.act(|world, node, wall_ns| world.disks.device(node, wall_ns).drop_cache());
    }

    /// Changes how it behaves, for what is done from now on.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub fn configure(&self, config: &DiskConfig) {
        self.act(|world, node, wall_ns| world.disks.device(node, wall_ns).configure(config));
    }

    /// Changes how long its calls take, for those made from now on; `None` is as all disks.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub fn set_latency(&self, latency: impl Into<Option<DiskLatency>>) {
        let latency = latency.into();
        self.act(|world, node, wall_ns| world.disks.set_latency(node, wall_ns, latency));
    }

    /// Lets a part of the disk fail as `faults` say, from now on: instead of what was set for it
    /// before, by [`configure`](Self::configure) or by another fault, until this is ended. A fault
    /// with [`DiskFaults::NONE`] keeps a part from failing.
    ///
    /// ```
    /// use stormglass::fs::{self, DiskFaults, DiskScope};
    /// use stormglass::kernel::Probability;
    ///
    /// let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    ///     let disk = sim.find("test").unwrap().disk();
    ///     let scope = DiskScope { path: Some("/log".to_owned()), ..DiskScope::default() };
    ///     let broken = DiskFaults { write_error: Probability::ALWAYS, ..DiskFaults::NONE };
    ///     {
    ///         let _fault = disk.fault(scope, broken).scoped();
    ///         assert!(fs::write("/log", "hello").await.is_err());
    ///         assert!(fs::write("/data", "hello").await.is_ok());
    ///     }
    ///     assert!(fs::write("/log", "hello").await.is_ok());
    /// });
    /// outcome.unwrap();
    /// ```
    #[track_caller]
    pub fn fault(&self, scope: DiskScope, faults: DiskFaults) -> DiskFault {
        let rule = Rule { scope, faults };
        let number = self.act(|world, node, _| world.begin_disk_fault(node, rule));
        // Code of a node that has ended changes nothing, and this is the number of no fault.
        let number = number.unwrap_or(u64::MAX);
        DiskFault {
            disk: *self,
            number,
        }
    }

    /// Mounts a file system anew that took no more writes since an error
    /// ([`DiskFaults::read_only`]).
    #[track_caller]
    pub fn remount(&self) {
        self.act(|world, node, wall_ns| {
            world.base.record(node, Kind::DiskReplaced, 0, 2);
            world
                .disks
                .device(node, wall_ns)
                .faults
                .set_read_only(false);
        });
    }

    #[track_caller]
    fn operator(&self) -> Operator {
        self.node.read(|_| ());
        Operator {
            node: self.node.id(),
            place: Location::caller(),
        }
    }

    /// Does something to the world, the node's and what its wall clock shows, unless the calling
    /// code belongs to an incarnation that has ended.
    #[track_caller]
    fn act<T>(&self, act: impl FnOnce(&mut World, NodeId, u64) -> T) -> Option<T> {
        let (node, place) = (self.node.id(), Location::caller());
        self.node.act(|context| {
            context.world(|world| {
                let wall_ns = world.around(node, place).wall_ns;
                act(world, node, wall_ns)
            })
        })
    }
}

/// A part of a disk that fails. It lasts until it is ended here or the simulation ends; dropping
/// this changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct DiskFault {
    disk: Disk,
    number: u64,
}

impl DiskFault {
    /// Ends it; nothing happens if it has ended. What it has damaged stays so.
    ///
    /// # Panics
    /// If this thread runs another simulation than the fault's.
    #[track_caller]
    pub fn end(self) {
        self.disk
            .act(|world, node, _| world.end_disk_fault(node, self.number));
    }

    /// Has it end when the guard is dropped.
    pub const fn scoped(self) -> DiskFaultGuard {
        DiskFaultGuard { fault: self }
    }
}

/// Ends a [`DiskFault`] when it is dropped by a node that has not ended.
#[must_use = "dropping the guard ends the fault at once"]
#[derive(Debug)]
pub struct DiskFaultGuard {
    fault: DiskFault,
}

impl Drop for DiskFaultGuard {
    fn drop(&mut self) {
        // After the simulation there is nothing to end.
        if self.fault.disk.node.is_running_here() {
            self.fault.end();
        }
    }
}
