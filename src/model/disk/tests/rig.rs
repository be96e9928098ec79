//! A device with one file on it, and what a test does to them.

use std::io;

use super::super::atlas::Atlas;
use super::super::call::{Call, Fd, Reply};
use super::super::config::{CrashOdds, DiskConfig, DiskFaults};
use super::super::device::{Device, World};
use super::super::image::Ino;
use super::super::profile::Profile;
use super::super::store::{Origin, Syncing};
use super::{AROUND, BOTH, CREATE, bytes};
use crate::kernel::{Choices, EntityKey, Family, FaultCounter, NodeId};

pub(super) const KEEP_ALL: CrashOdds = CrashOdds {
    nothing: 0,
    everything: 1,
    ..CrashOdds::SYNCED_ONLY
};
pub(super) const ORIGIN: Origin = Origin {
    call: 0,
    place: None,
};

/// A device with one file of three pages, `abc`, synced.
pub(super) struct Rig {
    pub(super) device: Device,
    pub(super) choices: Choices,
    pub(super) atlas: Atlas,
    pub(super) file: Ino,
    pub(super) fd: Fd,
    pub(super) told: u64,
}

impl Rig {
    pub(super) fn with_profile(seed: u64, profile: Profile) -> Self {
        let config = DiskConfig {
            profile,
            ..DiskConfig::default()
        };
        let mut device = Device::new(EntityKey::of("n"), &config, 0);
        let fd = device.fs.opened("f", CREATE);
        let file = device.fs.store.visible().find(b"f").unwrap();
        let mut rig = Self {
            device,
            choices: Choices::new(seed),
            atlas: Atlas::default(),
            file,
            fd,
            told: 0,
        };
        for (page, content) in (0..).zip(["a", "b", "c"]) {
            rig.write(page * 4096, &content.repeat(4096)).unwrap();
        }
        rig.sync_all();
        rig
    }

    pub(super) fn new(faults: DiskFaults) -> Self {
        Self::seeded(1, faults)
    }

    pub(super) fn seeded(seed: u64, faults: DiskFaults) -> Self {
        let mut rig = Self::with_profile(seed, Profile::Adversarial);
        rig.device.faults.set_usual(faults);
        rig
    }

    pub(super) fn parts(&mut self) -> (&mut Device, World<'_>) {
        let world = World {
            around: AROUND,
            node: NodeId::new(1),
            choices: &mut self.choices,
            atlas: &mut self.atlas,
        };
        (&mut self.device, world)
    }

    pub(super) fn write(&mut self, offset: u64, text: &str) -> io::Result<usize> {
        let fd = self.fd;
        let (device, mut world) = self.parts();
        device.write(&mut world, fd, Some(offset), text.as_bytes())
    }

    /// The first byte of each run of equal bytes that is read.
    pub(super) fn read(&mut self, offset: u64, length: usize) -> io::Result<String> {
        let fd = self.fd;
        let (device, mut world) = self.parts();
        let at = Some(offset);
        let mut bytes = match device.perform(&mut world, Call::Read { fd, at, length })? {
            Reply::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        bytes.dedup();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn read_all(&mut self) -> io::Result<String> {
        self.read(0, 3 * 4096)
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        let (file, mut told) = (self.file, self.told);
        let (device, mut world) = self.parts();
        let result = device.sync(&mut world, Syncing::File(file), u64::MAX, &mut told);
        self.told = told;
        result
    }

    pub(super) fn sync_all(&mut self) {
        let marks = self.device.fs.store.forced(Syncing::Everything, u64::MAX);
        self.device.fs.store.persist_whole(&marks);
    }

    pub(super) fn crash(&mut self, odds: &CrashOdds) {
        self.device.crash_with(odds);
        self.device.power_lost(&mut self.choices);
        self.fd = self.device.fs.opened("f", BOTH);
    }

    pub(super) fn quiet(&mut self) {
        self.device.faults.set_usual(DiskFaults::NONE);
    }

    pub(super) fn count(&self, family: Family) -> (u64, u64, u64) {
        let FaultCounter {
            offered,
            fired,
            effective,
        } = self.device.faults.counters().get(family);
        (offered, fired, effective)
    }

    pub(super) fn change(&mut self) -> io::Result<()> {
        let (path, mode) = (bytes("d"), 0o777);
        let (device, mut world) = self.parts();
        device
            .perform(&mut world, Call::MakeDirectory { path, mode })
            .map(drop)
    }
}

pub(super) fn code<T: core::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

pub(super) fn open(rig: &mut Rig, path: &str) -> io::Result<Fd> {
    let (path, flags) = (bytes(path), CREATE);
    let (device, mut world) = rig.parts();
    match device.perform(&mut world, Call::Open { path, flags })? {
        Reply::Opened(fd) => Ok(fd),
        other => panic!("{other:?}"),
    }
}

pub(super) fn configured(profile: Profile, change: impl FnOnce(&mut DiskConfig)) -> Rig {
    let mut rig = Rig::with_profile(1, profile);
    let mut config = DiskConfig {
        profile,
        ..DiskConfig::default()
    };
    change(&mut config);
    rig.device.configure(&config);
    rig
}

pub(super) fn perform(rig: &mut Rig, call: Call) -> io::Result<Reply> {
    let (device, mut world) = rig.parts();
    device.perform(&mut world, call)
}

pub(super) fn put(rig: &mut Rig, fd: Fd, text: &str) -> io::Result<usize> {
    let (device, mut world) = rig.parts();
    device.write(&mut world, fd, None, text.as_bytes())
}
