//! Every public handle is `Send + Sync`, so that crates with such bounds compile.

use stormglass::fs::{self, DetachedDisk, blocking};
use stormglass::net::{UnixDatagram, UnixListener, UnixStream, unix};
use stormglass::sim::{
    Clock, Disk, DiskImage, Fault, FaultGuard, Group, GroupBuilder, Links, Names, NamesGuard,
    Network, Node, NodeBuilder, NodeContext, Packet, Sim,
};
use stormglass::sync::{Barrier, watch};
use stormglass::task::{AbortHandle, JoinError, JoinHandle, JoinSet};
use stormglass::time::{Instant, Interval, Sleep, Timeout};

const fn send_sync<T: Send + Sync>() {}

#[test]
fn handles_are_send_and_sync() {
    send_sync::<Sim>();
    send_sync::<Node>();
    send_sync::<Group>();
    send_sync::<GroupBuilder>();
    send_sync::<NodeBuilder>();
    send_sync::<Network>();
    send_sync::<Fault>();
    send_sync::<FaultGuard>();
    send_sync::<Links>();
    send_sync::<Names>();
    send_sync::<NamesGuard>();
    send_sync::<Packet>();
    send_sync::<Barrier>();
    send_sync::<watch::Sender<u32>>();
    send_sync::<watch::Receiver<u32>>();
    send_sync::<Clock>();
    send_sync::<JoinHandle<u32>>();
    send_sync::<AbortHandle>();
    send_sync::<JoinError>();
    send_sync::<JoinSet<u32>>();
    send_sync::<Sleep>();
    send_sync::<Timeout<Sleep>>();
    send_sync::<Interval>();
    send_sync::<Instant>();
    send_sync::<NodeContext>();
    send_sync::<UnixDatagram>();
    send_sync::<UnixListener>();
    send_sync::<UnixStream>();
    send_sync::<unix::OwnedReadHalf>();
    send_sync::<unix::OwnedWriteHalf>();
    send_sync::<unix::ReadHalf<'_>>();
    send_sync::<unix::WriteHalf<'_>>();
    send_sync::<unix::SocketAddr>();
    send_sync::<unix::UCred>();
    send_sync::<Disk>();
    send_sync::<DiskImage>();
    send_sync::<DetachedDisk>();
    send_sync::<fs::File>();
    send_sync::<fs::OpenOptions>();
    send_sync::<fs::ReadDir>();
    send_sync::<fs::DirEntry>();
    send_sync::<fs::DirBuilder>();
    send_sync::<fs::Metadata>();
    send_sync::<blocking::File>();
    send_sync::<blocking::OpenOptions>();
    send_sync::<blocking::ReadDir>();
    send_sync::<blocking::DirEntry>();
    send_sync::<blocking::DirBuilder>();
}

#[test]
fn calls_of_files_are_send() {
    fn send(_: impl Send) {}
    async fn of_a_file(mut file: fs::File) -> std::io::Result<()> {
        file.sync_all().await?;
        file.set_len(1).await?;
        file.metadata().await?;
        file.read_at(&mut [0; 10], 0).await?;
        file.write_all_at(&[0; 10], 0).await?;
        stormglass::io::AsyncWriteExt::write_all(&mut file, b"text").await
    }
    send(fs::read("x"));
    send(fs::read_to_string("x"));
    send(fs::write("x", "y"));
    send(fs::copy("x", "y"));
    send(fs::rename("x", "y"));
    send(fs::create_dir_all("x"));
    send(fs::remove_dir_all("x"));
    send(fs::read_dir("x"));
    send(fs::metadata("x"));
    send(fs::File::open("x"));
    send(of_a_file);
}
