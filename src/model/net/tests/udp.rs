//! Datagrams: what Linux does, and what the network does to them.

use super::*;

fn hello(world: &mut World) -> (SocketId, SocketId) {
    (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"))
}

#[test]
fn arrive_after_the_latency_with_their_sender() {
    let mut world = World::new();
    let (a, b) = hello(&mut world);
    assert_eq!(world.send_to(a, b"hello", "10.0.0.2:9").unwrap(), 5);
    world.run(MS - Duration::from_nanos(1));
    let waiting = world.net.udp_readable(b).unwrap();
    let Answer::Wait(token) = waiting else {
        panic!("nothing is there yet")
    };
    assert!(!world.fx.woken.contains(&token));
    world.run(Duration::from_nanos(1));
    assert!(world.fx.woken.contains(&token));
    assert_eq!(
        world.receive(b).unwrap(),
        Some((b"hello".to_vec(), address("10.0.0.1:9")))
    );
    assert_eq!(world.receive(b).unwrap(), None);
    world.send_to(a, b"never received", "10.0.0.2:9").unwrap();
    world.send_to(a, b"nobody", "10.0.0.2:10").unwrap();
    world.run(MS);
    world.net.udp_close(&mut world.fx, a);
    world.net.udp_close(&mut world.fx, b);
    world.assert_clean();
}

#[test]
fn loopback_stays_in_the_node() {
    let mut world = World::with(lossy(100), 1);
    let (a, _) = hello(&mut world);
    for to in ["127.0.0.1:9", "10.0.0.1:9", "0.0.0.0:9", "127.3.2.1:9"] {
        world.send_to(a, b"x", to).unwrap();
    }
    world.run(MS);
    assert_eq!(world.receive_all(a).len(), 4);
    let six = world.bind(A, "[::1]:9");
    world.send_to(six, b"six", "[::1]:9").unwrap();
    world.run(MS);
    assert_eq!(
        world.receive(six).unwrap(),
        Some((b"six".to_vec(), address("[::1]:9")))
    );
}

#[test]
fn errors_are_those_of_linux() {
    let mut world = World::new();
    let (a, _) = hello(&mut world);
    let big = vec![0; 65_508];
    assert_eq!(code(world.send_to(a, b"x", "10.0.0.2:0")), libc::EINVAL);
    assert_eq!(code(world.send_to(a, &big, "10.0.0.2:0")), libc::EINVAL);
    assert_eq!(code(world.send_to(a, &big, "10.0.0.2:9")), libc::EMSGSIZE);
    assert_eq!(world.send_to(a, &big[1..], "10.0.0.2:9").unwrap(), 65_507);
    assert_eq!(
        code(world.net.udp_send(&mut world.fx, a, b"x")),
        libc::EDESTADDRREQ
    );
    assert_eq!(code(world.net.udp_peer(a)), libc::ENOTCONN);
    assert_eq!(code(world.try_bind(A, "10.0.0.2:10")), libc::EADDRNOTAVAIL);
    assert_eq!(code(world.try_bind(A, "127.0.0.1:9")), libc::EADDRINUSE);
    assert_eq!(code(world.try_bind(A, "[::]:9")), libc::EADDRINUSE);
    let local = world.bind(A, "127.0.0.1:10");
    assert_eq!(code(world.send_to(local, b"x", "10.0.0.2:9")), libc::EINVAL);
    assert_eq!(
        code(world.net.udp_connect(local, address("10.0.0.2:9"))),
        libc::EINVAL
    );
    world.net.udp_close(&mut world.fx, a);
    assert_eq!(code(world.send_to(a, b"x", "10.0.0.2:9")), libc::EBADF);
    assert!(world.try_bind(A, "0.0.0.0:9").is_ok());
}

#[test]
fn ephemeral_ports_follow_each_other_from_a_drawn_start() {
    let port = |seed, count: usize| {
        let mut world = World::with(constant(MS), seed);
        let sockets: Vec<_> = (0..count).map(|_| world.bind(A, "0.0.0.0:0")).collect();
        sockets
            .iter()
            .map(|s| world.net.udp_local(*s).unwrap().port())
            .collect::<Vec<_>>()
    };
    let ports = port(1, 3);
    assert!(
        ports.windows(2).all(|w| w[1] == w[0] + 1 || w[1] == 32_768),
        "{ports:?}"
    );
    assert_eq!(ports, port(1, 3));
    assert_ne!(ports, port(2, 3));
    let mut all = port(1, 28_232);
    all.sort_unstable();
    assert_eq!((all[0], all[28_231]), (32_768, 60_999));
    let mut world = World::new();
    for _ in 0..28_232 {
        world.bind(A, "0.0.0.0:0");
    }
    assert_eq!(code(world.try_bind(A, "0.0.0.0:0")), libc::EADDRINUSE);
}

#[test]
fn what_exceeds_the_buffer_is_lost_and_peeking_loses_nothing() {
    let mut world = World::new();
    let (a, b) = hello(&mut world);
    world.send_to(a, b"hello", "10.0.0.2:9").unwrap();
    world.run(MS);
    let mut buffer = [0; 2];
    for take in [Take::Peek, Take::Remove] {
        let answer = world.net.udp_recv_from(b, &mut buffer, take).unwrap();
        assert_eq!(done(answer).unwrap().0, 2);
        assert_eq!(&buffer, b"he");
    }
    assert_eq!(world.receive(b).unwrap(), None);
}

#[test]
fn a_full_queue_drops() {
    let mut world = World::new();
    let (a, b) = hello(&mut world);
    for _ in 0..1_000 {
        world.send_to(a, b"", "10.0.0.2:9").unwrap();
    }
    world.run(MS);
    assert_eq!(world.receive_all(b).len(), 212_992 / 800);
    assert_eq!(world.count(Kind::DatagramDropped), 1_000 - 266);
    world.send_to(a, b"again", "10.0.0.2:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(b), [b"again"]);
}

#[test]
fn a_connected_socket_hears_only_its_peer() {
    let mut world = World::new();
    let (a, b) = hello(&mut world);
    let c = world.bind(C, "0.0.0.0:9");
    world.net.udp_connect(a, address("10.0.0.2:9")).unwrap();
    assert_eq!(world.net.udp_local(a).unwrap(), address("10.0.0.1:9"));
    assert_eq!(world.net.udp_peer(a).unwrap(), address("10.0.0.2:9"));
    world.send_to(b, b"from b", "10.0.0.1:9").unwrap();
    world.send_to(c, b"from c", "10.0.0.1:9").unwrap();
    world.net.udp_send(&mut world.fx, a, b"to b").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(a), [b"from b"]);
    assert_eq!(world.receive_all(b), [b"to b"]);
}

#[test]
fn a_connected_socket_is_refused_after_a_round_trip() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:9");
    world.send_to(a, b"nobody", "10.0.0.2:9").unwrap();
    world.run(10 * MS);
    assert_eq!(
        world.receive(a).unwrap(),
        None,
        "one that is not connected hears nothing"
    );
    world.net.udp_connect(a, address("10.0.0.2:9")).unwrap();
    world.net.udp_send(&mut world.fx, a, b"nobody").unwrap();
    world.run(2 * MS - Duration::from_nanos(1));
    assert_eq!(world.receive(a).unwrap(), None);
    world.run(Duration::from_nanos(1));
    assert_eq!(
        code(world.net.udp_send(&mut world.fx, a, b"x")),
        libc::ECONNREFUSED
    );
    world.net.udp_send(&mut world.fx, a, b"nobody").unwrap();
    world.run(2 * MS);
    assert_eq!(code(world.receive(a)), libc::ECONNREFUSED);
    assert_eq!(world.receive(a).unwrap(), None, "an error is told once");
}

#[test]
fn a_socket_of_both_families_shows_ipv4_as_mapped() {
    let mut world = World::new();
    let a = world.bind(A, "[::]:9");
    let b = world.bind(B, "0.0.0.0:9");
    world.send_to(b, b"x", "10.0.0.1:9").unwrap();
    world.run(MS);
    let from = world.receive(a).unwrap().unwrap().1;
    assert_eq!(from, address("[::ffff:10.0.0.2]:9"));
    world.send_to(a, b"y", &from.to_string()).unwrap();
    world.run(MS);
    assert_eq!(world.receive(b).unwrap().unwrap().1, address("10.0.0.1:9"));
    world.net.udp_connect(a, from).unwrap();
    world.send_to(b, b"z", "10.0.0.1:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(a), [b"z"]);
}

#[test]
fn datagrams_may_overtake() {
    let mut world = World::with(jittery(), 3);
    let (a, b) = hello(&mut world);
    for n in 0..50_u8 {
        world.send_to(a, &[n], "10.0.0.2:9").unwrap();
    }
    world.run(S);
    let order: Vec<u8> = world.receive_all(b).concat();
    assert_eq!(order.len(), 50);
    assert!(!order.is_sorted());
}

#[test]
fn buffers_are_used_again() {
    let mut world = World::new();
    let (a, b) = hello(&mut world);
    for _ in 0..100 {
        world.send_to(a, &[7; 100], "10.0.0.2:9").unwrap();
        world.run(MS);
        assert_eq!(world.receive_all(b), [[7; 100]]);
    }
    assert_eq!(world.net.packets.counts(), (0, 1));
}

#[test]
fn an_ipv6_address_needs_one_of_its_own() {
    let mut world = World::new();
    let a = world.bind(A, "[::]:9");
    assert_eq!(
        code(world.send_to(a, b"x", "[fd00::7]:9")),
        libc::ENETUNREACH
    );
    let d = NodeId::new(4);
    world.net.add_host(d, "d", &["fd00::4".parse().unwrap()]);
    let e = NodeId::new(5);
    world.net.add_host(
        e,
        "e",
        &["fd00::5".parse().unwrap(), "192.168.0.5".parse().unwrap()],
    );
    assert_eq!(world.net.name("E"), world.net.addresses(e));
    let (sender, receiver) = (world.bind(d, "[::]:9"), world.bind(e, "[fd00::5]:9"));
    world.send_to(sender, b"six", "[fd00::5]:9").unwrap();
    world.run(MS);
    assert_eq!(
        world.receive(receiver).unwrap(),
        Some((b"six".to_vec(), address("[fd00::4]:9")))
    );
}

#[test]
fn a_socket_connected_to_port_zero_hears_its_host() {
    let mut world = World::new();
    let (a, b) = hello(&mut world);
    world.net.udp_connect(a, address("10.0.0.2:0")).unwrap();
    assert_eq!(code(world.net.udp_peer(a)), libc::ENOTCONN);
    world.net.udp_send(&mut world.fx, a, b"x").unwrap();
    world.run(2 * MS);
    let refused = world.net.udp_send(&mut world.fx, a, b"x");
    assert_eq!(code(refused), libc::ECONNREFUSED);
    let c = world.bind(C, "0.0.0.0:9");
    world.send_to(b, b"from b", "10.0.0.1:9").unwrap();
    world.send_to(c, b"from c", "10.0.0.1:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(a), [b"from b"]);
}

#[test]
fn an_error_of_the_address_leaves_that_of_the_socket() {
    let mut world = World::new();
    let a = world.bind(A, "10.0.0.1:9");
    world.net.udp_connect(a, address("10.0.0.2:9")).unwrap();
    let big = vec![0; 65_536];
    for (payload, to, error) in [
        (&big[..1], "10.0.0.2:0", libc::EINVAL),
        (&big[..65_508], "10.0.0.2:9", libc::EMSGSIZE),
        (&big[..65_508], "255.255.255.255:9", libc::EACCES),
        (&big, "10.0.0.2:0", libc::EMSGSIZE),
    ] {
        world.net.udp_send(&mut world.fx, a, b"nobody").unwrap();
        world.run(2 * MS);
        assert_eq!(code(world.send_to(a, payload, to)), error, "{to}");
        let refused = world.net.udp_send(&mut world.fx, a, b"x");
        assert_eq!(code(refused), libc::ECONNREFUSED, "{to}");
    }
}

#[test]
fn datagrams_of_ipv6_are_longer() {
    let mut world = World::new();
    let a = world.bind(A, "[::]:9");
    let big = vec![7; 65_536];
    assert_eq!(world.send_to(a, &big[..65_527], "[::1]:9").unwrap(), 65_527);
    assert_eq!(
        code(world.send_to(a, &big[..65_528], "[::1]:9")),
        libc::EMSGSIZE
    );
    assert_eq!(code(world.send_to(a, &big, "[::1]:0")), libc::EINVAL);
    let mapped = "[::ffff:127.0.0.1]:9";
    assert_eq!(world.send_to(a, &big[..65_507], mapped).unwrap(), 65_507);
    assert_eq!(
        code(world.send_to(a, &big[..65_508], mapped)),
        libc::EMSGSIZE
    );
    world.run(MS);
    let lengths: Vec<_> = world.receive_all(a).iter().map(Vec::len).collect();
    assert_eq!(lengths, [65_527, 65_507]);
}
