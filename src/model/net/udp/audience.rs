//! A datagram for many: to which hosts a copy goes.
//!
//! Owns the meaning of a broadcast and of a group, and of the scopes of IPv6. It must never know
//! what becomes of a copy on its way: each crosses its own link, as any datagram.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::super::addr::{NOWHERE, Reach, is_loopback};
use super::super::{Effects, Fabric, os_error};
use super::groups::{Interface, is_of_all};
use super::options::UdpOptions;
use super::packets::Packet;
use crate::kernel::NodeId;

impl Fabric {
    /// Sends a copy of a datagram to each host that it is meant for. If there is none it is lost.
    pub(super) fn send_to_many<F: Effects>(
        &mut self,
        fx: &mut F,
        reach: Reach,
        options: &UdpOptions,
        packet: &Packet,
        payload: &[u8],
    ) {
        let mut audience = core::mem::take(&mut self.groups.audience);
        match reach {
            Reach::One => audience.push(packet.to_node),
            Reach::Broadcast => self.all_reached(packet, &mut audience),
            Reach::Group => self.members_reached(packet, options, &mut audience),
        }
        if audience.is_empty() {
            audience.push(NOWHERE);
        }
        for to_node in audience.drain(..) {
            let copy = Packet {
                to_node,
                bytes: Vec::new(),
                ..*packet
            };
            self.send_copy(fx, copy, payload);
        }
        self.groups.audience = audience;
    }

    /// Whether a host takes what comes from an address to a group.
    pub(super) fn takes(&self, node: NodeId, from: IpAddr, group: IpAddr) -> bool {
        self.groups
            .is_member(group, interface_of(from, group), node)
    }

    fn all_reached(&self, packet: &Packet, audience: &mut Vec<NodeId>) {
        match interface_of(packet.from.ip(), packet.to.ip()) {
            Interface::Loopback => audience.push(packet.from_node),
            Interface::Network => audience.extend(self.nodes()),
        }
    }

    fn members_reached(&self, packet: &Packet, options: &UdpOptions, audience: &mut Vec<NodeId>) {
        let (here, group) = (packet.from_node, packet.to.ip());
        if interface_of(packet.from.ip(), group) == Interface::Loopback {
            // For IPv6 Linux has no route to a group there, and drops what has such a source.
            let is_member = self.groups.is_member(group, Interface::Loopback, here);
            if group.is_ipv4() && is_member {
                audience.push(here);
            }
            return;
        }
        let leaves = match group {
            IpAddr::V4(_) => options.multicast_ttl_v4() > 0,
            IpAddr::V6(group) => scope(group) > SCOPE_INTERFACE,
        };
        let loops = options.loops();
        let is_reached = |node: &NodeId| if *node == here { loops } else { leaves };
        if is_of_all(group) {
            let has_family = |node: &NodeId| {
                let mut addresses = self.host(*node).addresses.iter();
                addresses.any(|address| address.is_ipv4() == group.is_ipv4())
            };
            audience.extend(self.nodes().filter(has_family).filter(is_reached));
        } else {
            audience.extend(self.groups.at_the_network(group).filter(is_reached));
        }
    }
}

/// By which interface a datagram for many goes, and comes.
fn interface_of(from: IpAddr, to: IpAddr) -> Interface {
    if is_loopback(from) || is_loopback(to) {
        Interface::Loopback
    } else {
        Interface::Network
    }
}

// The scopes of groups of IPv6: RFC 4291, section 2.7.
const SCOPE_INTERFACE: u16 = 1;
const SCOPE_LINK: u16 = 2;

const fn scope(group: Ipv6Addr) -> u16 {
    group.segments()[0] & 0xf
}

/// The interface that the address of a group names, if its scope needs one.
fn named_interface(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_multicast() && scope(*v6.ip()) <= SCOPE_LINK => {
            Some(v6.scope_id())
        }
        SocketAddr::V6(_) | SocketAddr::V4(_) => None,
    }
}

/// Checks the interface that an address names to send to.
///
/// # Errors
/// `ENETUNREACH` for another than the network's.
pub(super) fn check_way(to: SocketAddr) -> io::Result<()> {
    match named_interface(to) {
        None | Some(0) => Ok(()),
        Some(index) if index == Interface::Network.index() => Ok(()),
        Some(_) => Err(os_error(libc::ENETUNREACH)),
    }
}

/// Checks that an address names the interface that its scope needs, to connect.
///
/// # Errors
/// `EINVAL`, and those of [`check_way`].
pub(super) fn check_peer(to: SocketAddr) -> io::Result<()> {
    if named_interface(to) == Some(0) {
        return Err(os_error(libc::EINVAL));
    }
    check_way(to)
}

/// Checks that an address names the interface that its scope needs, to bind.
///
/// # Errors
/// `EINVAL`, `ENODEV`.
pub(super) fn check_own(address: SocketAddr) -> io::Result<()> {
    match named_interface(address) {
        None => Ok(()),
        Some(0) => Err(os_error(libc::EINVAL)),
        Some(index) if Interface::of_index(index).is_some() => Ok(()),
        Some(_) => Err(os_error(libc::ENODEV)),
    }
}
