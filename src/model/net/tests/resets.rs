//! Connections that are reset from outside, and what still arrives.

use super::*;

#[test]
fn some_of_what_is_under_way_arrives_before_a_reset() {
    let mut lengths = BTreeSet::new();
    for seed in 0..200 {
        let mut world = World::with(constant(MS), seed);
        let (client, server, _) = world.pair_with(|options| options.nodelay = true);
        world.write(client, b"there").unwrap();
        world.run(MS);
        world.write(client, b"under way").unwrap();
        world.net.reset_between(&mut world.fx, A, B);
        let seen = world.read(server).unwrap().unwrap();
        assert!(b"thereunder way".starts_with(&seen[..]));
        lengths.insert(seen.len());
        assert_eq!(code(world.read(server)), libc::ECONNRESET);
        assert_eq!(code(world.read(client)), libc::ECONNRESET);
        world.run_out();
        assert_eq!(
            world.read(server).unwrap(),
            Some(Vec::new()),
            "no more comes"
        );
    }
    assert!(
        lengths.into_iter().eq(5..=14),
        "each length from received to sent"
    );
}

#[test]
fn a_reset_with_nothing_under_way_brings_nothing() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.write(client, b"there").unwrap();
    world.run(5 * MS);
    let delivered = world.count(Kind::StreamDelivered);
    world.net.reset_between(&mut world.fx, A, B);
    assert_eq!(world.read(server).unwrap().unwrap(), b"there");
    assert_eq!(world.count(Kind::StreamDelivered), delivered);
}
