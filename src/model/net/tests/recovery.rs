//! Loss in the midst of a stream, at its end, and of what is sent again.

use super::*;
use crate::model::net::{Bandwidth, QueueDrop};

const LATENCY: Duration = Duration::from_millis(10);

/// A connection over a link of ten milliseconds that sends each write at once.
fn pair(world: &mut World) -> (EndId, EndId) {
    let (client, server, _) = world.pair_with(|options| options.nodelay = true);
    world.run(S);
    (client, server)
}

/// Writes a text in letters, of which some are lost.
fn write_letters(world: &mut World, client: EndId, text: &str) {
    for letter in text.bytes() {
        let lost = letter.is_ascii_uppercase();
        if lost {
            world.cut(A, B);
        }
        world.write(client, &[letter]).unwrap();
        if lost {
            world.heal(A, B);
        }
    }
}

/// When all of a text of letters, of which the great ones are lost, can be read: milliseconds.
fn whole_after(text: &str) -> u128 {
    let mut world = World::with(constant(LATENCY), 1);
    let (client, server) = pair(&mut world);
    let begin = world.now_ms();
    write_letters(&mut world, client, text);
    let mut read = Vec::new();
    while read.len() < text.len() {
        assert!(world.step(), "only {read:?} came");
        read.extend(world.read(server).unwrap().unwrap_or_default());
    }
    assert_eq!(String::from_utf8(read).unwrap(), text);
    let after = world.now_ms() - begin;
    world.run_out();
    assert_eq!(world.read(server).unwrap(), None, "nothing comes twice");
    after
}

#[test]
fn what_is_lost_is_sent_again_after_a_round_trip() {
    assert_eq!(whole_after("abcdef"), 10);
    assert_eq!(whole_after("aBcdef"), 30, "three packets behind it say so");
    assert_eq!(whole_after("aBCdef"), 30);
    assert_eq!(whole_after("aBcDefgh"), 30);
}

#[test]
fn with_little_behind_it_the_sender_waits_a_little() {
    assert_eq!(whole_after("aBc"), 35);
    assert_eq!(whole_after("aBcd"), 35);
}

#[test]
fn with_nothing_behind_it_the_timer_sends_it_again() {
    assert_eq!(whole_after("A"), 230);
    assert_eq!(whole_after("abC"), 250, "it counts from the last news on");
    assert_eq!(whole_after("aBcdeF"), 270);
}

#[test]
fn what_is_lost_again_waits_for_the_timer() {
    let mut world = World::with(constant(LATENCY), 1);
    let (client, server) = pair(&mut world);
    let begin = world.now_ms();
    write_letters(&mut world, client, "aBcdef");
    world.run(19 * MS);
    world.cut(A, B);
    world.run(2 * MS);
    assert_eq!(world.count(Kind::StreamRetransmitted), 1);
    world.heal(A, B);
    assert_eq!(world.read(server).unwrap().unwrap(), b"a");
    while world.net.readable(server).unwrap() != Answer::Done(()) {
        assert!(world.step());
    }
    assert_eq!(world.now_ms() - begin, 20 + 220 + 10);
    assert_eq!(world.read(server).unwrap().unwrap(), b"Bcdef");
}

#[test]
fn word_of_a_gap_may_be_lost() {
    let mut world = World::with(constant(LATENCY), 1);
    let (client, server) = pair(&mut world);
    let begin = world.now_ms();
    world.cut(B, A);
    write_letters(&mut world, client, "aBcdef");
    world.run(100 * MS);
    assert_eq!(world.count(Kind::StreamRetransmitted), 0);
    world.heal(B, A);
    world.run(130 * MS);
    assert_eq!(world.now_ms() - begin, 230);
    assert_eq!(world.read(server).unwrap().unwrap(), b"aBcdef");
}

#[test]
fn the_end_may_come_before_a_gap_is_filled() {
    let mut world = World::with(constant(LATENCY), 1);
    let (client, server, listener) = world.pair_with(|options| options.nodelay = true);
    write_letters(&mut world, client, "aBcd");
    world.close(client);
    world.run(LATENCY);
    assert_eq!(world.read(server).unwrap().unwrap(), b"a");
    assert_eq!(world.read(server).unwrap(), None);
    world.run(25 * MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"Bcd");
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn a_bulk_transfer_hardly_feels_a_little_loss() {
    const TOTAL: usize = 16 << 20;
    let mut world = World::with(constant(LATENCY), 4);
    world.fx.keeps_records = false;
    let (client, server) = pair(&mut world);
    let lossy = LinkConfig {
        loss: Probability::percent(2),
        ..constant(LATENCY)
    };
    world.net.set_default_link(lossy);
    let begin = world.fx.now;
    let (mut written, mut read) = (0, 0);
    let mut buffer = vec![0; 1 << 20];
    while read < TOTAL {
        while written < TOTAL {
            let data: Vec<u8> = (written..TOTAL.min(written + 65_536))
                .map(|n| u8::try_from(n % 251).unwrap())
                .collect();
            match world.write(client, &data).unwrap() {
                Some(count) => written += count,
                None => break,
            }
        }
        while let Answer::Done(count) = world.net.read(&mut world.fx, server, &mut buffer).unwrap()
        {
            for byte in &buffer[..count] {
                assert_eq!(usize::from(*byte), read % 251);
                read += 1;
            }
        }
        assert!(read == TOTAL || world.step(), "stuck at {read}");
    }
    let took = world.fx.now.saturating_since(begin);
    let lost = world.counter(Family::Loss).fired;
    assert!(lost > 200, "{lost} were lost");
    // With the timer alone each loss of data, of which this is half or more, is a wait of 220 ms.
    let timer_alone = Duration::from_millis(220) * u32::try_from(lost).unwrap() / 2;
    assert!(took * 3 < timer_alone, "{took:?}, and {timer_alone:?}");
}

#[test]
fn what_is_sent_again_waits_for_its_turn_on_a_narrow_link() {
    let narrow = LinkConfig {
        bandwidth: Some(Bandwidth {
            bytes_per_second: 1_000_000,
            queue_bytes: 6_000,
            drop: QueueDrop::Tail,
        }),
        ..constant(LATENCY)
    };
    let mut world = World::with(narrow, 1);
    let (client, server) = pair(&mut world);
    world.cut(A, B);
    world.write(client, &[1; 64_000]).unwrap();
    world.run(30 * MS);
    world.heal(A, B);
    world.run(200 * MS);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 64_000);
    let again = world.fx.records.iter();
    let again = again.filter(|record| record.1 == Kind::StreamRetransmitted);
    let bytes: u64 = again.map(|record| record.4).sum();
    assert!((20_000..40_000).contains(&bytes), "{bytes}, each once");
    let counter = world.counter(Family::Bandwidth);
    assert_eq!(
        world.counter(Family::Partition).effective,
        bytes.div_ceil(1_460)
    );
    assert!(counter.fired > 0);
}
