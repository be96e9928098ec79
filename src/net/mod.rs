//! Sockets, in tokio's names and signatures, on the simulated network.
//!
//! Floor 4. Handles hold ids and ask the network of the running simulation; they decide nothing. A
//! handle acts for the node that made it, wherever it is polled, and is worth nothing once that
//! node's process has ended.
//!
//! Unix sockets are in [`unix`]: they connect tasks of one node.
//!
//! Addresses may name nodes: every node resolves to its addresses, and `localhost` to loopback.
//!
//! ```
//! use stormglass::io::{AsyncReadExt, AsyncWriteExt};
//! use stormglass::net::{TcpListener, TcpStream};
//!
//! let outcome = stormglass::sim::Builder::new().run(|sim| async move {
//!     sim.node("server").run(|_| async {
//!         let listener = TcpListener::bind("0.0.0.0:7").await?;
//!         loop {
//!             let (mut stream, peer) = listener.accept().await?;
//!             stream.write_all(peer.ip().to_string().as_bytes()).await?;
//!         }
//!         #[allow(unreachable_code)]
//!         std::io::Result::Ok(())
//!     });
//!     let mut stream = TcpStream::connect("server:7").await?;
//!     let mut text = String::new();
//!     stream.read_to_string(&mut text).await?;
//!     std::io::Result::Ok(text == stream.local_addr()?.ip().to_string())
//! });
//! assert!(outcome.unwrap().unwrap());
//! ```
//!
//! # Fidelity
//! Errors are those that Linux gives. A linger other than zero, `set_ttl`, `set_quickack`, the type
//! of service and the traffic class are remembered and change nothing. All nodes are on one
//! network: a broadcast means them all, and each copy for a member of a group crosses its own link.
//! A packet in flight when its link is cut is lost if the link is still cut at its arrival. One
//! that arrives after its receiver died and is up again comes to whatever is there by then: a
//! datagram to the next program that bound the port, the asking for a connection to the next that
//! listens; what belongs to a connection is answered with a reset. Streams have no congestion
//! control; what else they leave out is told where they are modelled, in `src/model/net/mod.rs`.
//!
//! What is ready is exact. tokio remembers that a socket was ready until a call would have waited,
//! and so may say that there is something to read when all was read just now.
//!
//! Of tokio's TCP there is all but what needs a socket of the operating system (`from_std`,
//! `into_std`, `from_std_stream`, file descriptors), what names a network device (`device`,
//! `bind_device`), `SO_REUSEPORT`, and `tos` and `set_tos`, which tokio has replaced.

mod addr;
#[cfg(feature = "futures-io")]
mod futures_io;
mod halves;
mod handle;
mod listener;
mod parts;
mod ready;
mod socket;
mod split;
mod stream;
mod udp;
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub use listener::TcpListener;
pub use ready::{Interest, Ready};
pub use socket::TcpSocket;
pub use stream::TcpStream;
pub use udp::UdpSocket;
pub use unix::datagram::UnixDatagram;
pub use unix::listener::UnixListener;
pub use unix::stream::UnixStream;

/// Parts of a TCP stream, as in `tokio::net::tcp`.
pub mod tcp {
    pub use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}

pub use crate::model::net::{AddressOrder, Bandwidth, DnsConfig, LinkConfig, LinkError, QueueDrop};
