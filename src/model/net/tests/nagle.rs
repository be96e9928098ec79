//! Small writes: held back while another is on its way, unless the program wants no delay.

use super::*;

/// What has been delivered: when, in milliseconds after `begin`, and how many bytes.
fn deliveries(world: &World, begin: SimTime) -> Vec<(u128, u64)> {
    let records = world.fx.records.iter();
    records
        .filter(|record| record.1 == Kind::StreamDelivered)
        .map(|record| (record.0.saturating_since(begin).as_millis(), record.4))
        .collect()
}

/// Ten writes of a byte, a millisecond apart, over a link of ten.
fn ten_bytes(nodelay: bool) -> Vec<(u128, u64)> {
    let mut world = World::with(constant(10 * MS), 3);
    let (client, server, _) = world.pair_with(|options| options.nodelay = nodelay);
    let begin = world.fx.now;
    for n in 0..10 {
        world.write(client, &[n]).unwrap();
        world.run(MS);
    }
    world.run(S);
    let read = world.read(server).unwrap().unwrap();
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    deliveries(&world, begin)
}

#[test]
fn small_writes_wait_for_the_word_of_the_first() {
    assert_eq!(ten_bytes(false), [(10, 1), (30, 9)]);
}

#[test]
fn without_delay_each_goes_at_once() {
    let each: Vec<_> = (0..10).map(|n| (10 + n, 1)).collect();
    assert_eq!(ten_bytes(true), each);
}

#[test]
fn what_is_held_goes_when_delay_is_switched_off() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    let begin = world.fx.now;
    world.write(client, b"a").unwrap();
    world.write(client, b"b").unwrap();
    world.net.set_nodelay(&mut world.fx, client, true).unwrap();
    world.run(S);
    assert_eq!(deliveries(&world, begin), [(1, 1), (1, 1)]);
}

#[test]
fn the_end_of_the_stream_holds_nothing_back() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.write(client, b"a").unwrap();
    world.write(client, b"b").unwrap();
    world.close(client);
    world.run(MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"ab");
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
}

#[test]
fn full_packets_go_and_the_rest_waits() {
    for loss in [false, true] {
        let mut world = World::new();
        let (client, _, _) = world.pair();
        if loss {
            // A loss that never happens makes packets of single segments.
            let loss = Probability::new(1, u32::MAX);
            let link = LinkConfig {
                loss,
                ..constant(MS)
            };
            world.net.set_default_link(link);
        }
        let begin = world.fx.now;
        world.write(client, &[1; 100]).unwrap();
        world.write(client, &[1; 3_000]).unwrap();
        world.run(S);
        let got = deliveries(&world, begin);
        let soon: u64 = got.iter().filter(|(ms, _)| *ms == 1).map(|(_, n)| n).sum();
        assert_eq!(soon, 100 + 2 * 1_460);
        assert_eq!(got.last(), Some(&(3, 80)));
    }
}

#[test]
fn a_full_packet_on_its_way_holds_nothing_back() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    let begin = world.fx.now;
    world.write(client, &[1; 1_460]).unwrap();
    world.write(client, &[1; 10]).unwrap();
    world.run(S);
    assert_eq!(deliveries(&world, begin), [(1, 1_460), (1, 10)]);
}

#[test]
fn an_answer_acknowledges_what_it_answers() {
    // The answer may overtake the bare acknowledgement, which was sent before it.
    let mut world = World::with(jittery(), 5);
    let (client, server, _) = world.pair();
    world.run(S);
    let begin = world.handled;
    for _ in 0..100 {
        for (from, to) in [(client, server), (server, client)] {
            world.write(from, b"something small").unwrap();
            assert!(world.step());
            assert_eq!(world.read(to).unwrap().unwrap().len(), 15);
        }
    }
    assert_eq!(world.handled - begin, 200);
    assert!(world.fx.queue.is_empty());
}

#[test]
fn what_is_held_goes_after_a_lost_word_too() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.write(client, b"a").unwrap();
    world.cut(B, A);
    world.run(MS);
    world.write(client, b"b").unwrap();
    world.run(10 * MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"a");
    assert_eq!(world.read(server).unwrap(), None);
    world.heal(B, A);
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap(), b"b");
}
