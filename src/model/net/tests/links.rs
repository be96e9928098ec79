//! What links do to packets: faults that act on datagrams, gray links, clogs, holds, bandwidth.

use super::*;
use crate::model::net::{Bandwidth, PacketKind, QueueDrop};

/// What `b` receives of a hundred datagrams from `a`, one each millisecond, with the times.
pub(super) fn hundred(world: &mut World) -> Vec<(u128, Vec<u8>)> {
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let mut seen = Vec::new();
    for n in 0..200 {
        if n < 100 {
            world.send_to(a, &[n, 0, 0, 0], "10.0.0.2:9").unwrap();
        }
        world.run(MS);
        let now = world.now_ms();
        seen.extend(world.receive_all(b).into_iter().map(|bytes| (now, bytes)));
    }
    seen
}

fn with(change: impl FnOnce(&mut LinkConfig)) -> World {
    let mut config = constant(MS);
    change(&mut config);
    World::with(config, 5)
}

fn narrow(bytes_per_second: u64, queue_bytes: u64) -> World {
    with(|link| {
        link.bandwidth = Some(Bandwidth {
            bytes_per_second,
            queue_bytes,
            drop: QueueDrop::Tail,
        });
    })
}

/// Which of 200 datagrams of 1,028 bytes with headers are lost, at twice what a link carries, whose
/// queue of 40,000 bytes is half full after 39 and full after 77 of them.
fn flood(drop: QueueDrop) -> Vec<u8> {
    let mut world = with(|link| {
        link.bandwidth = Some(Bandwidth {
            bytes_per_second: 514_000,
            queue_bytes: 40_000,
            drop,
        });
    });
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let mut seen = BTreeSet::new();
    for n in 0..200 {
        world.send_to(a, &[n; 1_000], "10.0.0.2:9").unwrap();
        world.run(MS);
        seen.extend(world.receive_all(b).iter().map(|bytes| bytes[0]));
    }
    world.run(S);
    seen.extend(world.receive_all(b).iter().map(|bytes| bytes[0]));
    let counter = world.counter(Family::Bandwidth);
    assert_eq!((counter.fired, counter.effective), (199, 199));
    (0..200).filter(|n| !seen.contains(n)).collect()
}

#[test]
fn a_queue_that_drops_early_is_never_full() {
    let (tail, early) = (flood(QueueDrop::Tail), flood(QueueDrop::Early));
    assert!((75..80).contains(&tail[0]), "{tail:?}");
    assert!((40..65).contains(&early[0]), "{early:?}");
    assert!(early.len() > tail.len());
    let in_a_row = |lost: &[u8]| {
        lost.windows(2)
            .filter(|pair| pair[1] == pair[0] + 1)
            .count()
    };
    assert_eq!(in_a_row(&tail), 0, "every other");
    assert!(in_a_row(&early) > 5, "at random: {early:?}");
}

#[test]
fn some_datagrams_arrive_twice() {
    let mut world = with(|link| link.duplicate = Probability::percent(30));
    let seen = hundred(&mut world);
    let counter = world.counter(Family::Duplicate);
    assert_eq!(counter.offered, 100);
    assert!((15..45).contains(&counter.fired), "{counter:?}");
    assert_eq!(seen.len() as u64, 100 + counter.fired);
    assert_eq!(counter.effective, counter.fired);
}

#[test]
fn some_datagrams_are_overtaken() {
    let mut world = with(|link| link.reorder = Probability::percent(30));
    let seen = hundred(&mut world);
    assert_eq!(seen.len(), 100);
    let counter = world.counter(Family::Reorder);
    assert_eq!((counter.offered, counter.effective), (100, counter.fired));
    let overtaken = seen.windows(2).filter(|pair| pair[0].1 > pair[1].1);
    assert!(overtaken.count() > 5, "{seen:?}");
}

#[test]
fn some_datagrams_arrive_changed() {
    let mut world = with(|link| link.corrupt = Probability::percent(30));
    let seen = hundred(&mut world);
    assert_eq!(seen.len(), 100);
    let changed = (0_u8..)
        .zip(&seen)
        .filter(|(n, seen)| seen.1 != [*n, 0, 0, 0])
        .count() as u64;
    let counter = world.counter(Family::Corrupt);
    assert_eq!(counter.fired, changed);
    assert_eq!(counter.effective, changed);
    assert!((15..45).contains(&changed), "{changed}");
}

#[test]
fn a_large_datagram_is_lost_with_any_of_its_fragments() {
    let mut world = with(|link| link.loss = Probability::percent(5));
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let mut arrived = |length| {
        let mut count = 0;
        for _ in 0..500 {
            world.send_to(a, &vec![1; length], "10.0.0.2:9").unwrap();
            world.run(MS);
            count += world.receive_all(b).len();
        }
        count
    };
    let whole = arrived(1_472);
    assert!((450..500).contains(&whole), "{whole}");
    // Forty-five fragments: 0.95^45 is a tenth.
    let cut = arrived(65_507);
    assert!((20..90).contains(&cut), "{cut}");
}

#[test]
fn an_empty_datagram_has_nothing_to_corrupt() {
    let mut world = with(|link| link.corrupt = Probability::ALWAYS);
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    world.send_to(a, b"", "10.0.0.2:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(b), [b""]);
    assert_eq!(world.counter(Family::Corrupt).effective, 0);
}

#[test]
fn a_corrupt_segment_is_only_late() {
    let mut world = with(|link| link.corrupt = Probability::percent(20));
    let (client, server, _) = world.pair();
    for _ in 0..50 {
        world.write(client, b"abc").unwrap();
        world.run(S);
    }
    world.run(60 * S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"abc".repeat(50));
    assert!(world.counter(Family::Corrupt).effective > 0);
    assert!(world.count(Kind::StreamRetransmitted) > 0);
}

#[test]
fn datagrams_beyond_the_bandwidth_are_dropped() {
    let mut world = narrow(100_000, 10_000);
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    for _ in 0..20 {
        world.send_to(a, &[0; 972], "10.0.0.2:9").unwrap();
    }
    world.run(10 * MS + MS);
    assert_eq!(world.receive_all(b).len(), 1, "one takes 10 ms");
    world.run(S);
    assert_eq!(world.receive_all(b).len(), 9);
    let counter = world.counter(Family::Bandwidth);
    assert_eq!((counter.offered, counter.fired), (20, 19));
    assert_eq!(counter.effective, 19);
}

#[test]
fn a_stream_takes_the_time_that_the_bandwidth_allows_and_loses_nothing() {
    let mut world = narrow(1_000_000, 16_000);
    let (client, server, _) = world.pair();
    let begin = world.fx.now;
    let mut received = 0;
    let mut sent = 0;
    while received < 1_000_000 {
        if sent < 1_000_000 {
            let part = vec![7; (1_000_000 - sent).min(64 << 10)];
            sent += world.write(client, &part).unwrap().unwrap_or(0);
        }
        received += world.read(server).unwrap().map_or(0, |bytes| bytes.len());
        assert!(received == 1_000_000 || world.step());
    }
    let took = world.fx.now.saturating_since(begin);
    assert!(took > S, "{took:?}");
    assert!(took < S + 50 * MS, "headers are 3 %: {took:?}");
    assert_eq!(world.count(Kind::StreamRetransmitted), 0);
    assert!(world.counter(Family::Bandwidth).effective > 100);
}

#[test]
fn a_flood_of_datagrams_delays_a_stream_and_does_not_end_it() {
    let mut world = narrow(1_000_000, 16_000);
    let (client, server, _) = world.pair();
    let flood = world.bind(A, "0.0.0.0:9");
    world.write(client, &[1; 20_000]).unwrap();
    for _ in 0..1_000 {
        for _ in 0..2 {
            world.send_to(flood, &[0; 1_400], "10.0.0.2:9").unwrap();
        }
        world.run(MS);
    }
    world.run(10 * S);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 20_000);
}

#[test]
fn a_large_write_may_be_read_in_two_parts_cut_between_segments() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let mut firsts = BTreeSet::new();
    for _ in 0..40 {
        world.write(client, &[1; 4_000]).unwrap();
        let begin = world.handled;
        let first = loop {
            if let Some(bytes) = world.read(server).unwrap() {
                break bytes.len();
            }
            assert!(world.step());
        };
        firsts.insert(first);
        world.run(MS);
        let rest = world.read(server).unwrap().map_or(0, |bytes| bytes.len());
        assert_eq!(first + rest, 4_000);
        world.run(2 * MS);
        assert!(world.handled - begin <= 2, "two events");
    }
    assert_eq!(firsts, BTreeSet::from([1_460, 2_920]));
}

#[test]
fn a_gray_link_loses_some_in_one_direction_while_it_lasts() {
    let mut world = World::new();
    let gray = LinkFault::Gray(Probability::percent(50));
    let fault = world.begin(gray, &[(A, B)]);
    let seen = hundred(&mut world).len() as u64;
    let counter = world.counter(Family::Gray);
    assert!((30..70).contains(&seen), "{seen}");
    assert_eq!(
        (counter.offered, counter.fired, counter.effective),
        (100, 100 - seen, 100 - seen)
    );
    world.end(fault);
    let (c, b) = (world.bind(C, "0.0.0.0:8"), world.bind(B, "0.0.0.0:8"));
    for _ in 0..20 {
        world.send_to(c, b"x", "10.0.0.2:8").unwrap();
    }
    world.run(MS);
    assert_eq!(world.receive_all(b).len(), 20);
    assert_eq!(world.counter(Family::Gray), counter);
}

#[test]
fn delays_add_up_and_end() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let delay = |ms: u32| LinkFault::Delay(Distribution::Constant(MS * ms));
    let one = world.begin(delay(10), &[(A, B)]);
    let two = world.begin(delay(5), &[(A, B)]);
    let takes = |world: &mut World| {
        let begin = world.now_ms();
        world.send_to(a, b"x", "10.0.0.2:9").unwrap();
        while world.receive(b).unwrap().is_none() {
            assert!(world.step());
        }
        world.now_ms() - begin
    };
    assert_eq!(takes(&mut world), 16);
    world.end(one);
    assert_eq!(takes(&mut world), 6);
    world.end(two);
    assert_eq!(takes(&mut world), 1);
    let counter = world.counter(Family::Delay);
    assert_eq!((counter.fired, counter.effective), (2, 2));
}

#[test]
fn a_flap_cuts_and_heals_by_turns_until_it_ends() {
    let mut world = World::new();
    let flap = LinkFault::Flap {
        down: Distribution::Constant(10 * MS),
        up: Distribution::Constant(20 * MS),
    };
    let fault = world.begin(flap, &[(A, B), (B, A)]);
    for _ in 0..3 {
        assert!(world.net.is_cut(A, B) && world.net.is_cut(B, A));
        world.run(10 * MS);
        assert!(!world.net.is_cut(A, B));
        world.run(20 * MS);
    }
    world.end(fault);
    assert!(!world.net.is_cut(A, B));
    assert!(world.fx.queue.is_empty(), "no turn is left");
    assert_eq!(world.count(Kind::LinkCut), 8);
    assert_eq!(world.count(Kind::LinkHealed), 8);
}

#[test]
fn a_clog_keeps_packets_and_lets_them_go_in_order() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let (client, server, _) = world.pair();
    world.send_to(a, b"in flight", "10.0.0.2:9").unwrap();
    let fault = world.begin(LinkFault::Clog, &[(A, B)]);
    world.send_to(a, b"later", "10.0.0.2:9").unwrap();
    world.write(client, b"bytes").unwrap();
    world.run(100 * MS);
    assert_eq!(world.receive_all(b), [b""; 0]);
    assert_eq!(world.read(server).unwrap(), None);
    let counter = world.counter(Family::Clog);
    assert_eq!((counter.fired, counter.effective), (3, 0));
    world.end(fault);
    assert_eq!(world.receive_all(b), [&b"in flight"[..], b"later"]);
    assert_eq!(world.read(server).unwrap().unwrap(), b"bytes");
    assert_eq!(world.counter(Family::Clog).effective, 3);
    world.run(S);
    assert_eq!(world.read(server).unwrap(), None, "nothing arrives twice");
    assert_eq!(world.count(Kind::PacketPassed), 3);
}

#[test]
fn what_is_held_long_is_sent_again_and_arrives_once() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let fault = world.begin(LinkFault::Hold, &[(A, B)]);
    world.write(client, b"once").unwrap();
    world.run(S);
    let segments = world.net.in_flight();
    assert!(segments.len() > 1, "it was sent again: {segments:?}");
    assert!(
        segments
            .iter()
            .all(|packet| { packet.what == PacketKind::Data && packet.payload == b"once" })
    );
    world.end(fault);
    assert_eq!(world.read(server).unwrap().unwrap(), b"once");
    world.run_out();
    assert_eq!(world.read(server).unwrap(), None);
}

#[test]
fn held_packets_are_delivered_and_discarded_one_by_one() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let fault = world.begin(LinkFault::Hold, &[(A, B)]);
    for text in ["one", "two", "three"] {
        world.send_to(a, text.as_bytes(), "10.0.0.2:9").unwrap();
    }
    world.run(2 * MS);
    let held = world.net.in_flight();
    let texts: Vec<_> = held.iter().map(|packet| &packet.payload[..]).collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"three"]);
    assert!(world.net.deliver_kept(&mut world.fx, held[2].number));
    assert_eq!(world.receive_all(b), [b"three"]);
    assert!(world.net.discard_kept(&mut world.fx, held[0].number));
    assert!(!world.net.discard_kept(&mut world.fx, held[0].number));
    assert!(!world.net.deliver_kept(&mut world.fx, held[2].number));
    world.end(fault);
    assert_eq!(world.receive_all(b), [b"two"]);
    assert_eq!(world.net.packets.counts().0, 0, "no buffer is left");
    let counter = world.counter(Family::Hold);
    assert_eq!(
        (counter.offered, counter.fired, counter.effective),
        (3, 3, 3)
    );
}

#[test]
fn a_discarded_segment_is_sent_again_and_one_out_of_turn_waits() {
    let mut world = World::new();
    let (client, server, _) = world.pair_with(|options| options.nodelay = true);
    let fault = world.begin(LinkFault::Hold, &[(A, B)]);
    world.write(client, b"one").unwrap();
    world.write(client, b"two").unwrap();
    world.run(10 * MS);
    let held = world.net.in_flight();
    assert_eq!(held.len(), 2);
    assert!(world.net.deliver_kept(&mut world.fx, held[1].number));
    assert_eq!(world.read(server).unwrap(), None, "a gap is before it");
    assert!(world.net.discard_kept(&mut world.fx, held[0].number));
    world.end(fault);
    assert_eq!(world.read(server).unwrap(), None);
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"onetwo");
}

#[test]
fn held_acknowledgements_arrive_when_the_link_lets_go() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    let fault = world.begin(LinkFault::Hold, &[(B, A)]);
    world.write(client, &[1; 128 << 10]).unwrap();
    world.run(10 * MS);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
    assert_eq!(world.write(client, b"x").unwrap(), None, "no word of room");
    world.run(150 * MS);
    world.end(fault);
    world.run(2 * MS);
    assert_eq!(world.write(client, b"x").unwrap(), Some(1));
    world.run(2 * MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"x");
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn a_handshake_is_held_too() {
    let mut world = World::new();
    world.listen(B, "0.0.0.0:80");
    let fault = world.begin(LinkFault::Hold, &[(A, B)]);
    let client = world.connect(A, "10.0.0.2:80");
    world.run(10 * MS);
    assert_eq!(done(world.net.connected(client).unwrap()), None);
    let held = world.net.in_flight();
    assert_eq!((held.len(), held[0].what), (1, PacketKind::Syn));
    assert_eq!((held[0].from, held[0].to), (A, B));
    world.end(fault);
    world.run(10 * MS);
    assert_eq!(done(world.net.connected(client).unwrap()), Some(()));
}

#[test]
fn a_reset_from_outside_ends_one_end_or_both() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.net.reset_at(&mut world.fx, A, B);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    assert_eq!(world.read(server).unwrap(), None, "it is half-open");
    world.write(server, b"x").unwrap();
    world.run(2 * MS);
    assert_eq!(code(world.read(server)), libc::ECONNRESET);
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.net.reset_between(&mut world.fx, B, C);
    assert_eq!(world.counter(Family::Reset).fired, 0, "no such connection");
    world.net.reset_between(&mut world.fx, B, A);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    assert_eq!(code(world.read(server)), libc::ECONNRESET);
    assert_eq!(world.counter(Family::Reset).effective, 2);
}

#[test]
fn faults_that_never_act_leave_every_packet_as_it_was() {
    let run = |change: fn(&mut LinkConfig), gray: bool| {
        let mut config = jittery();
        change(&mut config);
        let mut world = World::with(config, 11);
        if gray {
            world.begin(LinkFault::Gray(Probability::NEVER), &[(A, B)]);
        }
        let seen = hundred(&mut world);
        let (client, server, _) = world.pair();
        world.write(client, &[1; 50_000]).unwrap();
        world.run(S);
        let read = world.read(server).unwrap().unwrap().len();
        (seen, read, world.fx.now, world.handled)
    };
    let plain = run(|_| {}, false);
    assert_eq!(
        run(|link| link.reorder_delay = Distribution::Constant(S), false),
        plain
    );
    assert_eq!(
        run(|link| link.duplicate = Probability::new(0, 7), false),
        plain
    );
    let lossy = run(|link| link.loss = Probability::percent(1), false);
    assert_ne!(lossy.3, plain.3, "the comparison sees a difference");
    assert_eq!(run(|_| {}, true), plain);
}

/// Whether the client hears something of the server's end within a quarter of an hour.
pub(super) fn hears_of_it(world: &mut World, client: EndId) -> i32 {
    for _ in 0..1_000 {
        if let Err(error) = world.read(client) {
            return error.raw_os_error().unwrap();
        }
        world.run(S);
    }
    0
}

#[test]
fn a_lost_reset_is_asked_for_again() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.die(B, Death::Crash);
    world.restart(B);
    let cut = world.begin(LinkFault::Cut, &[(B, A)]);
    world.write(client, b"x").unwrap();
    world.run(10 * MS);
    world.end(cut);
    assert_eq!(hears_of_it(&mut world, client), libc::ECONNRESET);
}

#[test]
fn segments_delivered_the_other_way_round_are_put_in_order() {
    let mut world = World::new();
    let (client, server, _) = world.pair_with(|options| options.nodelay = true);
    let fault = world.begin(LinkFault::Hold, &[(A, B)]);
    world.write(client, b"one").unwrap();
    world.write(client, b"two").unwrap();
    world.run(10 * MS);
    let held = world.net.in_flight();
    assert!(world.net.deliver_kept(&mut world.fx, held[1].number));
    assert!(world.net.deliver_kept(&mut world.fx, held[0].number));
    assert_eq!(world.read(server).unwrap().unwrap(), b"onetwo");
    world.end(fault);
    world.run(S);
    assert_eq!(world.read(server).unwrap(), None, "and not once more");
}

#[test]
fn an_asking_that_is_long_answered_makes_no_connection_of_another_boot() {
    let mut world = World::new();
    world.listen(B, "0.0.0.0:80");
    let back = world.begin(LinkFault::Hold, &[(B, A)]);
    let client = world.connect(A, "10.0.0.2:80");
    world.run(10 * MS);
    world.die(B, Death::Crash);
    world.restart(B);
    world.listen(B, "0.0.0.0:80");
    let there = world.begin(LinkFault::Hold, &[(A, B)]);
    world.run(2 * S);
    world.end(back);
    world.run(10 * MS);
    assert_eq!(done(world.net.connected(client).unwrap()), Some(()));
    world.write(client, b"x").unwrap();
    world.run(10 * MS);
    world.end(there);
    assert_eq!(hears_of_it(&mut world, client), libc::ECONNRESET);
}

#[test]
fn a_stream_keeps_to_a_queue_of_any_size() {
    for (bytes_per_second, queue_bytes) in [(125_000_000, 64_000), (1_000_000, 1_500)] {
        let mut world = narrow(bytes_per_second, queue_bytes);
        let (client, server, _) = world.pair();
        world.write(client, &[1; 100_000]).unwrap();
        world.run(200 * MS);
        assert_eq!(world.read(server).unwrap().unwrap().len(), 100_000);
        assert_eq!(world.count(Kind::StreamRetransmitted), 0);
    }
}

#[test]
fn a_closed_end_whose_peer_is_gone_is_forgotten() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    let local = world.net.local(client).unwrap();
    world.close(client);
    world.run(S);
    world.die(B, Death::Crash);
    world.assert_clean();
    let peer = address("10.0.0.2:80");
    let rests = |world: &mut World| {
        let now = world.fx.now;
        world.net.host_mut(A).flows.contains(now, local, peer)
    };
    assert!(rests(&mut world), "it closed first");
    world.run(61 * S);
    assert!(!rests(&mut world));
}

#[test]
fn a_flipped_bit_matters_to_who_receives_its_byte() {
    let mut world = with(|link| link.corrupt = Probability::ALWAYS);
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    world.send_to(a, &[0; 1_000], "10.0.0.2:9").unwrap();
    world.run(MS);
    let effective = |world: &World| world.counter(Family::Corrupt).effective;
    let look = |world: &mut World, length| {
        let mut buffer = vec![0; length];
        let answer = world.net.udp_recv_from(b, &mut buffer, Take::Peek);
        done(answer.unwrap()).expect("it is there");
        buffer.iter().any(|byte| *byte != 0)
    };
    for length in [0, 1, 10, 100, 1_000, 1_000] {
        let changed = look(&mut world, length);
        assert_eq!(effective(&world), u64::from(changed), "{length} bytes");
    }
    assert_eq!(effective(&world), 1);
    world.receive(b).unwrap();
    assert_eq!(effective(&world), 1, "it is counted once");
}
