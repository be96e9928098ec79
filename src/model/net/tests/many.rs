//! Datagrams for many: broadcast and groups, and what faults do to each copy.

use std::net::Ipv6Addr;

use super::*;

const GROUP: &str = "239.1.1.1:9";

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

impl World {
    fn join(&mut self, socket: SocketId) {
        self.join_at(socket, "0.0.0.0").unwrap();
    }

    fn join_at(&mut self, socket: SocketId, at: &str) -> io::Result<()> {
        self.net.udp_join_v4(socket, v4("239.1.1.1"), v4(at))
    }

    fn leave_at(&mut self, socket: SocketId, at: &str) -> io::Result<()> {
        self.net.udp_leave_v4(socket, v4("239.1.1.1"), v4(at))
    }

    fn allow_broadcast(&mut self, socket: SocketId) {
        self.net.udp_options(socket).unwrap().broadcast = true;
    }

    /// How many datagrams each of these has received.
    fn received<const N: usize>(&mut self, sockets: [SocketId; N]) -> [usize; N] {
        self.run(S);
        sockets.map(|socket| self.receive_all(socket).len())
    }
}

/// A socket at port 9 of each host; that of `a` may send to all.
fn all(world: &mut World) -> [SocketId; 3] {
    let sockets = [A, B, C].map(|node| world.bind(node, "0.0.0.0:9"));
    world.allow_broadcast(sockets[0]);
    sockets
}

/// The same, and all are in the group.
fn group(world: &mut World) -> [SocketId; 3] {
    let sockets = all(world);
    for socket in sockets {
        world.join(socket);
    }
    sockets
}

#[test]
fn a_broadcast_comes_to_every_host() {
    let mut world = World::new();
    let sockets = all(&mut world);
    let [a, b, _] = sockets;
    assert_eq!(
        code(world.send_to(b, b"x", "255.255.255.255:9")),
        libc::EACCES
    );
    assert_eq!(
        code(world.net.udp_connect(b, address("255.255.255.255:9"))),
        libc::EACCES
    );
    assert_eq!(world.count(Kind::DatagramSent), 0);
    world.send_to(a, b"all", "255.255.255.255:9").unwrap();
    assert_eq!(world.count(Kind::DatagramSent), 3, "one for each host");
    world.run(MS);
    for socket in sockets {
        let received = world.receive(socket).unwrap();
        assert_eq!(received, Some((b"all".to_vec(), address("10.0.0.1:9"))));
    }
    world.send_to(a, b"own", "127.255.255.255:9").unwrap();
    assert_eq!(world.received(sockets), [1, 0, 0]);
    let local = world.bind(A, "127.0.0.1:10");
    world.allow_broadcast(local);
    world.send_to(local, b"own", "255.255.255.255:9").unwrap();
    assert_eq!(world.received(sockets), [1, 0, 0]);
}

#[test]
fn a_broadcast_is_for_the_wildcard_and_its_own_address() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:1");
    world.allow_broadcast(a);
    let sockets = [
        world.bind(A, "10.0.0.1:9"),
        world.bind(B, "255.255.255.255:9"),
        world.bind(C, "[::]:9"),
    ];
    world.send_to(a, b"x", "255.255.255.255:9").unwrap();
    assert_eq!(world.received(sockets), [0, 1, 1]);
    world.send_to(a, b"x", "10.0.0.2:9").unwrap();
    assert_eq!(world.received(sockets), [0, 0, 0]);
    world.send_to(sockets[1], b"x", "10.0.0.1:9").unwrap();
    assert_eq!(
        world.received(sockets),
        [1, 0, 0],
        "its own address is the host's"
    );
}

#[test]
fn nobody_says_that_nobody_listens_to_many() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:9");
    world.allow_broadcast(a);
    for to in ["255.255.255.255:10", "239.1.1.1:10", "224.0.0.1:10"] {
        world.net.udp_connect(a, address(to)).unwrap();
        world.net.udp_send(&mut world.fx, a, b"x").unwrap();
        world.run(S);
        world.net.udp_send(&mut world.fx, a, b"x").unwrap();
        assert_eq!(world.receive(a).unwrap(), None);
    }
    world.run_out();
    assert_eq!(world.net.packets.counts().0, 0, "no copy is left");
}

#[test]
fn a_group_is_those_who_joined() {
    let mut world = World::new();
    let sockets = all(&mut world);
    let [a, b, c] = sockets;
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [0, 0, 0]);
    world.join(b);
    world.join(c);
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [0, 1, 1]);
    world.leave_at(c, "10.0.0.3").unwrap();
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [0, 1, 0]);
    world.net.udp_close(&mut world.fx, b);
    let b = world.bind(B, "0.0.0.0:9");
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received([a, b, c]), [0, 0, 0]);
    assert_eq!(world.net.groups.len(), 0, "nothing is left of a group");
    for socket in [a, b, c] {
        world.net.udp_close(&mut world.fx, socket);
    }
    world.assert_clean();
}

#[test]
fn a_member_opens_its_host_to_every_socket() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:1");
    let (listens, joins) = (world.bind(B, "0.0.0.0:9"), world.bind(B, "0.0.0.0:10"));
    let also = world.bind(B, "0.0.0.0:11");
    world.join(joins);
    world.join(also);
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received([listens]), [1]);
    world.net.udp_close(&mut world.fx, joins);
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received([listens]), [1], "another is in the group");
    world.leave_at(also, "0.0.0.0").unwrap();
    world.send_to(a, b"x", GROUP).unwrap();
    assert_eq!(world.received([listens]), [0]);
}

#[test]
fn who_leaves_while_a_copy_is_in_flight_does_not_get_it() {
    let mut world = World::new();
    let sockets = group(&mut world);
    world.send_to(sockets[0], b"x", GROUP).unwrap();
    world.leave_at(sockets[1], "0.0.0.0").unwrap();
    assert_eq!(world.received(sockets), [1, 0, 1]);
}

#[test]
fn the_sender_hears_itself_unless_it_would_not() {
    let mut world = World::new();
    let sockets = group(&mut world);
    let a = sockets[0];
    for (on, ttl, expected) in [
        (true, 1, [1, 1, 1]),
        (false, 1, [0, 1, 1]),
        (true, 0, [1, 0, 0]),
        (false, 0, [0, 0, 0]),
    ] {
        let options = world.net.udp_options(a).unwrap();
        options.multicast_loop_v4 = on;
        options.set_multicast_ttl_v4(ttl).unwrap();
        world.send_to(a, b"x", GROUP).unwrap();
        assert_eq!(world.received(sockets), expected, "{on} {ttl}");
    }
}

#[test]
fn the_loopback_interface_is_a_network_of_its_own() {
    let mut world = World::new();
    let sockets = group(&mut world);
    let local = world.bind(A, "127.0.0.1:10");
    world.send_to(local, b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [0, 0, 0]);
    world.join_at(sockets[0], "127.0.0.1").unwrap();
    world.net.udp_options(local).unwrap().multicast_loop_v4 = false;
    world.send_to(local, b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [1, 0, 0]);
    world.leave_at(sockets[0], "0.0.0.0").unwrap();
    world.send_to(sockets[1], b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [0, 1, 1]);
}

#[test]
fn every_host_is_in_the_group_of_all() {
    let mut world = World::new();
    let sockets = all(&mut world);
    world.send_to(sockets[0], b"x", "224.0.0.1:9").unwrap();
    assert_eq!(world.received(sockets), [1, 1, 1]);
    let local = world.bind(B, "127.0.0.1:10");
    world.send_to(local, b"x", "224.0.0.1:9").unwrap();
    assert_eq!(world.received(sockets), [0, 1, 0]);
}

#[test]
fn joining_has_the_errors_of_linux() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:9");
    world.join(a);
    for (at, error) in [
        ("0.0.0.0", libc::EADDRINUSE),
        ("10.0.0.1", libc::EADDRINUSE),
        ("10.0.0.2", libc::ENODEV),
        ("127.255.255.255", libc::ENODEV),
    ] {
        assert_eq!(code(world.join_at(a, at)), error, "{at}");
    }
    let no_group = world.net.udp_join_v4(a, v4("10.0.0.1"), v4("10.0.0.2"));
    assert_eq!(code(no_group), libc::EINVAL);
    for n in 2..=20 {
        let group = Ipv4Addr::new(239, 1, 1, n);
        world.net.udp_join_v4(a, group, v4("0.0.0.0")).unwrap();
    }
    let one_more = world.net.udp_join_v4(a, v4("239.1.1.21"), v4("0.0.0.0"));
    assert_eq!(code(one_more), libc::ENOBUFS);
    assert_eq!(code(world.leave_at(a, "127.0.0.1")), libc::EADDRNOTAVAIL);
    assert_eq!(code(world.leave_at(a, "10.0.0.2")), libc::EADDRNOTAVAIL);
    world.leave_at(a, "0.0.0.0").unwrap();
    assert_eq!(code(world.leave_at(a, "0.0.0.0")), libc::EADDRNOTAVAIL);
}

/// A network of two hosts that have IPv6, `d` and `e`, and three that have not.
fn with_ipv6() -> (World, [SocketId; 2]) {
    let mut world = World::new();
    let sockets = [("d", 4), ("e", 5)].map(|(name, n)| {
        let node = NodeId::new(n);
        let ip = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::try_from(n).unwrap());
        world.net.add_host(node, name, &[ip.into()]);
        world.bind(node, "[::]:9")
    });
    (world, sockets)
}

#[test]
fn groups_of_ipv6_have_scopes() {
    let (mut world, sockets) = with_ipv6();
    let [d, e] = sockets;
    for group in ["ff01::7", "ff02::7", "ff05::7"] {
        for socket in sockets {
            world.net.udp_join_v6(socket, &v6(group), 0).unwrap();
        }
    }
    for (to, expected) in [
        ("[ff05::7]:9", [1, 1]),
        ("[ff05::7%9]:9", [1, 1]),
        ("[ff02::7]:9", [1, 1]),
        ("[ff02::7%2]:9", [1, 1]),
        ("[ff01::7]:9", [1, 0]),
        ("[ff02::1]:9", [1, 1]),
        ("[ff02::8]:9", [0, 0]),
    ] {
        world.send_to(d, b"x", to).unwrap();
        assert_eq!(world.received(sockets), expected, "{to}");
    }
    assert_eq!(
        code(world.send_to(d, b"x", "[ff02::7%1]:9")),
        libc::ENETUNREACH
    );
    assert_eq!(
        code(world.net.udp_connect(d, address("[ff02::7]:9"))),
        libc::EINVAL
    );
    let node = NodeId::new(4);
    assert_eq!(code(world.try_bind(node, "[ff02::7]:8")), libc::EINVAL);
    assert_eq!(code(world.try_bind(node, "[ff02::7%3]:8")), libc::ENODEV);
    world.bind(node, "[ff02::7%2]:8");
    world
        .net
        .udp_options(d)
        .unwrap()
        .set_multicast_loop_v6(false)
        .unwrap();
    world.send_to(d, b"x", "[ff02::7]:9").unwrap();
    assert_eq!(world.received(sockets), [0, 1]);
    let local = world.bind(NodeId::new(5), "[::1]:10");
    world.send_to(local, b"x", "[ff02::7]:9").unwrap();
    assert_eq!(world.received(sockets), [0, 0], "Linux has no route there");
    world.net.udp_leave_v6(e, &v6("ff02::7"), 0).unwrap();
    world.send_to(d, b"x", "[ff02::7]:9").unwrap();
    assert_eq!(world.received(sockets), [0, 0]);
}

#[test]
fn joining_groups_of_ipv6_has_the_errors_of_linux() {
    let (mut world, [d, _]) = with_ipv6();
    let group = v6("ff02::7");
    world.net.udp_join_v6(d, &group, 1).unwrap();
    for (index, error) in [
        (0, libc::EADDRINUSE),
        (1, libc::EADDRINUSE),
        (3, libc::ENODEV),
    ] {
        assert_eq!(
            code(world.net.udp_join_v6(d, &group, index)),
            error,
            "{index}"
        );
    }
    world.net.udp_join_v6(d, &group, 2).unwrap();
    assert_eq!(code(world.net.udp_join_v6(d, &v6("::1"), 3)), libc::EINVAL);
    assert_eq!(code(world.net.udp_leave_v6(d, &v6("::1"), 1)), libc::EINVAL);
    assert_eq!(
        code(world.net.udp_leave_v6(d, &group, 3)),
        libc::EADDRNOTAVAIL
    );
    world.net.udp_leave_v6(d, &group, 0).unwrap();
    world.net.udp_leave_v6(d, &group, 1).unwrap();
    assert_eq!(
        code(world.net.udp_leave_v6(d, &group, 0)),
        libc::EADDRNOTAVAIL
    );
    let four = world.bind(A, "0.0.0.0:9");
    assert_eq!(
        code(world.net.udp_join_v6(four, &group, 0)),
        libc::ENOPROTOOPT
    );
    let without = world.bind(A, "[::]:10");
    assert_eq!(
        code(world.net.udp_join_v6(without, &group, 0)),
        libc::ENODEV
    );
    world.net.udp_join_v6(without, &group, 1).unwrap();
    assert_eq!(
        code(world.send_to(without, b"x", "[ff02::7]:9")),
        libc::ENETUNREACH
    );
}

#[test]
fn the_end_of_a_process_leaves_its_groups() {
    for how in [Death::Kill, Death::Crash] {
        let mut world = World::new();
        let sockets = group(&mut world);
        world.die(B, how);
        world.restart(B);
        let b = world.bind(B, "0.0.0.0:9");
        world.send_to(sockets[0], b"x", GROUP).unwrap();
        assert_eq!(
            world.received([sockets[0], b, sockets[2]]),
            [1, 0, 1],
            "{how:?}"
        );
    }
}

#[test]
fn a_cut_takes_one_copy() {
    for to in [GROUP, "255.255.255.255:9"] {
        let mut world = World::new();
        let sockets = group(&mut world);
        world.send_to(sockets[0], b"x", to).unwrap();
        world.cut(A, B);
        assert_eq!(world.received(sockets), [1, 0, 1], "in flight: {to}");
        world.send_to(sockets[0], b"x", to).unwrap();
        assert_eq!(world.received(sockets), [1, 0, 1], "{to}");
        assert_eq!(world.counter(Family::Partition).effective, 2);
        world.heal(A, B);
        world.send_to(sockets[0], b"x", to).unwrap();
        assert_eq!(world.received(sockets), [1, 1, 1], "{to}");
    }
}

#[test]
fn a_lossy_link_loses_its_copy_alone() {
    let mut world = World::new();
    let sockets = group(&mut world);
    world.net.set_link(A, C, Some(lossy(100)));
    world.send_to(sockets[0], b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [1, 1, 0]);
    let loss = world.counter(Family::Loss);
    assert_eq!((loss.offered, loss.fired, loss.effective), (1, 1, 1));
    world.leave_at(sockets[2], "0.0.0.0").unwrap();
    world
        .send_to(sockets[0], b"x", "255.255.255.255:10")
        .unwrap();
    world.run(S);
    let loss = world.counter(Family::Loss);
    assert_eq!(
        (loss.offered, loss.fired, loss.effective),
        (2, 2, 1),
        "nobody misses it"
    );
}

#[test]
fn losing_copies_is_drawn_for_each_link() {
    let mut world = World::with(lossy(50), 11);
    let sockets = group(&mut world);
    for _ in 0..100 {
        world.send_to(sockets[0], b"x", GROUP).unwrap();
    }
    let [a, b, c] = world.received(sockets);
    assert_eq!(a, 100, "its own copy meets no link");
    assert!(
        (30..=70).contains(&b) && (30..=70).contains(&c) && b != c,
        "{b} {c}"
    );
}

#[test]
fn a_hold_keeps_one_copy() {
    let mut world = World::new();
    let sockets = group(&mut world);
    let fault = world.begin(LinkFault::Hold, &[(A, B)]);
    world.send_to(sockets[0], b"x", GROUP).unwrap();
    assert_eq!(world.received(sockets), [1, 0, 1]);
    let held: Vec<_> = world.net.in_flight();
    assert_eq!(held.len(), 1);
    assert_eq!(
        (held[0].from, held[0].to, &*held[0].payload),
        (A, B, &b"x"[..])
    );
    world.end(fault);
    assert_eq!(world.received(sockets), [0, 1, 0]);
}

#[test]
fn copies_are_doubled_corrupted_and_held_up_one_by_one() {
    let always = Probability::percent(100);
    let mut world = World::new();
    let sockets = group(&mut world);
    let link = |change: fn(&mut LinkConfig, Probability)| {
        let mut config = constant(MS);
        change(&mut config, always);
        Some(config)
    };
    world
        .net
        .set_link(A, B, link(|link, always| link.duplicate = always));
    world
        .net
        .set_link(A, C, link(|link, always| link.corrupt = always));
    world.send_to(sockets[0], b"x", GROUP).unwrap();
    world.run(S);
    assert_eq!(world.receive_all(sockets[0]), [b"x"]);
    assert_eq!(world.receive_all(sockets[1]), [b"x", b"x"]);
    let changed = world.receive_all(sockets[2]);
    assert_eq!(changed.len(), 1);
    assert_ne!(changed[0], b"x");
    for family in [Family::Duplicate, Family::Corrupt] {
        assert_eq!(world.counter(family).effective, 1, "{family:?}");
    }
    world
        .net
        .set_link(A, B, link(|link, always| link.reorder = always));
    world.net.set_link(A, C, None);
    world.send_to(sockets[0], b"1", GROUP).unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(sockets[2]), [b"1"]);
    assert_eq!(world.receive_all(sockets[1]).len(), 0);
    assert_eq!(world.received(sockets), [1, 1, 0]);
}

#[test]
fn unused_groups_cost_nothing_and_copies_use_their_buffers_again() {
    let mut world = World::new();
    assert_eq!(world.net.groups.len(), 0);
    let sockets = group(&mut world);
    for _ in 0..50 {
        world.send_to(sockets[0], &[7; 100], GROUP).unwrap();
        assert_eq!(world.received(sockets), [1, 1, 1]);
    }
    assert_eq!(world.net.packets.counts(), (0, 3));
}
