//! Which addresses there are, what they mean and who has them.
//!
//! Owns the table from addresses to nodes and the rules of address families, as on Linux with
//! `bindv6only` off. It must never know sockets or packets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::map::NumberMap;
use super::os_error;
use crate::kernel::{EntityKey, NodeId};

/// A node that does not exist: what an address belongs to that nobody has.
pub(super) const NOWHERE: NodeId = NodeId::new(u32::MAX);

/// Addresses of all nodes. An address belongs to one node for ever.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    owners: NumberMap,
}

/// Where a packet goes, and from which address it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The node that has the address, or [`NOWHERE`].
    pub(super) node: NodeId,
    /// The address to which it goes: never a wildcard, never a mapped IPv4 address.
    pub(super) to: IpAddr,
    /// The address that its receiver sees.
    pub(super) source: IpAddr,
}

/// Whom an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The host that has it.
    One,
    /// All hosts.
    Broadcast,
    /// The hosts that joined a group.
    Group,
}

impl Reach {
    /// What a concrete address means. There are no networks within the network, so there is one
    /// broadcast address, and that of the loopback.
    #[inline]
    pub(super) fn of(address: IpAddr) -> Self {
        const WITHIN_A_HOST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
        match address {
            _ if address.is_multicast() => Self::Group,
            IpAddr::V4(ip) if ip.is_broadcast() || ip == WITHIN_A_HOST => Self::Broadcast,
            IpAddr::V4(_) | IpAddr::V6(_) => Self::One,
        }
    }
}

impl Addresses {
    /// Gives an address to a node.
    ///
    /// # Panics
    /// If the address is a wildcard, a loopback address or that of many, or another node has it.
    #[track_caller]
    pub(super) fn add(&mut self, address: IpAddr, node: NodeId) {
        let address = address.to_canonical();
        let is_of_many = Reach::of(address) != Reach::One;
        let usable = !address.is_unspecified() && !is_loopback(address) && !is_of_many;
        assert!(
            usable,
            "{address} cannot be a node's own: give an address that others can reach"
        );
        let present = self.owners.insert(number(address), node.number());
        if let Some(owner) = present.filter(|owner| *owner != node.number()) {
            panic!("n{owner} has {address} already: give {node} another address");
        }
    }

    /// An address in 10.0.0.0/8 for a node that was given none, made from its name: the nodes of a
    /// world keep theirs when others come or go, unless two names collide.
    pub(super) fn default_for(&self, name: EntityKey) -> IpAddr {
        let mut host = name.number();
        loop {
            let [x, y, z, ..] = host.to_le_bytes();
            // A last octet of 0 or 255 looks like a network or a broadcast address.
            let address = IpAddr::from([10, x, y, z % 254 + 1]);
            if self.owners.get(number(address)).is_none() {
                return address;
            }
            host = host.wrapping_add(1);
        }
    }

    /// The way from a socket bound to `bound` on `node`, whose addresses are `own`, to `to`. The
    /// way to many has no end: it leads to [`NOWHERE`].
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `ENETUNREACH` and `EINVAL` as Linux gives them.
    pub(super) fn route(
        &self,
        node: NodeId,
        own: &[IpAddr],
        bound: IpAddr,
        to: IpAddr,
    ) -> io::Result<Route> {
        if bound.is_ipv4() && to.is_ipv6() && to.to_canonical().is_ipv6() {
            return Err(os_error(libc::EAFNOSUPPORT));
        }
        let to = concrete(to.to_canonical());
        if bound.is_ipv6()
            && !bound.is_unspecified()
            && to.is_ipv4()
            && bound.to_canonical() == bound
        {
            return Err(os_error(libc::ENETUNREACH));
        }
        let is_own = own.contains(&to);
        let local = is_own || is_loopback(to);
        // Who receives what is for many does not send from there.
        let is_source = !bound.is_unspecified() && Reach::of(bound.to_canonical()) == Reach::One;
        let source = if is_source {
            bound.to_canonical()
        } else if is_own {
            to
        } else if local {
            loopback(to)
        } else {
            let same_family = own.iter().find(|own| own.is_ipv4() == to.is_ipv4());
            *same_family.ok_or_else(|| os_error(libc::ENETUNREACH))?
        };
        if local {
            return Ok(Route { node, to, source });
        }
        if is_loopback(source) && Reach::of(to) == Reach::One {
            // A packet with this source must not leave the host.
            return Err(os_error(libc::EINVAL));
        }
        Ok(Route {
            node: self.owners.get(number(to)).map_or(NOWHERE, NodeId::new),
            to,
            source,
        })
    }

    /// The node that a concrete address means on `node`; [`NOWHERE`] if nobody has it.
    pub(super) fn owner(&self, node: NodeId, address: IpAddr) -> NodeId {
        if is_loopback(address) {
            return node;
        }
        let owner = self.owners.get(number(address));
        owner.map_or(NOWHERE, NodeId::new)
    }
}

/// Whether a socket bound to `bound` receives what is sent to the concrete address `to`.
pub(super) fn receives(bound: IpAddr, to: IpAddr) -> bool {
    bound.to_canonical() == to || bound.is_unspecified() && (bound.is_ipv6() || to.is_ipv4())
}

/// Whether two sockets bound to these addresses cannot share a port.
pub(super) fn overlap(a: IpAddr, b: IpAddr) -> bool {
    let (a, b) = (a.to_canonical(), b.to_canonical());
    let covers =
        |wide: IpAddr, other: IpAddr| wide.is_unspecified() && (wide.is_ipv6() || other.is_ipv4());
    a == b || covers(a, b) || covers(b, a)
}

/// An address as a socket shows it to the program: a socket of IPv6 shows IPv4 as mapped.
pub(super) fn shown(address: SocketAddr, socket: IpAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if socket.is_ipv6() => {
            SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The address itself, or loopback for a wildcard: that is where Linux sends such a packet.
fn concrete(address: IpAddr) -> IpAddr {
    if address.is_unspecified() {
        loopback(address)
    } else {
        address
    }
}

const fn loopback(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

/// One number for each address; mapped IPv4 is the same as IPv4.
const fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn check(bound: &str, to: &str, expected: Result<(u32, &str, &str), i32>) {
        let mut addresses = Addresses::default();
        addresses.add(ip("10.0.0.1"), NodeId::new(1));
        addresses.add(ip("10.0.0.2"), NodeId::new(2));
        addresses.add(ip("fd00::2"), NodeId::new(2));
        let found = addresses.route(NodeId::new(1), &[ip("10.0.0.1")], ip(bound), ip(to));
        let expected = expected.map(|(node, to, source)| Route {
            node: NodeId::new(node),
            to: ip(to),
            source: ip(source),
        });
        let found = found.map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(found, expected, "from {bound} to {to}");
    }

    #[test]
    fn routes_as_linux_does() {
        check("0.0.0.0", "10.0.0.2", Ok((2, "10.0.0.2", "10.0.0.1")));
        check("10.0.0.1", "10.0.0.2", Ok((2, "10.0.0.2", "10.0.0.1")));
        check("0.0.0.0", "10.0.0.1", Ok((1, "10.0.0.1", "10.0.0.1")));
        check("0.0.0.0", "127.0.0.9", Ok((1, "127.0.0.9", "127.0.0.1")));
        check("0.0.0.0", "0.0.0.0", Ok((1, "127.0.0.1", "127.0.0.1")));
        check("::", "::", Ok((1, "::1", "::1")));
        check("::", "10.0.0.2", Ok((2, "10.0.0.2", "10.0.0.1")));
        check("::", "::ffff:10.0.0.2", Ok((2, "10.0.0.2", "10.0.0.1")));
        check(
            "0.0.0.0",
            "10.9.9.9",
            Ok((u32::MAX, "10.9.9.9", "10.0.0.1")),
        );
        check("10.0.0.1", "127.0.0.1", Ok((1, "127.0.0.1", "10.0.0.1")));
        check("127.0.0.1", "10.0.0.2", Err(libc::EINVAL));
        check("127.0.0.1", "10.0.0.1", Ok((1, "10.0.0.1", "127.0.0.1")));
        check("0.0.0.0", "fd00::2", Err(libc::EAFNOSUPPORT));
        check("::", "fd00::2", Err(libc::ENETUNREACH));
        check("::1", "10.0.0.2", Err(libc::ENETUNREACH));
        for many in ["239.1.1.1", "255.255.255.255"] {
            check("0.0.0.0", many, Ok((u32::MAX, many, "10.0.0.1")));
            check("127.0.0.1", many, Ok((u32::MAX, many, "127.0.0.1")));
            check(many, "10.0.0.2", Ok((2, "10.0.0.2", "10.0.0.1")));
        }
        let within = "127.255.255.255";
        check("0.0.0.0", within, Ok((1, within, "127.0.0.1")));
        check("::", "ff02::1", Err(libc::ENETUNREACH));
    }

    #[test]
    fn some_addresses_mean_many() {
        for (address, expected) in [
            ("255.255.255.255", Reach::Broadcast),
            ("127.255.255.255", Reach::Broadcast),
            ("10.255.255.255", Reach::One),
            ("224.0.0.0", Reach::Group),
            ("239.255.255.255", Reach::Group),
            ("240.0.0.0", Reach::One),
            ("ff02::1", Reach::Group),
            ("fe80::1", Reach::One),
        ] {
            assert_eq!(Reach::of(ip(address)), expected, "{address}");
        }
    }

    #[test]
    #[should_panic(expected = "239.1.1.1 cannot be a node's own")]
    fn a_group_has_no_owner() {
        Addresses::default().add(ip("239.1.1.1"), NodeId::new(1));
    }

    #[test]
    fn wildcards_overlap_as_on_linux() {
        for (a, b, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "0.0.0.0", true),
            ("::", "0.0.0.0", true),
            ("::", "127.0.0.1", true),
            ("::1", "0.0.0.0", false),
            ("::1", "::", true),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(overlap(ip(a), ip(b)), expected, "{a} {b}");
            assert_eq!(overlap(ip(b), ip(a)), expected, "{b} {a}");
        }
        assert!(receives(ip("::"), ip("10.0.0.1")));
        assert!(receives(ip("0.0.0.0"), ip("10.0.0.1")));
        assert!(!receives(ip("0.0.0.0"), ip("fd00::1")));
        assert!(!receives(ip("10.0.0.2"), ip("10.0.0.1")));
    }

    #[test]
    fn default_addresses_come_from_the_name() {
        let mut addresses = Addresses::default();
        let db = EntityKey::of("db-1");
        let first = addresses.default_for(db);
        assert_eq!(first, addresses.default_for(db));
        assert_ne!(first, addresses.default_for(EntityKey::of("db-2")));
        addresses.add(first, NodeId::new(1));
        assert_ne!(first, addresses.default_for(db), "one node has one address");
        for n in 0..1_000 {
            let address = addresses.default_for(db.indexed(n));
            let IpAddr::V4(ip) = address else {
                panic!("{address} is not of IPv4")
            };
            assert!(
                ip.octets()[0] == 10 && (1..=254).contains(&ip.octets()[3]),
                "{ip}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "n1 has 10.0.0.1 already")]
    fn an_address_has_one_owner() {
        let mut addresses = Addresses::default();
        addresses.add(ip("10.0.0.1"), NodeId::new(1));
        addresses.add(ip("::ffff:10.0.0.1"), NodeId::new(2));
    }
}
