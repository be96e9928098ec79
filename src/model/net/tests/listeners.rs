//! Listeners that refuse, or accept late, by faults.

use super::*;

#[test]
fn who_is_refused_by_a_fault_is_told_so_and_may_ask_again() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    let fault = world.begin(LinkFault::Refuse(Probability::ALWAYS), &[(A, B)]);
    let refused = world.connect(A, "10.0.0.2:80");
    let elsewhere = world.connect(C, "10.0.0.2:80");
    let nobody = world.connect(A, "10.0.0.2:81");
    world.write(client, b"lives on").unwrap();
    world.run(3 * MS);
    assert_eq!(code(world.net.connected(refused)), libc::ECONNREFUSED);
    assert_eq!(code(world.net.connected(nobody)), libc::ECONNREFUSED);
    assert_eq!(done(world.net.connected(elsewhere).unwrap()), Some(()));
    assert_eq!(world.read(server).unwrap().unwrap(), b"lives on");
    assert!(world.accept(listener).is_some() && world.accept(listener).is_none());
    let expected = FaultCounter {
        offered: 1,
        fired: 1,
        effective: 1,
    };
    assert_eq!(world.counter(Family::Refuse), expected);
    world.end(fault);
    let again = world.connect(A, "10.0.0.2:80");
    world.run(3 * MS);
    assert_eq!(done(world.net.connected(again).unwrap()), Some(()));
}

#[test]
fn a_share_is_refused() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    world.begin(LinkFault::Refuse(Probability::percent(30)), &[(A, B)]);
    let mut refused = 0;
    for _ in 0..1_000 {
        let client = world.connect(A, "10.0.0.2:80");
        world.run(3 * MS);
        match world.net.connected(client) {
            Ok(answer) => {
                assert_eq!(done(answer), Some(()));
                let server = world.accept(listener).unwrap();
                world.close(server);
            }
            Err(_) => refused += 1,
        }
        world.close(client);
        world.run(3 * MS);
    }
    assert!((250..350).contains(&refused), "{refused}");
    let counter = world.counter(Family::Refuse);
    assert_eq!((counter.offered, counter.fired), (1_000, refused));
}

fn slow(by: Duration) -> LinkFault {
    LinkFault::SlowAccept(Distribution::Constant(by))
}

#[test]
fn a_connection_that_is_accepted_late_was_made_before() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    let fault = world.begin(slow(S), &[(A, B)]);
    let client = world.connect(A, "10.0.0.2:80");
    let Answer::Wait(token) = world.net.accept(&mut world.fx, listener).unwrap() else {
        panic!("nobody asked yet");
    };
    world.run(3 * MS);
    assert_eq!(done(world.net.connected(client).unwrap()), Some(()));
    world.write(client, b"early").unwrap();
    world.end(fault);
    world.run(900 * MS);
    assert!(!world.fx.woken.contains(&token), "it waits");
    assert!(world.accept(listener).is_none());
    world.run(100 * MS);
    assert!(world.fx.woken.contains(&token));
    let server = world.accept(listener).unwrap();
    assert_eq!(world.read(server).unwrap().unwrap(), b"early");
    assert_eq!(world.counter(Family::SlowAccept).effective, 1);
}

#[test]
fn connections_are_accepted_in_order_however_long_they_wait() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    world.begin(slow(S), &[(A, B)]);
    let ends = [A, C].map(|node| {
        let end = world.connect(node, "10.0.0.2:80");
        world.run(3 * MS);
        world.net.local(end).unwrap()
    });
    assert!(world.accept(listener).is_none(), "the first waits");
    world.run(S);
    for local in ends {
        let server = world.accept(listener).unwrap();
        let peer = world.net.peer(&world.fx, server).unwrap();
        assert_eq!(peer, local);
    }
    let counter = world.counter(Family::SlowAccept);
    assert_eq!((counter.fired, counter.effective), (1, 1));
    world.connect(A, "10.0.0.2:80");
    world.run(5 * S);
    assert!(world.accept(listener).is_some());
    let counter = world.counter(Family::SlowAccept);
    assert_eq!(
        (counter.fired, counter.effective),
        (2, 1),
        "nobody missed it"
    );
    let waits = world.connect(A, "10.0.0.2:80");
    world.run(3 * MS);
    world.net.close_listener(&mut world.fx, listener);
    world.run_out();
    assert_eq!(
        code(world.read(waits)),
        libc::ECONNRESET,
        "as any in its queue"
    );
}
