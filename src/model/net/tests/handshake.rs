//! How connections begin, and how they do not.

use super::*;

#[test]
fn takes_a_round_trip_and_tells_both_addresses() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    let client = world.connect(A, "10.0.0.2:80");
    let Answer::Wait(token) = world.net.connected(client).unwrap() else {
        panic!("too early")
    };
    world.run(2 * MS);
    assert!(world.fx.woken.contains(&token));
    assert!(done(world.net.connected(client).unwrap()).is_some());
    assert!(
        world.accept(listener).is_none(),
        "the answer's answer is under way"
    );
    world.run(MS);
    let server = world.accept(listener).unwrap();
    let local = world.net.local(client).unwrap();
    assert_eq!(local.ip(), address("10.0.0.1:0").ip());
    assert_eq!(world.net.peer(&world.fx, server).unwrap(), local);
    assert_eq!(
        world.net.peer(&world.fx, client).unwrap(),
        address("10.0.0.2:80")
    );
    assert_eq!(world.net.local(server).unwrap(), address("10.0.0.2:80"));
    assert_eq!(world.handled, 3, "three packets, and no timer left behind");
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn is_refused_when_nobody_listens() {
    let mut world = World::new();
    for to in ["10.0.0.2:81", "10.0.0.2:0", "127.0.0.1:80"] {
        let client = world.connect(A, to);
        world.run(2 * MS);
        assert_eq!(
            code(world.net.connected(client)),
            libc::ECONNREFUSED,
            "{to}"
        );
        world.close(client);
    }
    world.assert_clean();
}

#[test]
fn silence_is_asked_again_and_ends_in_a_timeout() {
    for (to, dead) in [("10.0.0.2:80", true), ("10.9.9.9:80", false)] {
        let mut world = World::new();
        if dead {
            world.die(B, Death::Crash);
        }
        let client = world.connect(A, to);
        world.run(127 * S - Duration::from_nanos(1));
        assert!(done(world.net.connected(client).unwrap()).is_none());
        world.run(Duration::from_nanos(1));
        assert_eq!(code(world.net.connected(client)), libc::ETIMEDOUT);
        world.close(client);
        world.assert_clean();
    }
}

#[test]
fn asks_again_at_the_times_of_linux() {
    let mut world = World::new();
    world.listen(B, "0.0.0.0:80");
    world.cut(A, B);
    let mut ends = Vec::new();
    for heal_s in [0, 2, 6, 14, 30, 62] {
        let client = world.connect(A, "10.0.0.2:80");
        let begin = world.fx.now;
        world.run(heal_s * S + 500 * MS);
        world.heal(A, B);
        while done(world.net.connected(client).unwrap()).is_none() {
            assert!(world.step());
        }
        ends.push(world.fx.now.saturating_since(begin).as_millis());
        world.cut(A, B);
    }
    let second = |n: u128| n * 1_000 + 2;
    assert_eq!(
        ends[..6],
        [
            second(1),
            second(3),
            second(7),
            second(15),
            second(31),
            second(63)
        ]
    );
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    world.cut(B, A);
    let client = world.connect(A, "10.0.0.2:80");
    world.run(500 * MS);
    assert!(world.accept(listener).is_none());
    world.heal(B, A);
    world.run(600 * MS);
    assert!(done(world.net.connected(client).unwrap()).is_some());
    let server = world.accept(listener).unwrap();
    assert!(
        world.accept(listener).is_none(),
        "one connection, however often it was asked for"
    );
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn the_last_packet_of_the_handshake_may_be_lost() {
    for writes in [false, true] {
        let mut world = World::new();
        let listener = world.listen(B, "0.0.0.0:80");
        let client = world.connect(A, "10.0.0.2:80");
        world.run(MS);
        world.cut(A, B);
        world.run(MS);
        world.heal(A, B);
        assert!(done(world.net.connected(client).unwrap()).is_some());
        if writes {
            world.write(client, b"hello").unwrap();
        }
        world.run(2 * MS);
        assert_eq!(
            world.accept(listener).is_some(),
            writes,
            "bytes tell that the answer arrived"
        );
        world.run(1_001 * MS);
        assert_eq!(
            world.accept(listener).is_some(),
            !writes,
            "the server answers again"
        );
    }
}

#[test]
fn a_server_that_hears_nothing_gives_up() {
    let mut world = World::new();
    let listener = world
        .net
        .listen(&mut world.fx, B, address("0.0.0.0:80"), 0)
        .unwrap();
    world.connect(A, "10.0.0.2:80");
    world.run(MS);
    world.die(A, Death::Crash);
    world.run(61 * S);
    let client = world.connect(C, "10.0.0.2:80");
    world.run(S);
    assert!(
        done(world.net.connected(client).unwrap()).is_none(),
        "its place is taken"
    );
    world.run(2 * S + 3 * MS);
    assert!(done(world.net.connected(client).unwrap()).is_some());
    assert!(world.accept(listener).is_some());
    assert!(world.accept(listener).is_none());
}

#[test]
fn a_server_that_gave_up_may_be_asked_again() {
    let mut world = World::new();
    world.listen(B, "0.0.0.0:80");
    world.cut(B, A);
    let client = world.connect(A, "10.0.0.2:80");
    world.run(62_900 * MS);
    assert!(done(world.net.connected(client).unwrap()).is_none());
    world.heal(B, A);
    world.run(S);
    assert!(done(world.net.connected(client).unwrap()).is_some());
}

#[test]
fn a_full_backlog_is_silent() {
    let mut world = World::new();
    let listener = world
        .net
        .listen(&mut world.fx, B, address("0.0.0.0:80"), 1)
        .unwrap();
    let clients: Vec<_> = (0..3).map(|_| world.connect(A, "10.0.0.2:80")).collect();
    world.run(10 * MS);
    let connected = |world: &mut World, end| done(world.net.connected(end).unwrap()).is_some();
    let made: Vec<_> = clients
        .iter()
        .map(|end| connected(&mut world, *end))
        .collect();
    assert_eq!(made, [true, true, false]);
    assert!(world.accept(listener).is_some());
    world.run(S);
    assert!(connected(&mut world, clients[2]));
}

#[test]
fn closing_a_listener_resets_what_nobody_accepted() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    let made = world.connect(A, "10.0.0.2:80");
    world.run(3 * MS);
    let asking = world.connect(A, "10.0.0.2:80");
    world.run(MS);
    world.net.close_listener(&mut world.fx, listener);
    world.run(MS);
    assert_eq!(code(world.read(made)), libc::ECONNRESET);
    world.run(MS);
    assert!(matches!(
        code(world.net.connected(asking).and_then(|_| world.read(asking))),
        libc::ECONNREFUSED | libc::ECONNRESET
    ));
    world.close(made);
    world.close(asking);
    world.assert_clean();
}

#[test]
fn a_connection_reset_in_the_queue_is_still_accepted() {
    let mut world = World::new();
    let listener = world.listen(B, "0.0.0.0:80");
    let client = world.connect(A, "10.0.0.2:80");
    world.run(3 * MS);
    world.write(client, b"hi").unwrap();
    world.net.options(client).unwrap().linger = Some(Duration::ZERO);
    world.close(client);
    world.run(MS);
    let server = world.accept(listener).unwrap();
    assert_eq!(world.read(server).unwrap().unwrap(), b"hi");
    assert_eq!(code(world.read(server)), libc::ECONNRESET);
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn a_client_that_leaves_is_not_accepted() {
    let mut world = World::new();
    let listener = world
        .net
        .listen(&mut world.fx, B, address("0.0.0.0:80"), 0)
        .unwrap();
    let client = world.connect(A, "10.0.0.2:80");
    world.run(MS);
    world.close(client);
    world.run(2 * MS);
    assert!(world.accept(listener).is_none());
    let next = world.connect(A, "10.0.0.2:80");
    world.run(2 * MS);
    assert!(
        done(world.net.connected(next).unwrap()).is_some(),
        "its place was given back"
    );
    world.close(next);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn ports_are_checked_and_given_back() {
    let mut world = World::new();
    let listener = world.listen(A, "10.0.0.1:80");
    assert_eq!(code(world.try_listen(A, "0.0.0.0:80")), libc::EADDRINUSE);
    assert_eq!(
        code(world.try_listen(A, "10.0.0.2:81")),
        libc::EADDRNOTAVAIL
    );
    assert!(world.try_listen(A, "127.0.0.1:80").is_ok());
    assert!(
        world.try_bind(A, "10.0.0.1:80").is_ok(),
        "datagrams have ports of their own"
    );
    let client = world.connect(A, "10.0.0.2:80");
    let port = world.net.local(client).unwrap().port();
    assert_eq!(
        code(world.try_listen(A, &format!("0.0.0.0:{port}"))),
        libc::EADDRINUSE
    );
    world.close(client);
    assert!(world.try_listen(A, &format!("0.0.0.0:{port}")).is_ok());
    world.net.close_listener(&mut world.fx, listener);
    assert!(world.try_listen(A, "10.0.0.1:80").is_ok());
    let ends: Vec<_> = (0..28_231)
        .map(|_| world.connect(A, "10.0.0.2:80"))
        .collect();
    let none_left = world.net.connect(&mut world.fx, A, address("10.0.0.2:80"));
    assert_eq!(code(none_left), libc::EADDRNOTAVAIL);
    world.close(ends[0]);
    world.connect(A, "10.0.0.2:80");
}

#[test]
fn loopback_connections_work_in_every_way_of_naming_them() {
    let mut world = World::new();
    let listener = world.listen(A, "[::]:80");
    for (to, seen, met) in [
        ("127.0.0.1:80", "::ffff:127.0.0.1", "127.0.0.1:80"),
        ("10.0.0.1:80", "::ffff:10.0.0.1", "10.0.0.1:80"),
        ("0.0.0.0:80", "::ffff:127.0.0.1", "127.0.0.1:80"),
        ("[::1]:80", "::1", "[::1]:80"),
        (
            "[::ffff:10.0.0.1]:80",
            "::ffff:10.0.0.1",
            "[::ffff:10.0.0.1]:80",
        ),
    ] {
        let client = world.connect(A, to);
        world.run(MS);
        let server = world
            .accept(listener)
            .unwrap_or_else(|| panic!("{to} is not accepted"));
        assert_eq!(
            world.net.peer(&world.fx, server).unwrap().ip().to_string(),
            seen,
            "{to}"
        );
        assert_eq!(
            world.net.peer(&world.fx, client).unwrap(),
            address(met),
            "{to}"
        );
    }
}
