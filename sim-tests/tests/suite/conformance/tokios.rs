//! The real arm of the suite: the cases with tokio's sockets, on the loopback of the kernel.

use std::env;
use std::fs;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join;
use tokio::fs::remove_file;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};
use tokio::time::{sleep, timeout};

use super::log::{Log, bytes, shown};

#[path = "cases/mod.rs"]
pub(super) mod cases;

/// One side of a case: both are this machine.
#[derive(Clone, Copy)]
pub(super) struct Place {
    v4: IpAddr,
    v6: IpAddr,
}

impl Place {
    /// Makes something there.
    pub(super) async fn make<F: Future + 'static>(&self, make: F) -> F::Output {
        make.await
    }
}

/// Plays a case, and gives what its calls gave.
pub(super) fn play(case: cases::Case) -> Vec<String> {
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let server = Place {
        v4: own_address(),
        v6,
    };
    let client = Place {
        v4: Ipv4Addr::LOCALHOST.into(),
        v6,
    };
    let directory = own_directory(server.v4);
    fs::create_dir_all(&directory).unwrap();
    let log = Log::default();
    let stage = cases::Stage {
        server,
        client,
        directory: directory.clone(),
        log: log.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let played = async { timeout(PATIENCE, case(Rc::new(stage))).await };
    if runtime.block_on(played).is_err() {
        log.line("hangs".to_owned());
    }
    drop(runtime);
    fs::remove_dir_all(&directory).unwrap();
    log.take([server.v4, server.v6], [client.v4, client.v6], &directory)
}

/// A port that no other socket has, on any address: below those that the kernel chooses.
fn quiet_port() -> u16 {
    let below = process::id() % 20_000;
    10_000 + u16::try_from(below).unwrap()
}

/// How long a case may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

/// An address of the loopback that no other case uses, in this process or another, so that a port
/// that a case has closed is taken by nobody else.
fn own_address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [low, middle, ..] = process::id().to_le_bytes();
    let n = NEXT.fetch_add(1, Ordering::Relaxed) % 250 + 2;
    // 127.0.0.0/16 is left to others.
    let middle = middle.max(1);
    let last = u8::try_from(n).unwrap();
    Ipv4Addr::new(127, middle, low, last).into()
}

/// A directory that no other case uses, named after the case's address.
fn own_directory(address: IpAddr) -> PathBuf {
    env::temp_dir().join(format!("stormglass-{}-{address}", process::id()))
}
