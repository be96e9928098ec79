//! The simulated arm of the suite: the cases with Stormglass's sockets, on one node or on two.

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join;
use stormglass::Config;
use stormglass::fs::remove_file;
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::kernel::Distribution;
use stormglass::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use stormglass::net::{
    Interest, LinkConfig, TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener,
    UnixStream,
};
use stormglass::sim::{Builder, Node};
use stormglass::time::{sleep, timeout};

use super::log::{Log, bytes, shown};

#[path = "cases/mod.rs"]
pub(super) mod cases;

/// Where the two sides of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// On one node, which talks to itself.
    Loopback,
    /// On two nodes with a link between them.
    Link,
}

/// One side of a case: the node on which its sockets are made.
#[derive(Clone, Copy)]
pub(super) struct Place {
    node: Node,
    v4: IpAddr,
    v6: IpAddr,
}

impl Place {
    /// Makes something there.
    pub(super) async fn make<F: Future + 'static>(&self, make: F) -> F::Output {
        self.node.spawn(make).await.unwrap()
    }
}

/// A port that no other socket has, on any address.
const fn quiet_port() -> u16 {
    10_000
}

/// Plays a case, and gives what its calls gave. A run that fails has that as its last line.
pub(super) fn play(case: cases::Case, layout: Layout) -> Vec<String> {
    let link = LinkConfig {
        latency: Distribution::Constant(Duration::from_millis(1)),
        ..LinkConfig::default()
    };
    let config = Config {
        link,
        time_limit: Duration::from_secs(3_600),
        ..Config::default()
    };
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (server, client) = match layout {
        Layout::Loopback => (["127.0.0.2", "::1"], ["127.0.0.1", "::1"]),
        Layout::Link => (["10.0.0.2", "fd00::2"], ["10.0.0.1", "fd00::1"]),
    };
    let (server, client) = (server.map(ip), client.map(ip));
    let log = Log::default();
    let stage_log = log.clone();
    let outcome = Builder::new().config(config).run(move |sim| async move {
        let node = |name: &str, [v4, v6]: [IpAddr; 2]| {
            let builder = sim.node(name);
            let node = match layout {
                Layout::Loopback => sim.find("host").unwrap_or_else(|| {
                    // As the real machine it has a network, on which nobody else is.
                    sim.node("host").address(ip("fd00::9")).idle()
                }),
                Layout::Link => builder.address(v4).address(v6).idle(),
            };
            Place { node, v4, v6 }
        };
        let stage = cases::Stage {
            server: node("server", server),
            client: node("client", client),
            directory: DIRECTORY.into(),
            log: stage_log,
        };
        case(Rc::new(stage)).await;
    });
    if let Some(failed) = &outcome.failed {
        log.line(failed.to_string());
    }
    log.take(server, client, Path::new(DIRECTORY))
}

/// A case has its nodes for itself, and so their files.
const DIRECTORY: &str = "/run/case";
