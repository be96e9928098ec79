//! The program on the real kernel's loopback.

use tokio::net::UdpSocket;

#[path = "program.rs"]
pub(super) mod program;
