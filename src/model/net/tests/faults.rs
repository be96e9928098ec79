//! Loss and cuts, and their counters.

use super::*;

#[test]
fn loss_takes_its_share_of_datagrams() {
    let mut world = World::with(lossy(30), 5);
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let mut arrived = 0;
    for _ in 0..1_000 {
        world.send_to(a, b"x", "10.0.0.2:9").unwrap();
        world.run(MS);
        arrived += world.receive_all(b).len();
    }
    assert!((650..750).contains(&arrived), "{arrived}");
    let lost = 1_000 - arrived as u64;
    let expected = FaultCounter {
        offered: 1_000,
        fired: lost,
        effective: lost,
    };
    assert_eq!(world.counter(Family::Loss), expected);
    world.send_to(a, b"nobody", "10.0.0.2:10").unwrap();
    for _ in 0..50 {
        world.send_to(a, b"nobody", "10.0.0.2:10").unwrap();
    }
    let counter = world.counter(Family::Loss);
    assert!(counter.fired > lost);
    assert_eq!(counter.effective, lost, "nobody would have received these");
}

#[test]
fn without_loss_nothing_is_offered() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:9");
    world.send_to(a, b"x", "10.0.0.2:9").unwrap();
    assert_eq!(world.counter(Family::Loss), FaultCounter::default());
    assert_eq!(world.counter(Family::Partition), FaultCounter::default());
}

#[test]
fn a_link_may_differ_and_follow_the_default_again() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let slow = LinkConfig {
        latency: Distribution::Constant(50 * MS),
        ..LinkConfig::default()
    };
    world.net.set_link(A, B, Some(slow));
    let arrives_after = |world: &mut World, from, to, text: &str| {
        world.send_to(from, b"x", text).unwrap();
        let begin = world.now_ms();
        while world.receive(to).unwrap().is_none() {
            assert!(world.step());
        }
        world.now_ms() - begin
    };
    assert_eq!(arrives_after(&mut world, a, b, "10.0.0.2:9"), 50);
    assert_eq!(arrives_after(&mut world, b, a, "10.0.0.1:9"), 1);
    world.net.set_link(A, B, None);
    assert_eq!(arrives_after(&mut world, a, b, "10.0.0.2:9"), 1);
    let fast = LinkConfig {
        latency: Distribution::Constant(2 * MS),
        ..LinkConfig::default()
    };
    world.net.set_default_link(fast);
    assert_eq!(arrives_after(&mut world, a, b, "10.0.0.2:9"), 2);
}

/// Latencies of the datagrams from `a` to `b` that arrive, by their number.
fn latencies(disturb: impl Fn(&mut World, u8)) -> Vec<(u8, u128)> {
    let mut world = World::with(jittery(), 11);
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let mut seen = Vec::new();
    for n in 0..20 {
        disturb(&mut world, n);
        world.send_to(a, &[n], "10.0.0.2:9").unwrap();
        let begin = world.fx.now;
        while world.step() {
            if let Some((bytes, _)) = world.receive(b).unwrap() {
                seen.push((bytes[0], world.fx.now.saturating_since(begin).as_nanos()));
            }
        }
        world.run(50 * MS);
    }
    seen
}

#[test]
fn a_fault_leaves_the_other_packets_as_they_were() {
    let plain = latencies(|_, _| {});
    assert_eq!(plain.len(), 20);
    let cut = latencies(|world, n| match n {
        5 => world.cut(A, B),
        9 => world.heal(A, B),
        _ => {}
    });
    let expected: Vec<_> = plain
        .iter()
        .copied()
        .filter(|(n, _)| !(5..9).contains(n))
        .collect();
    assert_eq!(cut, expected);
    let never = latencies(|world, _| world.net.set_default_link(jittery()));
    assert_eq!(never, plain);
}

#[test]
fn a_cut_has_a_direction_and_is_judged_at_both_ends_of_the_way() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    world.send_to(a, b"in flight", "10.0.0.2:9").unwrap();
    world.cut(A, B);
    world.cut(A, B);
    assert!(world.net.is_cut(A, B));
    world.send_to(a, b"too late", "10.0.0.2:9").unwrap();
    world.send_to(b, b"other way", "10.0.0.1:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(b), [b""; 0]);
    assert_eq!(world.receive_all(a), [b"other way"]);
    let counter = world.counter(Family::Partition);
    assert_eq!((counter.fired, counter.effective), (2, 2));
    world.send_to(a, b"at home", "127.0.0.1:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(a), [b"at home"]);
    assert_eq!(
        world.counter(Family::Partition),
        counter,
        "no cut concerns it"
    );
    world.send_to(a, b"lost", "10.0.0.2:9").unwrap();
    world.heal(A, B);
    world.send_to(a, b"again", "10.0.0.2:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(b), [b"again"]);
    assert_eq!(
        (world.count(Kind::LinkCut), world.count(Kind::LinkHealed)),
        (1, 1)
    );
}

#[test]
fn partitions_cut_between_groups() {
    let mut world = World::new();
    world.begin(LinkFault::Cut, &topology::groups(&[&[A], &[B, C]]));
    let cut = |world: &World| {
        [(A, B), (B, A), (A, C), (C, A), (B, C), (C, B)].map(|(x, y)| world.net.is_cut(x, y))
    };
    assert_eq!(cut(&world), [true, true, true, true, false, false]);
    world.net.heal_all(&mut world.fx);
    assert_eq!(cut(&world), [false; 6]);
    let links = world.net.links_of(C, true, true);
    world.begin(LinkFault::Cut, &links);
    assert_eq!(cut(&world), [false, false, true, true, true, true]);
    world.heal(A, C);
    assert_eq!(cut(&world), [false, false, false, true, true, true]);
}

#[test]
#[should_panic(expected = "n9 is in no network: add it to this simulation first")]
fn an_unknown_node_cannot_be_cut_off() {
    let mut world = World::new();
    world.cut(A, NodeId::new(9));
}

#[test]
fn what_a_cut_takes_from_a_stream_is_sent_again() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.cut(A, B);
    world.write(client, b"one").unwrap();
    world.run(100 * MS);
    world.write(client, b"two").unwrap();
    world.run(400 * MS);
    assert_eq!(world.read(server).unwrap(), None);
    world.heal(A, B);
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"onetwo");
    // The round trip is 2 ms: 202 ms after the write, then 404 ms after that, and so on.
    let begin = world.times(Kind::StreamSent)[0];
    let again: Vec<_> = world.times(Kind::StreamRetransmitted);
    assert_eq!(again, [begin + 202, begin + 606]);
    assert_eq!(world.times(Kind::StreamDelivered), [begin + 607]);
    let counter = world.counter(Family::Partition);
    assert_eq!((counter.fired, counter.effective), (2, 2));
}

#[test]
fn patience_is_short_again_once_something_was_heard() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    for _ in 0..2 {
        world.cut(A, B);
        let begin = world.now_ms();
        world.write(client, b"x").unwrap();
        world.run(2 * S);
        world.heal(A, B);
        world.run(2 * S);
        let again = world.times(Kind::StreamRetransmitted);
        let last: Vec<_> = again
            .iter()
            .filter(|at| **at >= begin)
            .map(|at| at - begin)
            .collect();
        assert_eq!(last, [202, 606, 1_414, 3_030]);
    }
}

#[test]
fn bytes_in_flight_when_the_link_is_cut_come_later() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.write(client, b"one").unwrap();
    world.run(MS / 2);
    world.write(client, b"two").unwrap();
    world.cut(A, B);
    world.run(MS / 2);
    world.heal(A, B);
    world.run(MS / 2);
    assert_eq!(
        world.read(server).unwrap(),
        None,
        "what follows a gap waits"
    );
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"onetwo");
}

/// Time, in milliseconds, from a cut and a write to the error of the client.
fn gives_up_after(cut: impl Fn(&mut World)) -> u128 {
    let zero = constant(Duration::ZERO);
    let mut world = World::with(zero, 1);
    let (client, _, _) = world.pair();
    let Answer::Wait(token) = world.net.readable(client).unwrap() else {
        panic!("nothing yet")
    };
    cut(&mut world);
    world.write(client, b"x").unwrap();
    while !world.fx.woken.contains(&token) {
        assert!(world.step(), "it gives up");
    }
    assert_eq!(code(world.read(client)), libc::ETIMEDOUT);
    assert_eq!(code(world.write(client, b"x")), libc::EPIPE);
    assert_eq!(world.count(Kind::StreamRetransmitted), 15);
    world.now_ms()
}

#[test]
fn silence_ends_in_a_timeout_after_the_time_of_linux() {
    // Documentation of tcp_retries2: a hypothetical timeout of 924.6 s.
    assert_eq!(gives_up_after(|world| world.cut(A, B)), 924_600);
    assert_eq!(gives_up_after(|world| world.die(B, Death::Crash)), 924_600);
    assert_eq!(
        gives_up_after(|world| world.cut(B, A)),
        924_600,
        "no word of it comes back"
    );
}

#[test]
fn a_cut_takes_acknowledgements_in_flight() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.write(client, b"x").unwrap();
    world.run(MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"x");
    world.cut(B, A);
    world.run(S);
    assert!(
        world.count(Kind::StreamRetransmitted) > 0,
        "the client does not know"
    );
    assert_eq!(world.read(server).unwrap(), None, "nothing arrives twice");
    world.heal(B, A);
    world.run_out();
    assert_eq!(world.count(Kind::StreamTimedOut), 0);
}

#[test]
fn an_end_of_stream_that_nobody_confirms_is_given_up() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.cut(B, A);
    world.shutdown(client);
    world.run_out();
    assert_eq!(code(world.read(client)), libc::ETIMEDOUT);
}

#[test]
fn an_end_that_is_gone_sends_nothing_again() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.cut(A, B);
    world.write(client, b"x").unwrap();
    world.net.options(client).unwrap().linger = Some(Duration::ZERO);
    world.close(client);
    assert!(world.fx.queue.is_empty());
}

#[test]
fn a_lost_end_of_stream_is_sent_again() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.cut(A, B);
    world.close(client);
    world.run(100 * MS);
    world.heal(A, B);
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn a_lost_word_of_room_is_asked_for() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let data = vec![1; 128 << 10];
    world.write(client, &data).unwrap();
    world.run(3 * MS);
    world.cut(B, A);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
    world.run(10 * MS);
    world.heal(B, A);
    assert_eq!(world.write(client, &data).unwrap(), Some(128 << 10));
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
}

#[test]
fn a_lost_reset_leaves_the_peer_half_open() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.cut(B, A);
    world.net.options(server).unwrap().linger = Some(Duration::ZERO);
    world.close(server);
    world.run(10 * S);
    world.heal(B, A);
    assert_eq!(world.read(client).unwrap(), None, "it never heard");
    world.write(client, b"x").unwrap();
    world.run(2 * MS);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
}

#[test]
fn links_let_go_together_in_the_order_in_which_packets_came() {
    let mut world = World::new();
    let (a, c) = (world.bind(A, "0.0.0.0:9"), world.bind(C, "0.0.0.0:9"));
    let b = world.bind(B, "0.0.0.0:9");
    let fault = world.begin(LinkFault::Hold, &[(A, B), (C, B)]);
    for (from, text) in [(c, "one"), (a, "two"), (c, "three")] {
        world.send_to(from, text.as_bytes(), "10.0.0.2:9").unwrap();
    }
    world.run(2 * MS);
    world.end(fault);
    assert_eq!(world.receive_all(b), [&b"one"[..], b"two", b"three"]);
    assert_eq!(world.counter(Family::Hold).effective, 3);
}

#[test]
fn what_keeps_word_from_a_sender_until_it_gives_up_matters() {
    let faults: [(LinkFault, Family); 3] = [
        (LinkFault::Cut, Family::Partition),
        (LinkFault::Gray(Probability::ALWAYS), Family::Gray),
        (LinkFault::Hold, Family::Hold),
    ];
    for (fault, family) in faults {
        for is_peer_up in [true, false] {
            let mut world = World::new();
            let (client, server, _) = world.pair();
            world.begin(fault.clone(), &[(B, A)]);
            world.write(client, b"x").unwrap();
            world.run(MS);
            assert_eq!(world.read(server).unwrap().unwrap(), b"x");
            let counter = world.counter(family);
            assert_eq!((counter.fired, counter.effective), (1, 0), "{family}");
            if !is_peer_up {
                world.die(B, Death::Crash);
            }
            world.run_out();
            assert_eq!(code(world.read(client)), libc::ETIMEDOUT);
            let effective = world.counter(family).effective;
            assert_eq!(effective, u64::from(is_peer_up), "{family}");
        }
    }
}
