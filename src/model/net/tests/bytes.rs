//! Random bytes through random chunks, loss, packets that are held and go on in another order, and
//! readers that are slow.

use proptest::prelude::*;

use super::*;
use crate::kernel::{EntityKey, Site};
use crate::model::net::{Bandwidth, QueueDrop};

/// What a stream goes through.
#[derive(Clone, Debug)]
struct Trip {
    seed: u64,
    length: usize,
    writes: Vec<usize>,
    reads: Vec<usize>,
    /// Steps between reads: a slow reader closes the window.
    pause: usize,
    loss: u32,
    bandwidth: Option<u64>,
    /// Milliseconds at which a fault of a kind begins or ends.
    faults: Vec<(u64, u8)>,
}

fn trips() -> impl Strategy<Value = Trip> {
    (
        any::<u64>(),
        1_usize..400_000,
        prop::collection::vec(1_usize..70_000, 1..8),
        prop::collection::vec(1_usize..70_000, 1..8),
        0_usize..20,
        0_u32..20,
        prop::option::of(100_000_u64..10_000_000),
        prop::collection::vec((0_u64..2_000, 0_u8..5), 0..6),
    )
        .prop_map(
            |(seed, length, writes, reads, pause, loss, bandwidth, faults)| Trip {
                seed,
                length,
                writes,
                reads,
                pause,
                loss,
                bandwidth,
                faults,
            },
        )
}

fn travel(trip: &Trip) {
    let link = LinkConfig {
        loss: Probability::percent(trip.loss),
        corrupt: Probability::percent(trip.loss / 4),
        bandwidth: trip.bandwidth.map(|bytes_per_second| Bandwidth {
            bytes_per_second,
            queue_bytes: 64_000,
            drop: match trip.seed % 2 {
                0 => QueueDrop::Early,
                _ => QueueDrop::Tail,
            },
        }),
        ..jittery()
    };
    let mut world = World::with(jittery(), trip.seed);
    // A handshake may fail for good, so it comes before the loss.
    let (client, server, _) = world.pair();
    world.net.set_default_link(link);
    let begin = world.fx.now;
    let sent: Vec<u8> = (0..=250).cycle().take(trip.length).collect();
    let mut faults = trip.faults.clone();
    faults.sort_unstable();
    faults.reverse();
    let mut on: Vec<LinkFaultId> = Vec::new();
    let (mut written, mut received) = (0, Vec::new());
    let (mut writes, mut reads) = (trip.writes.iter().cycle(), trip.reads.iter().cycle());
    let mut finished = false;
    let mut draw = {
        let mut point = Choices::point(Site::new("test.kept"), EntityKey::of("trip"));
        let mut choices = Choices::new(trip.seed);
        move |below| choices.below(&mut point, below)
    };
    for turn in 0.. {
        let elapsed = world.fx.now.saturating_since(begin);
        while faults
            .last()
            .is_some_and(|(ms, _)| elapsed >= MS * u32::try_from(*ms).unwrap())
        {
            let (_, kind) = faults.pop().unwrap();
            let fault = match kind {
                0 => LinkFault::Cut,
                1 => LinkFault::Clog,
                2 => LinkFault::Gray(Probability::percent(30)),
                3 => LinkFault::Delay(Distribution::Constant(30 * MS)),
                _ => LinkFault::Hold,
            };
            let way = if on.len().is_multiple_of(2) {
                (A, B)
            } else {
                (B, A)
            };
            on.push(world.begin(fault, &[way]));
        }
        if faults.is_empty() && elapsed > 3 * S {
            on.drain(..).for_each(|fault| world.end(fault));
        }
        if turn % 8 == 0 && !on.is_empty() {
            pass_one_on(&mut world, &mut draw);
        }
        if written < sent.len() {
            let end = sent.len().min(written + writes.next().unwrap());
            written += world
                .write(client, &sent[written..end])
                .unwrap()
                .unwrap_or(0);
        } else if !finished {
            world.shutdown(client);
            finished = true;
        }
        if turn % (trip.pause + 1) == 0 {
            match world.read_up_to(server, *reads.next().unwrap()).unwrap() {
                Some(bytes) if bytes.is_empty() => break,
                Some(bytes) => received.extend(bytes),
                None => {}
            }
        }
        if !world.step() {
            assert!(on.is_empty() || elapsed <= 3 * S, "nothing will happen");
            world.run(100 * MS);
        }
        assert!(turn < 4_000_000, "it never ends");
    }
    assert!(
        received == sent,
        "{} of {} bytes",
        received.len(),
        sent.len()
    );
}

/// Lets one of the packets go on that links keep, or throws it away; nothing if they keep none.
fn pass_one_on(world: &mut World, draw: &mut impl FnMut(u64) -> u64) {
    let held = world.net.in_flight();
    if held.is_empty() {
        return;
    }
    let number = held[usize::try_from(draw(held.len() as u64)).unwrap()].number;
    let was_there = if draw(4) == 0 {
        world.net.discard_kept(&mut world.fx, number)
    } else {
        world.net.deliver_kept(&mut world.fx, number)
    };
    assert!(was_there);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_is_lost_doubled_or_moved(trip in trips()) {
        travel(&trip);
    }

    #[test]
    fn what_can_be_read_has_arrived_without_gaps(
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
        count in 0_usize..=12,
    ) {
        let mut world = World::new();
        let (client, server, _) = world.pair_with(|options| options.nodelay = true);
        let hold = world.begin(LinkFault::Hold, &[(A, B)]);
        for n in 0..12 {
            world.write(client, &[n]).unwrap();
        }
        world.run(5 * MS);
        let held = world.net.in_flight();
        let (mut arrived, mut read) = ([false; 12], Vec::new());
        for n in order.into_iter().take(count) {
            prop_assert!(world.net.deliver_kept(&mut world.fx, held[n].number));
            arrived[n] = true;
            read.extend(world.read(server).unwrap().unwrap_or_default());
            let whole = arrived.iter().position(|arrived| !arrived);
            prop_assert_eq!(read.len(), whole.unwrap_or(12));
        }
        world.end(hold);
        read.extend(world.read(server).unwrap().unwrap_or_default());
        prop_assert_eq!(read, (0..12).collect::<Vec<u8>>());
    }
}
