//! Unix domain sockets, as in `tokio::net::unix`: between tasks of one node.
//!
//! Names are the node's own: the same path on two nodes is two sockets. A path stays when its
//! socket is closed, also by the death of the node's process, and is in the way of the next `bind`
//! until [`fs::remove_file`](crate::fs::remove_file) removes it.
//!
//! ```
//! use stormglass::fs;
//! use stormglass::io::{AsyncReadExt, AsyncWriteExt};
//! use stormglass::net::{UnixListener, UnixStream};
//!
//! let outcome = stormglass::sim::Builder::new().run(|_sim| async {
//!     let listener = UnixListener::bind("/run/service.sock")?;
//!     let mut client = UnixStream::connect("/run/service.sock").await?;
//!     client.write_all(b"hello").await?;
//!     client.shutdown().await?;
//!     let (mut server, _) = listener.accept().await?;
//!     let mut text = String::new();
//!     server.read_to_string(&mut text).await?;
//!     fs::remove_file("/run/service.sock").await?;
//!     std::io::Result::Ok(text)
//! });
//! assert_eq!(outcome.unwrap().unwrap(), "hello");
//! ```
//!
//! # Fidelity
//! Errors are those that Linux gives, and so is the room that a socket has. A path is a name, not
//! looked up in directories: none need exist, and `a/../b` is not `b`. No descriptors or
//! credentials travel in messages, and there is no `SOCK_SEQPACKET`. Everybody is root and has the
//! process number 1. Where tokio would ask again and again without rest, since the kernel calls
//! ready what is not, these sockets wait: sending by name to a socket with a full queue, and
//! receiving after the reading side of an empty one was shut down.
//!
//! Of tokio's Unix sockets there is all but what needs a socket of the operating system
//! (`from_std`, `into_std`, file descriptors), `UnixSocket` and pipes.

mod addr;
pub(super) mod datagram;
pub(super) mod listener;
mod split;
pub(super) mod stream;
mod ucred;

pub use addr::SocketAddr;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use ucred::UCred;

/// The number of a user.
#[expect(non_camel_case_types, reason = "tokio's names")]
pub type uid_t = u32;

/// The number of a group.
#[expect(non_camel_case_types, reason = "tokio's names")]
pub type gid_t = u32;

/// The number of a process.
#[expect(non_camel_case_types, reason = "tokio's names")]
pub type pid_t = i32;
