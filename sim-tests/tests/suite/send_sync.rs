//! Every public handle is `Send + Sync`, so that crates with such bounds compile.

use stormglass::net::{UnixDatagram, UnixListener, UnixStream, unix};
use stormglass::sim::{
    Clock, Fault, FaultGuard, Group, GroupBuilder, Links, Names, NamesGuard, Network, Node,
    NodeBuilder, NodeContext, Packet, Sim,
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
}
