//! Faults that begin at one instant: each draws for itself, and none for another.

use super::links::hundred;
use super::*;

#[test]
fn faults_of_one_instant_draw_each_for_itself() {
    let mut world = World::new();
    for _ in 0..2 {
        world.begin(LinkFault::Gray(Probability::percent(50)), &[(A, B)]);
    }
    let seen = hundred(&mut world).len();
    assert!((12..38).contains(&seen), "a quarter passes both: {seen}");
}

/// What `b` receives of a hundred while a link to it is disturbed, and other faults begin before.
fn disturbed(fault: &LinkFault, before: &[(LinkFault, Pair)]) -> Vec<(u128, Vec<u8>)> {
    let mut world = World::with(jittery(), 5);
    for (other, pair) in before {
        world.begin(other.clone(), &[*pair]);
    }
    world.begin(fault.clone(), &[(A, B)]);
    hundred(&mut world)
}

#[test]
fn faults_of_one_instant_leave_each_other_as_they_were() {
    let uniform = |min, max| Distribution::Uniform { min, max };
    let faults = [
        LinkFault::Gray(Probability::percent(30)),
        LinkFault::Delay(uniform(MS, 30 * MS)),
        LinkFault::Flap {
            down: uniform(MS, 20 * MS),
            up: uniform(MS, 20 * MS),
        },
    ];
    let never = [
        LinkFault::Gray(Probability::NEVER),
        LinkFault::Delay(Distribution::Constant(Duration::ZERO)),
    ];
    for fault in faults {
        let alone = disturbed(&fault, &[]);
        let elsewhere = disturbed(&fault, &[(fault.clone(), (B, C)), (fault.clone(), (B, A))]);
        assert_eq!(elsewhere, alone, "{fault:?}");
        for never in &never {
            let before = [(never.clone(), (A, B)), (never.clone(), (A, C))];
            assert_eq!(disturbed(&fault, &before), alone, "{fault:?} and {never:?}");
        }
        let twice = disturbed(&fault, &[(fault.clone(), (A, B))]);
        assert_ne!(twice, alone, "the comparison sees a difference");
    }
}

#[test]
fn swizzles_of_one_instant_draw_each_for_itself() {
    let mut world = World::new();
    let now = world.fx.now;
    let points = [&[A, B][..], &[A, B], &[B, A], &[A, C], &[A]]
        .map(|nodes| world.net.swizzle_point(nodes, now).stream());
    assert_eq!(BTreeSet::from(points).len(), points.len());
    let mut alone = World::new();
    alone.net.swizzle_point(&[B], now);
    assert_eq!(
        alone.net.swizzle_point(&[A, C], now).stream(),
        points[3],
        "others have no part in it"
    );
}
