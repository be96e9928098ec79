//! The program in the simulation.

use stormglass::net::UdpSocket;

#[path = "program.rs"]
pub(super) mod program;
