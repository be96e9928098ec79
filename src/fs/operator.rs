//! The hands of the test on a node's disk: past time, faults and what programs have open.

use std::io;
use std::panic::Location;
use std::path::Path;

use super::handle::Place;
use super::options::Flags;
use super::path::to_bytes;
use super::port::{Port, now};
use super::work::{self, DIRECTORY_MODE};
use crate::exec::context;
use crate::kernel::NodeId;
use crate::model::disk::call::{Call, Fd, Reply};
use crate::model::disk::{Around, Disk, gone};

/// The way to a node's disk that no program has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator {
    pub(crate) node: NodeId,
    pub(crate) place: &'static Location<'static>,
}

impl Operator {
    pub(crate) fn read(self, path: &Path) -> io::Result<Vec<u8>> {
        now(work::read_whole(&self, self.place, path))
    }

    /// The names in a directory, in order.
    pub(crate) fn list(self, path: &Path) -> io::Result<Vec<String>> {
        let reply = now(self.ask(self.place, Call::ReadDirectory(to_bytes(path)?)))?;
        let entries = work::entries(reply).into_iter();
        Ok(entries.map(|entry| entry.name.to_string()).collect())
    }

    /// Writes a file, with the directories above it, and makes all of it durable.
    pub(crate) fn write(self, path: &Path, content: Vec<u8>) -> io::Result<()> {
        now(async {
            let above = path.parent().unwrap_or(Path::new("/"));
            work::make_directories(&self, self.place, above, DIRECTORY_MODE).await?;
            work::write_whole(&self, self.place, path, content).await?;
            for path in path.ancestors() {
                if !path.as_os_str().is_empty() {
                    self.sync(path).await?;
                }
            }
            self.sync(Path::new("/")).await
        })
    }

    async fn sync(self, path: &Path) -> io::Result<()> {
        let file = work::open(&self, self.place, path, Flags::READ).await?;
        let (fd, content_only) = (file.fd, false);
        let call = Call::Sync { fd, content_only };
        self.ask(self.place, call).await.map(drop)
    }

    fn act<T>(self, act: impl FnOnce(&mut Disk, &Around) -> io::Result<T>) -> io::Result<T> {
        let acted = context::alive(|context| {
            context.world(|world| {
                let around = world.around(self.node, self.place);
                let device = world.disks.device(self.node, around.wall_ns);
                act(&mut device.fs, &around)
            })
        });
        acted.unwrap_or_else(|| Err(gone()))
    }
}

impl Port for Operator {
    async fn ask(&self, _: Place, call: Call) -> io::Result<Reply> {
        self.act(|disk, around| disk.perform(around, call))
    }

    async fn insist(&self, place: Place, call: Call) -> io::Result<Reply> {
        // Nothing is interrupted and nothing falls short where there are no faults.
        self.ask(place, call).await
    }

    fn duplicate(&self, fd: Fd) -> io::Result<Fd> {
        self.act(|disk, _| disk.duplicate(fd))
    }

    fn close(&self, fd: Fd) {
        let closed = self.act(|disk, _| disk.close(fd));
        drop(closed);
    }
}
