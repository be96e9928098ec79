//! Keep-alive, and how long an end that no program holds waits for the peer's.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
/// Two hours, and nine questions.
const SILENCE: Duration = Duration::from_secs(7_200 + 9 * 75);

/// A connection whose client asks after its peer.
fn kept_alive(world: &mut World) -> (EndId, EndId, SocketId) {
    world.pair_with(|options| options.keepalive = true)
}

#[test]
fn a_peer_that_is_cut_off_is_found_dead() {
    let mut world = World::new();
    let (client, server, listener) = kept_alive(&mut world);
    world.write(server, b"the last that is heard").unwrap();
    world.run(MS);
    world.read(client).unwrap().unwrap();
    let begin = world.fx.now;
    world.run(MS);
    world.cut(A, B);
    let Answer::Wait(token) = world.net.readable(client).unwrap() else {
        panic!("there is nothing to read")
    };
    world.run_until(begin.saturating_add(SILENCE - Duration::from_nanos(1)));
    assert_eq!(world.read(client).unwrap(), None, "it may still answer");
    let counter = world.counter(Family::Partition);
    assert_eq!((counter.fired, counter.effective), (9, 0));
    world.run(Duration::from_nanos(1));
    assert!(world.fx.woken.contains(&token));
    assert_eq!(
        world.counter(Family::Partition).effective,
        2,
        "all questions as one, and the reset"
    );
    assert_eq!(code(world.read(client)), libc::ETIMEDOUT);
    assert_eq!(code(world.write(client, b"x")), libc::EPIPE);
    world.heal(A, B);
    assert_eq!(world.read(server).unwrap(), None, "nobody told it");
    world.write(server, b"are you there").unwrap();
    world.run(2 * MS);
    assert_eq!(code(world.read(server)), libc::ECONNRESET);
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn without_keep_alive_nobody_asks() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.cut(A, B);
    world.run(DAY);
    assert_eq!(world.read(client).unwrap(), None);
    assert!(world.fx.queue.is_empty());
}

#[test]
fn a_connection_that_is_healthy_and_idle_lives_for_a_day() {
    for lost in [0, 30] {
        let mut world = World::with(constant(10 * MS), 3);
        let (client, server, _) = kept_alive(&mut world);
        world.net.set_default_link(lossy(lost));
        let begin = world.handled;
        world.run(DAY);
        let events = world.handled - begin;
        assert!(events < 100, "{events} events for 12 questions");
        world.net.set_default_link(lossy(0));
        world.write(client, b"still there").unwrap();
        world.run(MS);
        assert_eq!(world.read(server).unwrap().unwrap(), b"still there");
        assert!(lost == 0 || world.counter(Family::Loss).fired > 0);
    }
}

#[test]
fn a_short_cut_is_not_noticed() {
    let mut world = World::new();
    let (client, _, _) = kept_alive(&mut world);
    world.run(7_000 * S);
    world.cut(B, A);
    world.run(790 * S);
    assert_eq!(world.counter(Family::Partition).fired, 8, "nine less one");
    world.heal(B, A);
    world.run(DAY);
    assert_eq!(world.read(client).unwrap(), None);
}

#[test]
fn a_busy_connection_has_one_timer() {
    let mut world = World::new();
    let (client, server, _) = kept_alive(&mut world);
    let begin = world.handled;
    for _ in 0..1_000 {
        world.write(client, b"ping").unwrap();
        world.run(MS);
        world.read(server).unwrap().unwrap();
        world.run(10 * S);
    }
    assert_eq!(
        world.handled - begin,
        1_001,
        "it looked once, after two hours"
    );
}

#[test]
fn who_hears_data_does_not_ask() {
    let mut world = World::new();
    let (client, server, _) = kept_alive(&mut world);
    let begin = world.handled;
    for _ in 0..100 {
        world.write(server, b"news").unwrap();
        world.run(600 * S);
        world.read(client).unwrap().unwrap();
    }
    let looks = world.handled - begin - 100;
    assert!(
        looks < 10,
        "{looks} times it looked, and never sent anything"
    );
}

#[test]
fn a_half_open_connection_is_found() {
    let mut world = World::new();
    let (client, server, listener) = kept_alive(&mut world);
    let begin = world.fx.now;
    world.die(B, Death::Crash);
    world.restart(B);
    world.run_until(begin.saturating_add(7_200 * S - MS));
    assert_eq!(world.read(client).unwrap(), None);
    world.run(4 * MS);
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn an_accepted_stream_asks_as_its_listener_says() {
    let mut world = World::new();
    let socket = world.net.open(B, IpFamily::V4);
    world.net.socket_options(socket).unwrap().keepalive = true;
    (world.net.bind(&mut world.fx, socket, address("0.0.0.0:80"))).unwrap();
    let listener = world.net.listen_at(&mut world.fx, socket, 1).unwrap();
    world.connect(A, "10.0.0.2:80");
    world.run(3 * MS);
    let server = world.accept(listener).unwrap();
    world.die(A, Death::Crash);
    world.run(SILENCE + S);
    assert_eq!(code(world.read(server)), libc::ETIMEDOUT);
}

#[test]
fn a_question_can_be_held() {
    let mut world = World::new();
    let (client, _, _) = kept_alive(&mut world);
    let hold = world.begin(LinkFault::Hold, &[(A, B)]);
    world.run(7_201 * S);
    assert_eq!(world.net.in_flight().len(), 1);
    world.end(hold);
    world.run(DAY);
    assert_eq!(world.read(client).unwrap(), None);
}

#[test]
fn an_end_without_a_program_waits_a_minute() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    let local = world.net.local(client).unwrap();
    let peer = world.net.peer(&world.fx, client).unwrap();
    world.close(client);
    let begin = world.fx.now;
    let is_kept = |world: &mut World| {
        let now = world.fx.now;
        world.net.host_mut(A).flows.contains(now, local, peer)
    };
    world.run_until(begin.saturating_add(60 * S + MS));
    assert!(is_kept(&mut world));
    world.run(MS);
    assert!(
        !is_kept(&mut world),
        "a minute after the end was acknowledged"
    );
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn the_minute_begins_when_the_end_is_acknowledged() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.cut(B, A);
    world.shutdown(client);
    world.run(30 * S);
    world.close(client);
    world.heal(B, A);
    let begin = world.fx.now;
    world.run(80 * S);
    let acknowledged = world.times(Kind::StreamRetransmitted).pop().unwrap();
    assert!(acknowledged > begin.as_duration().as_millis());
    assert_eq!(world.net.connections.len(), 1);
    world.run(60 * S);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.run(2 * MS);
    assert_eq!(world.count(Kind::StreamReset), 1, "nobody is there");
    world.assert_clean();
}
