//! Bytes in order, room, ends and resets.

use proptest::prelude::*;

use super::*;

#[test]
fn bytes_arrive_in_order_after_the_latency() {
    let mut world = World::new();
    let (client, server, _) = world.pair_with(|options| options.nodelay = true);
    assert_eq!(world.write(client, b"hello ").unwrap(), Some(6));
    assert_eq!(world.write(client, b"world").unwrap(), Some(5));
    assert_eq!(world.write(client, b"").unwrap(), Some(0));
    let Answer::Wait(token) = world.net.readable(server).unwrap() else {
        panic!("too early")
    };
    world.run(MS);
    assert!(world.fx.woken.contains(&token));
    assert_eq!(world.read_up_to(server, 3).unwrap().unwrap(), b"hel");
    let mut peeked = [0; 20];
    assert_eq!(done(world.net.peek(server, &mut peeked).unwrap()), Some(8));
    assert_eq!(world.read(server).unwrap().unwrap(), b"lo world");
    assert_eq!(world.read(server).unwrap(), None);
    assert_eq!(world.read_up_to(server, 0).unwrap(), None);
}

#[test]
fn segments_never_overtake() {
    let mut world = World::with(jittery(), 3);
    let (client, server, _) = world.pair();
    for n in 0..50_u8 {
        world.write(client, &[n]).unwrap();
    }
    world.run(S);
    let read = world.read(server).unwrap().unwrap();
    assert_eq!(read, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_reset_does_not_overtake_what_was_sent_before() {
    for seed in 0..50 {
        let mut world = World::with(jittery(), seed);
        let (client, server, _) = world.pair();
        world.write(server, b"first").unwrap();
        world.net.options(server).unwrap().linger = Some(Duration::ZERO);
        world.close(server);
        while world.net.peer(&world.fx, client).is_ok() {
            assert!(world.step());
        }
        assert_eq!(world.read(client).unwrap().unwrap(), b"first");
    }
}

#[test]
fn an_exchange_costs_two_events() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let begin = world.handled;
    for _ in 0..100 {
        world.write(client, &[1; 64]).unwrap();
        world.run(MS);
        assert_eq!(world.read(server).unwrap().unwrap().len(), 64);
        world.write(server, &[2; 64]).unwrap();
        world.run(MS);
        assert_eq!(world.read(client).unwrap().unwrap().len(), 64);
    }
    assert_eq!(world.handled - begin, 200);
    assert!(world.fx.queue.is_empty());
}

/// Moves bytes through and reads them whenever they are there; the events that took.
fn bulk(world: &mut World, total: usize, chunk: usize) -> u64 {
    let (client, server, _) = world.pair();
    let begin = world.handled;
    let (data, mut buffer) = (vec![5; chunk], vec![0; chunk]);
    let (mut written, mut read) = (0, 0);
    while read < total {
        while written < total {
            let data = &data[..chunk.min(total - written)];
            match world.write(client, data).unwrap() {
                Some(count) => written += count,
                None => break,
            }
        }
        while let Answer::Done(count) = world.net.read(&mut world.fx, server, &mut buffer).unwrap()
        {
            read += count;
        }
        assert!(read == total || world.step(), "stuck at {read} of {total}");
    }
    world.handled - begin
}

#[test]
fn a_bulk_transfer_costs_a_handful_of_events_a_write() {
    let mut world = World::new();
    let events = bulk(&mut world, 64 << 20, 64 << 10);
    assert!(events <= 1_024 * 4, "{events} events for 1,024 writes");
}

#[test]
fn a_full_buffer_waits_for_a_reader() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let data = vec![1; 1 << 20];
    assert_eq!(world.write(client, &data).unwrap(), Some(128 << 10));
    let waiting = world.net.write(&mut world.fx, client, &data).unwrap();
    let Answer::Wait(token) = waiting else {
        panic!("the send buffer is full")
    };
    world.run(3 * MS);
    assert!(world.fx.woken.remove(&token), "all of it is acknowledged");
    assert_eq!(world.write(client, &data).unwrap(), Some(128 << 10));
    assert_eq!(world.write(client, &data).unwrap(), None);
    world.run(S);
    assert!(
        !world.fx.woken.contains(&token),
        "the window is full too, and nobody reads"
    );
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
    world.run(MS - Duration::from_nanos(1));
    assert!(!world.fx.woken.contains(&token));
    world.run(Duration::from_nanos(1));
    assert_eq!(
        world.write(client, &data).unwrap(),
        None,
        "sent, not yet acknowledged"
    );
    world.run(3 * MS);
    assert!(
        world.fx.woken.contains(&token),
        "the reader's room came back"
    );
    assert_eq!(world.read(server).unwrap().unwrap().len(), 128 << 10);
}

#[test]
fn a_writer_is_not_woken_for_a_little_room() {
    let mut world = World::new();
    let (client, _, _) = world.pair();
    world.write(client, &[1; 1 << 10]).unwrap();
    world.run(MS / 2);
    while world.write(client, &[1; 1 << 10]).unwrap().is_some() {}
    world.fx.woken.clear();
    let waiting = world.net.writable(&mut world.fx, client).unwrap();
    let Answer::Wait(token) = waiting else {
        panic!("the send buffer is full")
    };
    world.run(3 * MS / 2);
    assert!(
        !world.fx.woken.contains(&token),
        "only the first write is acknowledged"
    );
    world.run(MS);
    assert!(world.fx.woken.contains(&token));
}

#[test]
fn reading_little_by_little_opens_the_window_in_steps() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let data = vec![1; 128 << 10];
    world.write(client, &data).unwrap();
    world.run(3 * MS);
    world.write(client, &data).unwrap();
    world.run(3 * MS);
    let begin = world.handled;
    for _ in 0..(64 << 10) - 1 {
        world.read_up_to(server, 1).unwrap().unwrap();
    }
    world.run(S);
    assert_eq!(world.handled, begin, "half of the window is not yet free");
    world.read_up_to(server, 1).unwrap().unwrap();
    world.run(S);
    assert!(world.handled > begin);
    let mut total = 64 << 10;
    while let Some(bytes) = world.read_up_to(server, 1_000).unwrap() {
        total += bytes.len();
        world.run(10 * MS);
    }
    assert_eq!(total, 256 << 10);
}

#[test]
fn the_end_of_a_stream_comes_behind_its_bytes() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.write(client, b"bye").unwrap();
    world.shutdown(client);
    world.shutdown(client);
    assert_eq!(code(world.write(client, b"more")), libc::EPIPE);
    world.run(MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"bye");
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    world.write(server, b"the other half stays open").unwrap();
    world.run(MS);
    assert_eq!(world.read(client).unwrap().unwrap().len(), 25);
    world.close(server);
    world.run(MS);
    assert_eq!(world.read(client).unwrap().unwrap(), b"");
    world.close(client);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn an_end_behind_a_closed_window_arrives() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    let data = vec![1; 128 << 10];
    world.write(client, &data).unwrap();
    world.run(3 * MS);
    world.write(client, &data).unwrap();
    world.close(client);
    let mut total = 0;
    loop {
        match world.read_up_to(server, 50_000).unwrap() {
            Some(bytes) if bytes.is_empty() => break,
            Some(bytes) => total += bytes.len(),
            None => assert!(world.step(), "stuck after {total}"),
        }
    }
    assert_eq!(total, 256 << 10);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn closing_with_unread_bytes_resets() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.write(client, b"unread").unwrap();
    world.write(server, b"hello").unwrap();
    world.run(MS);
    world.close(server);
    world.run(MS);
    assert_eq!(world.read(client).unwrap().unwrap(), b"hello");
    assert_eq!(code(world.read(client)), libc::ECONNRESET);
    assert_eq!(world.read(client).unwrap().unwrap(), b"");
    assert_eq!(code(world.write(client, b"x")), libc::EPIPE);
    assert_eq!(
        code(world.net.shutdown(&mut world.fx, client)),
        libc::ENOTCONN
    );
    assert_eq!(code(world.net.peer(&world.fx, client)), libc::ENOTCONN);
    world.close(client);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn lingering_for_no_time_resets_and_the_error_is_told_once() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    let Answer::Wait(token) = world.net.readable(client).unwrap() else {
        panic!("nothing yet")
    };
    world.net.options(server).unwrap().linger = Some(Duration::ZERO);
    world.close(server);
    world.run(MS);
    assert!(world.fx.woken.contains(&token));
    assert_eq!(code(world.write(client, b"x")), libc::ECONNRESET);
    assert_eq!(code(world.write(client, b"x")), libc::EPIPE);
    assert_eq!(world.read(client).unwrap().unwrap(), b"");
}

#[test]
fn bytes_for_a_closed_stream_are_answered_with_a_reset() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.close(client);
    world.run(MS);
    assert_eq!(world.read(server).unwrap().unwrap(), b"");
    assert_eq!(world.write(server, b"x").unwrap(), Some(1));
    world.run(2 * MS);
    assert_eq!(
        world.read(server).unwrap().unwrap(),
        b"",
        "it has read to the end"
    );
    assert_eq!(code(world.write(server, b"x")), libc::EPIPE);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn options_are_remembered() {
    let mut world = World::new();
    let (client, server, _) = world.pair();
    world.net.options(client).unwrap().nodelay = true;
    assert!(world.net.options(client).unwrap().nodelay);
    assert!(!world.net.options(server).unwrap().nodelay);
    world.close(client);
    assert_eq!(code(world.net.options(client).copied()), libc::EBADF);
}

#[test]
fn both_may_close_at_once() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

/// What a program that sends and receives at random does next.
#[derive(Clone, Copy, Debug)]
enum Op {
    Write(usize),
    Read(usize),
    Wait(u64),
    Cut(bool),
    Hold(bool),
    /// Lets one of the packets go on that are held, past all before it.
    Pass(usize),
    /// Throws one of them away.
    Discard(usize),
    Heal,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1_usize..70_000).prop_map(Op::Write),
        4 => (1_usize..70_000).prop_map(Op::Read),
        3 => (0_u64..300).prop_map(Op::Wait),
        1 => any::<bool>().prop_map(Op::Cut),
        1 => any::<bool>().prop_map(Op::Hold),
        2 => any::<usize>().prop_map(Op::Pass),
        1 => any::<usize>().prop_map(Op::Discard),
        1 => Just(Op::Heal),
    ]
}

/// Byte `n` of the stream in a direction.
fn byte(n: usize, direction: usize) -> u8 {
    u8::try_from((n * 31 + n / 251 + direction * 97) % 256).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn all_bytes_arrive_in_order(
        ops in prop::collection::vec((any::<bool>(), op()), 1..80),
        // With more, one connection in many thousand gives up after its 15 retries.
        loss in 0_u32..15,
        jitter in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let latency = if jitter { jittery().latency } else { constant(MS).latency };
        let mut world = World::with(constant(MS), seed);
        world.fx.keeps_records = false;
        // A handshake may fail for good, so it comes before the loss.
        let (client, server, listener) = world.pair();
        world.net.set_default_link(LinkConfig { latency, ..lossy(loss) });
        let ends = [client, server];
        let (mut written, mut read) = ([0; 2], [0; 2]);
        for (side, op) in ops {
            let side = usize::from(side);
            match op {
                Op::Write(length) => {
                    let from = written[side];
                    let data: Vec<_> = (from..from + length).map(|n| byte(n, side)).collect();
                    written[side] += world.write(ends[side], &data).unwrap().unwrap_or(0);
                }
                Op::Read(length) => take(&mut world, &ends, side, length, &mut read),
                Op::Wait(ms) => world.run(Duration::from_millis(ms)),
                Op::Cut(forth) => if forth { world.cut(A, B) } else { world.cut(B, A) },
                Op::Hold(forth) => {
                    let link = if forth { (A, B) } else { (B, A) };
                    world.begin(LinkFault::Hold, &[link]);
                }
                Op::Pass(n) => if let Some(number) = held(&world, n) {
                    world.net.deliver_kept(&mut world.fx, number);
                },
                Op::Discard(n) => if let Some(number) = held(&world, n) {
                    world.net.discard_kept(&mut world.fx, number);
                },
                Op::Heal => world.net.heal_all(&mut world.fx),
            }
        }
        world.net.heal_all(&mut world.fx);
        for end in ends {
            world.shutdown(end);
        }
        loop {
            for side in 0..2 {
                take(&mut world, &ends, side, 1 << 20, &mut read);
            }
            if !world.step() {
                break;
            }
        }
        prop_assert_eq!(written, [read[1], read[0]]);
        for end in ends {
            prop_assert_eq!(world.read(end).unwrap(), Some(Vec::new()));
            world.close(end);
        }
        world.net.close_listener(&mut world.fx, listener);
        world.assert_clean();
    }
}

/// The number of one of the packets that are held, if any is.
fn held(world: &World, n: usize) -> Option<u64> {
    let held = world.net.in_flight();
    let place = n.checked_rem(held.len())?;
    Some(held[place].number)
}

/// Reads what is there and checks each byte.
fn take(world: &mut World, ends: &[EndId], side: usize, length: usize, read: &mut [usize; 2]) {
    for byte_read in world
        .read_up_to(ends[side], length)
        .unwrap()
        .unwrap_or_default()
    {
        assert_eq!(byte_read, byte(read[side], 1 - side), "byte {}", read[side]);
        read[side] += 1;
    }
}
