//! Datagrams that come once more.

use super::*;

const AFTER: Duration = Duration::from_secs(30);

fn replay(chance: Probability, after: Duration) -> LinkFault {
    LinkFault::Replay {
        chance,
        after: Distribution::Constant(after),
    }
}

#[test]
fn an_old_datagram_reaches_the_next_incarnation_of_its_receiver() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    let fault = world.begin(replay(Probability::ALWAYS, AFTER), &[(A, B)]);
    world.send_to(a, b"old", "10.0.0.2:9").unwrap();
    world.run(MS);
    assert_eq!(world.receive_all(b), [b"old"]);
    world.end(fault);
    world.send_to(a, b"new", "10.0.0.2:9").unwrap();
    world.run(MS);
    world.die(B, Death::Crash);
    world.restart(B);
    let next = world.bind(B, "0.0.0.0:9");
    world.run(AFTER);
    assert_eq!(world.receive_all(next), [b"old"], "once, and of one alone");
    world.run_out();
    assert_eq!(world.receive_all(next), [b""; 0]);
    let expected = FaultCounter {
        offered: 1,
        fired: 1,
        effective: 1,
    };
    assert_eq!(world.counter(Family::Replay), expected);
}

#[test]
fn faults_that_replay_add_up_and_fire_by_their_chance() {
    let mut world = World::new();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    world.begin(replay(Probability::ALWAYS, S), &[(A, B)]);
    world.begin(replay(Probability::ALWAYS, 2 * S), &[(A, B)]);
    let half = world.begin(replay(Probability::percent(50), 3 * S), &[(A, B)]);
    let mut times = BTreeSet::new();
    for n in 0..100 {
        world.send_to(a, &[n], "10.0.0.2:9").unwrap();
        for second in 0..4 {
            world.run(10 * MS);
            let seen = world.receive_all(b).len();
            assert!(second == 3 || seen == 1, "after {second} s: {seen}");
            times.extend((seen == 1 && second == 3).then_some(n));
            world.run(S - 10 * MS);
        }
        world.run(S);
    }
    assert!((30..70).contains(&times.len()), "{times:?}");
    world.end(half);
    world.send_to(b, b"back", "10.0.0.1:9").unwrap();
    world.run_out();
    assert_eq!(
        world.receive_all(a),
        [b"back"],
        "the other direction has none"
    );
}

#[test]
fn what_is_lost_is_not_replayed_and_leaves_the_draws_as_they_were() {
    let seen = |cut: bool| {
        let mut world = World::new();
        let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
        world.begin(replay(Probability::percent(50), S), &[(A, B)]);
        let mut twice = Vec::new();
        for n in 0..40 {
            let cut = (cut && n % 4 == 0).then(|| world.begin(LinkFault::Cut, &[(A, B)]));
            world.send_to(a, &[n], "10.0.0.2:9").unwrap();
            if let Some(cut) = cut {
                world.end(cut);
            }
            world.run(3 * S);
            let copies = world.receive_all(b).len();
            assert_eq!(copies == 0, cut.is_some());
            twice.extend((copies == 2).then_some(n));
        }
        twice
    };
    let mut plain = seen(false);
    plain.retain(|n| n % 4 != 0);
    assert_eq!(seen(true), plain);
    assert!((8..25).contains(&plain.len()), "{plain:?}");
}
