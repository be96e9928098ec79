//! Groups of multicast: who joined, and who is reached.
//!
//! Owns the table from groups to hosts, and Linux's rules of joining and leaving. It must never
//! know a datagram. A group that nobody joined costs nothing, and neither does a host that joined
//! none.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::addr::{Reach, is_loopback};
use super::super::mutant::{self, Mutant};
use super::super::{Fabric, SocketId, os_error};
use super::{UdpSocket, closed};
use crate::kernel::NodeId;

/// How many groups of IPv4 a socket can be in. Linux: net.ipv4.igmp_max_memberships.
const MEMBERSHIPS_MAX: usize = 20;

/// A network interface of a host. Each host has these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interface {
    /// `lo`: what is sent here stays in the host.
    Loopback,
    /// That of all other addresses, by which the hosts reach each other.
    Network,
}

impl Interface {
    /// Its number, as `if_nametoindex` gives it.
    pub(super) const fn index(self) -> u32 {
        match self {
            Self::Loopback => 1,
            Self::Network => 2,
        }
    }

    pub(super) fn of_index(index: u32) -> Option<Self> {
        let both = [Self::Loopback, Self::Network];
        both.into_iter()
            .find(|interface| interface.index() == index)
    }
}

/// That a socket is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    group: IpAddr,
    interface: Interface,
}

/// Which hosts are in which group.
#[derive(Debug, Default)]
pub(in crate::model::net) struct Groups {
    /// By interface and host, how many of its sockets joined.
    members: BTreeMap<IpAddr, BTreeMap<(Interface, NodeId), u32>>,
    /// Empty; kept for its memory.
    pub(super) audience: Vec<NodeId>,
}

impl Groups {
    /// Whether a host takes what comes to a group at one of its interfaces.
    pub(super) fn is_member(&self, group: IpAddr, interface: Interface, node: NodeId) -> bool {
        let joined = || {
            let members = self.members.get(&group);
            members.is_some_and(|members| members.contains_key(&(interface, node)))
        };
        is_of_all(group) || joined() || mutant::is(Mutant::NobodyNeedsToJoin)
    }

    /// The hosts that joined a group at the network, in the order in which they were made.
    pub(super) fn at_the_network(&self, group: IpAddr) -> impl Iterator<Item = NodeId> {
        let members = self.members.get(&group).into_iter().flatten();
        members
            .filter(|((interface, _), _)| *interface == Interface::Network)
            .map(|((_, node), _)| *node)
    }

    /// How many groups have a member.
    #[cfg(test)]
    pub(in crate::model::net) fn len(&self) -> usize {
        self.members.len()
    }

    fn join(&mut self, node: NodeId, membership: Membership) {
        let members = self.members.entry(membership.group).or_default();
        *members.entry((membership.interface, node)).or_insert(0) += 1;
    }

    fn leave(&mut self, node: NodeId, membership: Membership) {
        let Membership { group, interface } = membership;
        let members = self.members.get_mut(&group);
        let members = members.expect("a group that was joined has members");
        let count = members.get_mut(&(interface, node));
        let count = count.expect("a host that joined is a member");
        *count -= 1;
        if *count == 0 {
            members.remove(&(interface, node));
        }
        if members.is_empty() {
            self.members.remove(&group);
        }
    }
}

impl Fabric {
    /// Joins a group at the interface that has an address, or with the wildcard at the network.
    ///
    /// # Errors
    /// `EINVAL` if it is no group, `ENODEV` if the address is not the host's, `EADDRINUSE` if the
    /// socket is in it, `ENOBUFS` if it is in 20 others, `EBADF`.
    pub(crate) fn udp_join_v4(
        &mut self,
        id: SocketId,
        group: Ipv4Addr,
        at: Ipv4Addr,
    ) -> io::Result<()> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        if !group.is_multicast() {
            return Err(os_error(libc::EINVAL));
        }
        let interface = self.interface_at(socket.node, at);
        let membership = Membership {
            group: group.into(),
            interface: interface.ok_or_else(|| os_error(libc::ENODEV))?,
        };
        if socket.is_in(membership) {
            return Err(os_error(libc::EADDRINUSE));
        }
        let others = socket.memberships.iter();
        if others.filter(|other| other.group.is_ipv4()).count() >= MEMBERSHIPS_MAX {
            return Err(os_error(libc::ENOBUFS));
        }
        self.udp_join(id, membership)
    }

    /// Leaves a group that was joined at the same interface.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if the socket is not in it, `EBADF`.
    pub(crate) fn udp_leave_v4(
        &mut self,
        id: SocketId,
        group: Ipv4Addr,
        at: Ipv4Addr,
    ) -> io::Result<()> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        let interface = self.interface_at(socket.node, at);
        self.udp_leave(id, |membership| {
            membership.group == group && Some(membership.interface) == interface
        })
    }

    /// Joins a group at the interface of an index, or with 0 at the network.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4, `EINVAL` if it is no group, `EADDRINUSE` if the socket
    /// is in it, `ENODEV` if there is no such interface, or it has no IPv6, `EBADF`.
    pub(crate) fn udp_join_v6(
        &mut self,
        id: SocketId,
        group: &Ipv6Addr,
        index: u32,
    ) -> io::Result<()> {
        let socket = self.sockets.get(id).ok_or_else(closed)?;
        check_v6(socket, group)?;
        let matches = |joined: &Membership| joined.is_v6_at(group, index);
        if socket.memberships.iter().any(matches) && !mutant::is(Mutant::JoinedTwice) {
            return Err(os_error(libc::EADDRINUSE));
        }
        let has_v6 = self.host(socket.node).addresses.iter().any(IpAddr::is_ipv6);
        let interface = match index {
            0 => Some(Interface::Network),
            index => Interface::of_index(index),
        };
        let interface = interface.filter(|found| *found == Interface::Loopback || has_v6);
        let membership = Membership {
            group: (*group).into(),
            interface: interface.ok_or_else(|| os_error(libc::ENODEV))?,
        };
        self.udp_join(id, membership)
    }

    /// Leaves a group that was joined at the interface of an index, or with 0 at any, the latest
    /// first.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4, `EINVAL` if it is no group, `EADDRNOTAVAIL` if the
    /// socket is not in it, `EBADF`.
    pub(crate) fn udp_leave_v6(
        &mut self,
        id: SocketId,
        group: &Ipv6Addr,
        index: u32,
    ) -> io::Result<()> {
        check_v6(self.sockets.get(id).ok_or_else(closed)?, group)?;
        self.udp_leave(id, |joined| joined.is_v6_at(group, index))
    }

    /// A socket that is closed leaves all groups.
    pub(super) fn leave_all(&mut self, socket: &UdpSocket) {
        for membership in &socket.memberships {
            self.groups.leave(socket.node, *membership);
        }
    }

    fn udp_join(&mut self, id: SocketId, membership: Membership) -> io::Result<()> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        socket.memberships.push(membership);
        self.groups.join(socket.node, membership);
        Ok(())
    }

    fn udp_leave(&mut self, id: SocketId, wanted: impl Fn(&Membership) -> bool) -> io::Result<()> {
        let socket = self.sockets.get_mut(id).ok_or_else(closed)?;
        let place = socket.memberships.iter().rposition(wanted);
        let place = place.ok_or_else(|| os_error(libc::EADDRNOTAVAIL))?;
        let membership = socket.memberships.remove(place);
        self.groups.leave(socket.node, membership);
        Ok(())
    }

    /// The interface that has an address.
    fn interface_at(&self, node: NodeId, address: Ipv4Addr) -> Option<Interface> {
        if address.is_unspecified() {
            return Some(Interface::Network);
        }
        if is_loopback(address.into()) {
            return (Reach::of(address.into()) == Reach::One).then_some(Interface::Loopback);
        }
        let own = &self.host(node).addresses;
        own.contains(&address.into()).then_some(Interface::Network)
    }
}

impl UdpSocket {
    fn is_in(&self, membership: Membership) -> bool {
        self.memberships.contains(&membership) && !mutant::is(Mutant::JoinedTwice)
    }
}

impl Membership {
    fn is_v6_at(&self, group: &Ipv6Addr, index: u32) -> bool {
        self.group == *group && (index == 0 || index == self.interface.index())
    }
}

/// Whether a group is that of all hosts, which each is in without joining.
pub(super) fn is_of_all(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
        IpAddr::V6(group) => matches!(group.segments(), [0xff01 | 0xff02, 0, 0, 0, 0, 0, 0, 1]),
    }
}

fn check_v6(socket: &UdpSocket, group: &Ipv6Addr) -> io::Result<()> {
    if socket.local.is_ipv4() {
        return Err(os_error(libc::ENOPROTOOPT));
    }
    if !group.is_multicast() {
        return Err(os_error(libc::EINVAL));
    }
    Ok(())
}
