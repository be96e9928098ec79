//! Packets that are lost by what they are.

use super::*;
use crate::model::net::{PacketFilter, PacketKind};

fn filter(what: PacketFilter) -> LinkFault {
    LinkFault::Filter {
        what,
        chance: Probability::ALWAYS,
    }
}

fn lose(world: &mut World, kind: PacketKind, links: &[Pair]) -> LinkFaultId {
    world.begin(filter(PacketFilter::kind(kind)), links)
}

/// A listener at `b`, a connection to it and a socket at each host.
struct Traffic {
    world: World,
    client: EndId,
    server: EndId,
    listener: SocketId,
    sockets: [SocketId; 2],
}

fn traffic() -> Traffic {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    let sockets = [world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9")];
    Traffic {
        world,
        client,
        server,
        listener,
        sockets,
    }
}

/// What passes while packets of a kind are lost both ways: a datagram, the asking for a connection,
/// four bytes, the end of a stream, all within 100 ms.
fn passes(kind: Option<PacketKind>) -> [bool; 4] {
    let Traffic {
        mut world,
        client,
        server,
        sockets,
        ..
    } = traffic();
    if let Some(kind) = kind {
        lose(&mut world, kind, &[(A, B), (B, A)]);
    }
    world.send_to(sockets[0], b"x", "10.0.0.2:9").unwrap();
    let second = world.connect(A, "10.0.0.2:80");
    world.write(client, b"once").unwrap();
    world.run(50 * MS);
    world.shutdown(client);
    world.run(50 * MS);
    let read = world.read(server).unwrap();
    let ended = world.read(server).unwrap() == Some(Vec::new());
    let connected = done(world.net.connected(second).unwrap()).is_some();
    [
        !world.receive_all(sockets[1]).is_empty(),
        connected,
        read.is_some(),
        ended,
    ]
}

#[test]
fn only_what_is_meant_is_lost() {
    assert_eq!(passes(None), [true; 4]);
    for (kind, expected) in [
        (PacketKind::Datagram, [false, true, true, true]),
        (PacketKind::Unreachable, [true; 4]),
        (PacketKind::Syn, [true, false, true, true]),
        (PacketKind::SynAck, [true, false, true, true]),
        // What comes behind a gap waits.
        (PacketKind::Data, [true, true, false, false]),
        (PacketKind::Fin, [true, true, true, false]),
        (PacketKind::Ack, [true; 4]),
        (PacketKind::Reset, [true; 4]),
    ] {
        assert_eq!(passes(Some(kind)), expected, "{kind:?}");
    }
}

#[test]
fn a_sender_that_hears_nothing_sends_again_what_arrived() {
    let Traffic {
        mut world,
        client,
        server,
        ..
    } = traffic();
    let fault = lose(&mut world, PacketKind::Ack, &[(B, A)]);
    world.write(client, b"once").unwrap();
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"once");
    assert_eq!(world.count(Kind::StreamRetransmitted), 2);
    assert_eq!(world.counter(Family::Filter).fired, 3);
    world.end(fault);
    world.run_out();
    assert_eq!(world.count(Kind::StreamRetransmitted), 3);
    assert_eq!(world.read(server).unwrap(), None, "and not once more");
}

#[test]
fn word_that_nobody_listens_and_resets_may_be_lost() {
    let Traffic {
        mut world,
        client,
        server,
        listener,
        sockets: [a, _],
    } = traffic();
    lose(&mut world, PacketKind::Unreachable, &[(B, A)]);
    let resets = lose(&mut world, PacketKind::Reset, &[(B, A)]);
    world.net.udp_connect(a, address("10.0.0.2:10")).unwrap();
    world.net.udp_send(&mut world.fx, a, b"x").unwrap();
    world.net.options(server).unwrap().linger = Some(Duration::ZERO);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    let refused = world.connect(A, "10.0.0.2:80");
    world.run(500 * MS);
    assert_eq!(world.receive(a).unwrap(), None);
    assert_eq!(world.read(client).unwrap(), None, "half-open");
    assert!(done(world.net.connected(refused).unwrap()).is_none());
    assert_eq!(world.counter(Family::Filter).effective, 3);
    world.end(resets);
    world.write(client, b"x").unwrap();
    world.run(S);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    assert_eq!(code(world.net.connected(refused)), libc::ECONNREFUSED);
}

#[test]
fn ports_and_sizes_tell_packets_apart() {
    let Traffic {
        mut world,
        sockets: [a, b],
        ..
    } = traffic();
    let other = world.bind(B, "0.0.0.0:10");
    let what = PacketFilter {
        port: Some(9),
        // With headers of 28 bytes: payloads of 100 to 200.
        size_min_bytes: 128,
        size_max_bytes: 228,
        ..PacketFilter::default()
    };
    world.begin(filter(what), &[(A, B)]);
    for length in [99, 100, 200, 201] {
        let payload = vec![0; length];
        world.send_to(a, &payload, "10.0.0.2:9").unwrap();
        world.send_to(a, &payload, "10.0.0.2:10").unwrap();
    }
    world.run(MS);
    let lengths = |world: &mut World, socket| {
        let all = world.receive_all(socket).into_iter();
        all.map(|bytes| bytes.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(&mut world, b), [99, 201]);
    assert_eq!(lengths(&mut world, other), [99, 100, 200, 201]);
    let expected = FaultCounter {
        offered: 2,
        fired: 2,
        effective: 2,
    };
    assert_eq!(world.counter(Family::Filter), expected);
}

#[test]
fn a_stream_of_which_every_third_packet_is_lost_loses_nothing() {
    let Traffic {
        mut world,
        client,
        server,
        ..
    } = traffic();
    for kind in [PacketKind::Data, PacketKind::Fin, PacketKind::Ack] {
        let third = LinkFault::Filter {
            what: PacketFilter::kind(kind),
            chance: Probability::new(1, 3),
        };
        world.begin(third, &[(A, B), (B, A)]);
    }
    let data: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    world.write(client, &data).unwrap();
    world.shutdown(client);
    let mut seen = Vec::new();
    while world.step() {
        seen.extend(world.read(server).unwrap().unwrap_or_default());
    }
    assert_eq!(seen, data);
    assert_eq!(world.read(server).unwrap(), Some(Vec::new()), "its end");
}

#[test]
fn what_is_not_meant_meets_no_draw() {
    let run = |what: Option<(PacketFilter, Probability)>| {
        let mut world = World::with(jittery(), 11);
        let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
        if let Some((what, chance)) = what {
            world.begin(LinkFault::Filter { what, chance }, &[(A, B)]);
        }
        let mut seen = Vec::new();
        for n in 0..50 {
            world.send_to(a, &[n], "10.0.0.2:9").unwrap();
            while world.receive(b).unwrap().is_none() && world.step() {}
            seen.push(world.fx.now);
        }
        (seen, world.counter(Family::Filter))
    };
    let plain = run(None);
    let others = PacketFilter::kind(PacketKind::Syn);
    assert_eq!(run(Some((others, Probability::ALWAYS))), plain);
    let all = PacketFilter::default();
    assert_eq!(run(Some((all, Probability::new(0, 9)))), plain);
    assert_ne!(run(Some((all, Probability::percent(20)))), plain);
}
