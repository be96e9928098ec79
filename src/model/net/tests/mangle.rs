//! Streams whose bits are flipped, and calls that move less than they could.

use super::*;

/// Ten packets of a stream, each of so many zeros, and how many of their bits arrive flipped.
fn flipped(world: &mut World, length: usize) -> Vec<u32> {
    let (client, server, _) = world.pair_with(|options| options.nodelay = true);
    let mut counts = Vec::new();
    for _ in 0..10 {
        assert_eq!(world.write(client, &vec![0; length]).unwrap(), Some(length));
        world.run(10 * MS);
        let read = world.read(server).unwrap().unwrap();
        assert_eq!(read.len(), length);
        counts.push(read.iter().map(|byte| byte.count_ones()).sum());
    }
    counts
}

#[test]
fn flipped_bits_reach_the_program() {
    let mut world = World::new();
    world.begin(LinkFault::CorruptStream(Probability::ALWAYS), &[(A, B)]);
    let mut counts = flipped(&mut world, 100);
    let counter = world.counter(Family::StreamCorrupt);
    assert_eq!(
        (counter.offered, counter.fired, counter.effective),
        (10, 10, 10)
    );
    assert_eq!(world.count(Kind::StreamCorrupted), 10);
    assert_eq!(world.count(Kind::StreamRetransmitted), 0, "nothing notices");
    counts.sort_unstable();
    counts.dedup();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn a_share_of_the_segments_is_corrupt() {
    let mut world = World::new();
    world.begin(
        LinkFault::CorruptStream(Probability::percent(25)),
        &[(A, B)],
    );
    let counts = flipped(&mut world, 40 * 1_460);
    let counter = world.counter(Family::StreamCorrupt);
    assert_eq!(counter.offered, 400, "each segment by itself");
    assert!((70..130).contains(&counter.fired), "{counter:?}");
    assert_eq!(counter.effective, counter.fired);
    let bits = u64::from(counts.iter().sum::<u32>());
    assert!((counter.fired..2 * counter.fired).contains(&bits));
}

#[test]
fn what_is_not_read_has_no_effect_and_what_comes_twice_is_not_flipped_twice() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.begin(LinkFault::CorruptStream(Probability::ALWAYS), &[(A, B)]);
    let cut = world.begin(LinkFault::Cut, &[(B, A)]);
    world.write(client, &[0; 64]).unwrap();
    world.run(5 * S);
    assert!(world.count(Kind::StreamRetransmitted) > 2);
    world.end(cut);
    let counter = world.counter(Family::StreamCorrupt);
    assert_eq!(
        (counter.offered, counter.fired, counter.effective),
        (1, 1, 0)
    );
    while let Some(bytes) = world.read_up_to(server, 1).unwrap() {
        let effective = world.counter(Family::StreamCorrupt).effective;
        if bytes == [0] {
            continue;
        }
        assert_eq!(effective, 1);
        break;
    }
    assert_eq!(world.counter(Family::StreamCorrupt).effective, 1);
}

#[test]
fn calls_move_less_than_they_could_and_lose_nothing() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.begin(LinkFault::ShortWrite(Probability::percent(50)), &[(A, B)]);
    world.begin(LinkFault::ShortRead(Probability::percent(50)), &[(A, B)]);
    let data: Vec<u8> = (0..=250).cycle().take(20_000).collect();
    let (mut written, mut seen) = (0, Vec::new());
    let (mut short_writes, mut short_reads) = (0, 0);
    while seen.len() < data.len() {
        if written < data.len() {
            let part = &data[written..data.len().min(written + 100)];
            let accepted = world.write(client, part).unwrap().unwrap();
            assert!(accepted >= 1);
            short_writes += u64::from(accepted < part.len());
            written += accepted;
        }
        world.run(10 * MS);
        let there = {
            let mut buffer = [0; 200];
            done(world.net.peek(server, &mut buffer).unwrap()).unwrap()
        };
        let read = world.read_up_to(server, 200).unwrap().unwrap();
        short_reads += u64::from(read.len() < there);
        assert!(!read.is_empty());
        seen.extend(read);
    }
    assert_eq!(seen, data);
    for (family, short) in [
        (Family::StreamShortWrite, short_writes),
        (Family::StreamShortRead, short_reads),
    ] {
        let counter = world.counter(family);
        assert_eq!(
            (counter.fired, counter.effective),
            (short, short),
            "{family}"
        );
        let share = counter.fired * 100 / counter.offered;
        assert!((40..60).contains(&share), "{family}: {counter:?}");
    }
}

#[test]
fn the_other_direction_and_single_bytes_are_moved_whole() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.begin(LinkFault::ShortWrite(Probability::ALWAYS), &[(A, B)]);
    world.begin(LinkFault::ShortRead(Probability::ALWAYS), &[(A, B)]);
    assert_eq!(world.write(client, b"x").unwrap(), Some(1));
    assert_eq!(world.write(server, b"back").unwrap(), Some(4));
    world.run(5 * MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"x");
    assert_eq!(world.read(client).unwrap().unwrap(), b"back");
    assert_eq!(world.counter(Family::StreamShortWrite).offered, 0);
    assert_eq!(world.counter(Family::StreamShortRead).offered, 0);
}
