//! Senders before a closed window, and what is kept while they hear of other things.

use proptest::prelude::*;

use super::links::hears_of_it;
use super::*;
use crate::model::net::{PacketFilter, PacketKind};

#[test]
fn a_sender_before_a_closed_window_hears_that_its_receiver_is_gone() {
    for back in [false, true] {
        let mut world = World::new();
        let (client, _, _) = world.pair();
        while world.write(client, &[1; 64 << 10]).unwrap().is_some() {
            world.run(5 * MS);
        }
        world.run(S);
        world.die(B, Death::Crash);
        let expected = if back {
            world.restart(B);
            libc::ECONNRESET
        } else {
            libc::ETIMEDOUT
        };
        assert_eq!(hears_of_it(&mut world, client), expected);
    }
}

#[test]
fn a_sender_before_a_closed_window_gives_up_when_no_answer_comes() {
    for fault in [LinkFault::Cut, LinkFault::Clog] {
        for links in [&[(A, B)][..], &[(B, A)], &[(A, B), (B, A)]] {
            let mut world = World::with(constant(Duration::ZERO), 1);
            let (client, _, _) = world.pair();
            let token = fill(&mut world, client);
            world.begin(fault.clone(), links);
            let begin = world.now_ms();
            while !world.fx.woken.contains(&token) {
                assert!(world.step(), "it gives up");
            }
            assert_eq!(world.now_ms() - begin, 924_600, "as with bytes under way");
            assert_eq!(code(world.write(client, b"x")), libc::ETIMEDOUT);
        }
    }
}

/// Writes to an end that nobody reads until it has to wait for room, with nothing under way.
fn fill(world: &mut World, end: EndId) -> Token {
    while world.write(end, &[1; 64 << 10]).unwrap().is_some() {
        world.run(5 * MS);
    }
    world.run(S);
    assert!(world.fx.queue.is_empty(), "it does not ask without need");
    world.fx.woken.clear();
    match world.net.write(&mut world.fx, end, b"x").unwrap() {
        Answer::Wait(token) => token,
        Answer::Done(_) => panic!("there is no room"),
    }
}

#[test]
fn a_closed_window_outlives_a_short_cut_and_opens() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let token = fill(&mut world, client);
    let cut = world.begin(LinkFault::Cut, &[(A, B), (B, A)]);
    world.run(100 * S);
    assert_eq!(world.count(Kind::StreamRetransmitted), 8);
    world.end(cut);
    world.run(10_000 * S);
    assert_eq!(world.count(Kind::StreamRetransmitted), 9, "it was answered");
    assert!(world.fx.queue.is_empty());
    let mut total = 0;
    while let Some(bytes) = world.read(server).unwrap() {
        total += bytes.len();
        world.run(10 * MS);
    }
    assert!(world.fx.woken.contains(&token));
    assert_eq!(total, 256 << 10);
}

#[test]
fn what_is_kept_is_sent_again_whatever_else_is_heard() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.write(client, &[1; 70_000]).unwrap();
    world.run(10 * MS);
    world.begin(LinkFault::Clog, &[(A, B)]);
    let begin = world.now_ms();
    world.write(client, &[1; 10_000]).unwrap();
    world.run(300 * MS);
    assert_eq!(world.count(Kind::StreamRetransmitted), 1);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 70_000);
    world.run(2 * S);
    let again = world.times(Kind::StreamRetransmitted);
    assert!(again.len() > 2, "word of a wider window is no word of it");
    world.run_out();
    assert_eq!(code(world.read(client)), libc::ETIMEDOUT);
    let took = world.now_ms() - begin;
    assert!((924_600..930_000).contains(&took), "{took}");
}

#[test]
fn a_closed_window_is_asked_about_where_packets_may_be_lost() {
    let rare = LinkConfig {
        loss: Probability::new(1, u32::MAX),
        ..constant(MS)
    };
    let mut world = World::with(rare, 1);
    let (client, server, _) = world.pair();
    while world.write(client, &[1; 64 << 10]).unwrap().is_some() {
        world.run(5 * MS);
    }
    let begin = world.now_ms();
    world.run(10 * S);
    let asked = world.times(Kind::StreamRetransmitted);
    let waits: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Twice as long each time, from the answer that comes after a round trip of 2 ms.
    assert_eq!(waits, [406, 810, 1_618, 3_234]);
    assert!(asked[0] - begin <= 202, "{asked:?}");
    world.run(1_000 * S);
    assert_eq!(world.counter(Family::Loss).fired, 0);
    assert_eq!(world.count(Kind::StreamTimedOut), 0, "it is answered");
    let before = world.count(Kind::StreamRetransmitted);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
    world.run(10 * MS);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
    world.run(S);
    assert_eq!(
        world.count(Kind::StreamRetransmitted),
        before,
        "there is nothing to ask"
    );
}

#[test]
fn word_of_a_wider_window_is_asked_for_whatever_lost_it() {
    let acks = LinkFault::Filter {
        what: PacketFilter::kind(PacketKind::Ack),
        chance: Probability::ALWAYS,
    };
    let gray = LinkFault::Gray(Probability::ALWAYS);
    for fault in [Some(acks), Some(gray), Some(LinkFault::Cut), None] {
        let mut world = World::new();
        let (client, server, _) = world.pair();
        let token = fill(&mut world, client);
        match fault {
            Some(fault) => {
                world.begin(fault, &[(B, A)]);
            }
            None => world.net.set_link(B, A, Some(lossy(100))),
        }
        assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
        world.run(100 * MS);
        world.net.set_link(B, A, None);
        world.net.heal_all(&mut world.fx);
        assert!(!world.fx.woken.contains(&token));
        world.run(S);
        assert!(world.fx.woken.contains(&token));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_slow_reader_gets_all_though_a_third_of_all_packets_is_lost(
        seed in any::<u64>(),
        pause_ms in 1_u32..400,
        sip in 1_000_usize..70_000,
    ) {
        let mut world = World::with(constant(MS), seed);
        let (client, server, _) = world.pair();
        world.net.set_default_link(lossy(30));
        let data: Vec<u8> = (0..=250).cycle().take(400_000).collect();
        let (mut written, mut seen) = (0, Vec::new());
        // Waits double while word of what arrives is lost, so that it may take minutes.
        while seen.len() < data.len() && world.now_ms() < 4_000_000 {
            if written < data.len() {
                let accepted = world.write(client, &data[written..]);
                written += accepted.unwrap_or_default().unwrap_or(0);
            }
            world.run(MS * pause_ms);
            if let Some(bytes) = world.read_up_to(server, sip).unwrap() {
                seen.extend(bytes);
            }
        }
        // Of ten thousand senders one loses 15 packets or words of them in a row, and gives up.
        let gave_up = world.count(Kind::StreamTimedOut) == 1;
        prop_assert!(seen == data || gave_up, "{} of {} bytes", seen.len(), data.len());
    }
}
