//! A disk that belongs to no world: a device with all that it asks of one.
//!
//! Owns the draws of its faults and its clock, which goes on with each call. It must never know who
//! uses it.

use core::panic::Location;
use std::io;

use super::atlas::Atlas;
use super::config::DiskConfig;
use super::device::{Device, World};
use super::{Around, gone};
use crate::kernel::{Choices, EntityKey, NodeId};

/// A disk on its own. What is random of it depends on its seed and on nothing else.
#[derive(Debug)]
pub(crate) struct Lone {
    pub(crate) device: Device,
    choices: Choices,
    /// Knows of no copies, and so keeps nothing from harm.
    atlas: Atlas,
    /// Counts the processes that used it; what an earlier one opened means nothing now.
    process: u32,
    wall_ns: u64,
}

impl Lone {
    /// An empty disk.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn new(config: &DiskConfig, seed: u64) -> Self {
        Self {
            device: Device::new(EntityKey::of("lone"), config, START_NS),
            choices: Choices::new(seed),
            atlas: Atlas::default(),
            process: 0,
            wall_ns: START_NS,
        }
    }

    /// Which process uses it.
    pub(crate) const fn process(&self) -> u32 {
        self.process
    }

    /// Does something to the disk for a process.
    ///
    /// # Errors
    /// `EIO` if that has ended.
    pub(crate) fn act<T>(
        &mut self,
        process: u32,
        place: &'static Location<'static>,
        act: impl FnOnce(&mut Device, &mut World<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.process != process {
            return Err(gone());
        }
        self.wall_ns += CALL_NS;
        let mut world = World {
            around: Around {
                wall_ns: self.wall_ns,
                place: Some(place),
            },
            node: NodeId::TEST,
            choices: &mut self.choices,
            atlas: &mut self.atlas,
        };
        act(&mut self.device, &mut world)
    }

    /// The process that uses it ends, and the page cache stays.
    pub(crate) fn process_died(&mut self) {
        self.process += 1;
        self.device.fs.process_died();
    }

    /// It loses power.
    pub(crate) fn power_lost(&mut self) {
        self.process_died();
        self.device.power_lost(&mut self.choices);
    }
}

/// 2026-01-01T00:00:00Z in nanoseconds since 1970.
const START_NS: u64 = 1_767_225_600_000_000_000;
/// How far the clock goes with each call, so that times of files tell their order.
const CALL_NS: u64 = 1_000;
