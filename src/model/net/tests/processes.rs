//! What the death of a process or a host does to its sockets and to its peers.

use super::*;

#[test]
fn a_killed_process_closes_its_sockets() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    let unread = world.connect(A, "10.0.0.2:80");
    let waiting = world.connect(A, "10.0.0.2:80");
    world.run(3 * MS);
    let second = world.accept(listener).unwrap();
    world.write(unread, b"unread").unwrap();
    world.write(server, b"last words").unwrap();
    world.run(MS);
    world.bind(B, "0.0.0.0:9");
    world.die(B, Death::Kill);
    world.run(MS);
    assert_eq!(world.read(client).unwrap().unwrap(), b"last words");
    assert_eq!(
        world.read(client).unwrap().unwrap(),
        b"",
        "closed in good order"
    );
    assert_eq!(
        code(world.read(unread)),
        libc::ECONNRESET,
        "with something unread"
    );
    assert_eq!(
        code(world.read(waiting)),
        libc::ECONNRESET,
        "never accepted"
    );
    assert_eq!(
        code(world.write(second, b"x")),
        libc::EBADF,
        "its handles are dead"
    );
    let refused = world.connect(A, "10.0.0.2:80");
    world.run(2 * MS);
    assert_eq!(code(world.net.connected(refused)), libc::ECONNREFUSED);
    world.listen(B, "0.0.0.0:80");
    world.bind(B, "0.0.0.0:9");
    world.die(B, Death::Kill);
    for end in [client, unread, waiting, refused, server, second] {
        world.close(end);
    }
    world.assert_clean();
}

#[test]
fn a_crashed_host_is_silent_and_its_next_boot_knows_nothing() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.bind(B, "0.0.0.0:9");
    world.die(B, Death::Crash);
    world.run(10 * S);
    assert_eq!(world.read(client).unwrap(), None, "silence");
    assert_eq!(code(world.read(server)), libc::EBADF);
    world.restart(B);
    world.run(10 * S);
    assert_eq!(world.read(client).unwrap(), None, "half-open");
    world.listen(B, "0.0.0.0:80");
    world.write(client, b"are you there?").unwrap();
    world.run(2 * MS);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    let again = world.connect(A, "10.0.0.2:80");
    world.run(2 * MS);
    assert!(done(world.net.connected(again).unwrap()).is_some());
    world.close(client);
    world.close(again);
    world.die(B, Death::Crash);
    world.assert_clean();
}

#[test]
fn bytes_sent_while_the_host_was_down_meet_a_reset() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.die(B, Death::Crash);
    world.write(client, b"x").unwrap();
    world.run(5 * S);
    assert_eq!(world.read(client).unwrap(), None);
    world.restart(B);
    world.run(10 * S);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
}

#[test]
fn a_host_that_is_down_refuses_nothing() {
    let mut world = World::new();
    let a = world.bind(A, "0.0.0.0:9");
    world.net.udp_connect(a, address("10.0.0.2:9")).unwrap();
    world.die(B, Death::Crash);
    world.net.udp_send(&mut world.fx, a, b"x").unwrap();
    world.run(S);
    assert_eq!(world.receive(a).unwrap(), None);
    world.restart(B);
    world.net.udp_send(&mut world.fx, a, b"x").unwrap();
    world.run(S);
    assert_eq!(code(world.receive(a)), libc::ECONNREFUSED);
}

#[test]
fn what_a_host_had_sent_still_arrives_after_its_crash() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let (a, b) = (world.bind(A, "0.0.0.0:9"), world.bind(B, "0.0.0.0:9"));
    world.send_to(b, b"datagram", "10.0.0.1:9").unwrap();
    world.write(server, &[1; 128 << 10]).unwrap();
    world.run(2 * MS);
    assert_eq!(
        world.write(server, &[1; 100]).unwrap(),
        Some(100),
        "never leaves: no window"
    );
    world.die(B, Death::Crash);
    world.run(S);
    assert_eq!(world.receive_all(a), [b"datagram"]);
    assert_eq!(world.read(client).unwrap().unwrap().len(), 128 << 10);
    assert_eq!(world.read(client).unwrap(), None);
}

#[test]
fn a_datagram_in_flight_comes_to_whoever_has_its_port_then() {
    for how in [Death::Kill, Death::Crash] {
        let mut world = World::new();
        let a = world.bind(A, "0.0.0.0:9");
        world.net.udp_connect(a, address("10.0.0.2:9")).unwrap();
        world.bind(B, "0.0.0.0:9");
        let send = |world: &mut World, text: &[u8]| {
            world.net.udp_send(&mut world.fx, a, text).unwrap();
        };
        send(&mut world, b"while it is down");
        world.die(B, how);
        world.run(MS);
        world.restart(B);
        world.run(MS);
        match how {
            Death::Kill => assert_eq!(code(world.receive(a)), libc::ECONNREFUSED),
            Death::Crash => assert_eq!(world.receive(a).unwrap(), None, "silence"),
        }
        send(&mut world, b"old");
        world.die(B, how);
        world.restart(B);
        let next = world.bind(B, "0.0.0.0:9");
        world.run(MS);
        assert_eq!(world.receive_all(next), [b"old"], "{how:?}");
        send(&mut world, b"elsewhere");
        world.die(B, how);
        world.restart(B);
        world.bind(B, "0.0.0.0:10");
        world.run(2 * MS);
        assert_eq!(code(world.receive(a)), libc::ECONNREFUSED, "{how:?}");
    }
}

#[test]
fn an_asking_in_flight_is_answered_by_whoever_listens_then() {
    for listens in [true, false] {
        let mut world = World::new();
        world.listen(B, "0.0.0.0:80");
        let early = world.connect(A, "10.0.0.2:80");
        world.die(B, Death::Crash);
        world.restart(B);
        let listener = listens.then(|| world.listen(B, "0.0.0.0:80"));
        world.run(3 * MS);
        match listener {
            Some(listener) => {
                assert_eq!(done(world.net.connected(early).unwrap()), Some(()));
                assert!(world.accept(listener).is_some());
            }
            None => assert_eq!(code(world.net.connected(early)), libc::ECONNREFUSED),
        }
    }
}

#[test]
fn a_segment_in_flight_meets_a_reset_from_the_next_boot() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.write(client, b"old").unwrap();
    world.die(B, Death::Crash);
    world.restart(B);
    let listener = world.listen(B, "0.0.0.0:80");
    world.run(2 * MS);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    assert!(world.accept(listener).is_none());
}

#[test]
fn a_host_that_crashes_while_answering_may_answer_after_its_boot() {
    let mut world = World::new();
    world.cut(B, A);
    world.listen(B, "0.0.0.0:80");
    let client = world.connect(A, "10.0.0.2:80");
    world.run(500 * MS);
    world.die(B, Death::Crash);
    world.restart(B);
    world.heal(B, A);
    let listener = world.listen(B, "0.0.0.0:80");
    world.run(S);
    assert!(done(world.net.connected(client).unwrap()).is_some());
    assert!(world.accept(listener).is_some());
}

#[test]
fn a_crash_ends_connections_within_the_host() {
    let mut world = World::new();
    let listener = world.listen(A, "127.0.0.1:80");
    let client = world.connect(A, "127.0.0.1:80");
    world.run(MS);
    world.accept(listener).unwrap();
    world.write(client, b"x").unwrap();
    world.die(A, Death::Crash);
    world.assert_clean();
}

#[test]
fn a_new_boot_draws_new_ephemeral_ports() {
    let mut world = World::new();
    let first = world.bind(A, "0.0.0.0:0");
    let port = world.net.udp_local(first).unwrap().port();
    world.die(A, Death::Crash);
    world.restart(A);
    let second = world.bind(A, "0.0.0.0:0");
    assert_ne!(world.net.udp_local(second).unwrap().port(), port + 1);
}
