//! The blocking way to a disk: a node's, or a detached one.

use std::io;
use std::panic::Location;

use super::super::handle::{Home, Place};
use super::super::port::{Port, bytes, written};
use super::detached::{DetachedDisk, current};
use crate::model::disk::Device;
use crate::model::disk::call::{Call, Fd, Reply};

/// A way to a disk whose calls do not wait.
#[derive(Clone, Debug)]
pub(super) enum Blocking {
    Simulated(Home),
    Detached { disk: DetachedDisk, process: u32 },
}

impl Blocking {
    /// To the disk of [`with_disk`](super::with_disk), or else of the running node.
    ///
    /// # Errors
    /// `EIO` if the running code belongs to an incarnation that has ended.
    ///
    /// # Panics
    /// If there is neither.
    #[track_caller]
    pub(super) fn here() -> io::Result<Self> {
        match current() {
            Some(disk) => Ok(Self::Detached {
                process: disk.process(),
                disk,
            }),
            None => Home::here().map(Self::Simulated),
        }
    }

    pub(super) fn call(&self, place: Place, call: Call) -> io::Result<Reply> {
        match self {
            Self::Simulated(home) => home.block(place, call),
            Self::Detached { disk, process } => {
                disk.act(*process, place, |device, world| device.perform(world, call))
            }
        }
    }

    /// Reads at the file's place or at another, and gives the length.
    pub(super) fn read(
        &self,
        place: Place,
        fd: Fd,
        at: Option<u64>,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        if let Self::Detached { disk, process } = self {
            return disk.act(*process, place, |device, world| {
                device.read(world, fd, at, buf)
            });
        }
        let length = buf.len();
        let read = bytes(self.call(place, Call::Read { fd, at, length })?);
        buf[..read.len()].copy_from_slice(&read);
        Ok(read.len())
    }

    /// Writes at the file's place or at another, and gives how many bytes.
    pub(super) fn write(
        &self,
        place: Place,
        fd: Fd,
        at: Option<u64>,
        buf: &[u8],
    ) -> io::Result<usize> {
        if let Self::Detached { disk, process } = self {
            return disk.act(*process, place, |device, world| {
                device.write(world, fd, at, buf)
            });
        }
        let bytes = buf.to_vec();
        let reply = self.call(place, Call::Write { fd, at, bytes })?;
        Ok(written(&reply))
    }

    /// Writes all of `buf`, at the file's place or at another.
    pub(super) fn write_all(
        &self,
        place: Place,
        fd: Fd,
        mut at: Option<u64>,
        buf: &[u8],
    ) -> io::Result<()> {
        let mut rest = buf;
        while !rest.is_empty() {
            match self.write(place, fd, at, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    rest = &rest[length..];
                    at = at.map(|at| at + length as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Does to the disk what is no call and takes no time.
    pub(super) fn act<T>(
        &self,
        place: Place,
        act: impl FnOnce(&mut Device) -> io::Result<T>,
    ) -> io::Result<T> {
        match self {
            Self::Simulated(home) => home.call(|world, node| {
                let wall_ns = world.around(node, place).wall_ns;
                act(world.disks.device(node, wall_ns))
            }),
            Self::Detached { disk, process } => disk.act(*process, place, |device, _| act(device)),
        }
    }
}

impl Port for Blocking {
    async fn ask(&self, place: Place, call: Call) -> io::Result<Reply> {
        self.call(place, call)
    }

    async fn insist(&self, place: Place, call: Call) -> io::Result<Reply> {
        if let Call::Write { fd, at, bytes } = call {
            self.write_all(place, fd, at, &bytes)?;
            return Ok(Reply::Written(bytes.len()));
        }
        loop {
            match self.call(place, call.clone()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn duplicate(&self, fd: Fd) -> io::Result<Fd> {
        self.act(Location::caller(), |device| device.duplicate(fd))
    }

    fn close(&self, fd: Fd) {
        match self {
            Self::Simulated(home) => home.close(fd),
            Self::Detached { .. } => {
                let closed = self.act(Location::caller(), |device| device.fs.close(fd));
                // What belongs to a process that has ended is closed already.
                drop(closed);
            }
        }
    }
}
