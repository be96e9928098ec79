//! What each fault family of the network counts: where it matters, where it acts and does not
//! matter, and where it is there and never acts.

use std::future::pending;
use std::io;
use std::time::Duration;

use stormglass::kernel::{Distribution, Family, FaultCounters, Probability};
use stormglass::net::{Bandwidth, LinkConfig, QueueDrop, TcpListener, TcpStream, UdpSocket};
use stormglass::sim::{Builder, Config, Links, Node, Outcome, PacketFilter, PacketKind, Sim};
use stormglass::task;
use stormglass::time::sleep;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MS: Duration = Duration::from_millis(1);
const MTU_BYTES: usize = 1_500;

/// What the test sends to its peer while the fault is on.
#[derive(Clone, Copy, Debug)]
enum Traffic {
    /// Ten datagrams of four bytes, all at once.
    Datagrams,
    /// Four bytes of a stream.
    Bytes,
    /// Three full segments of a stream.
    Segments,
    /// The asking for a connection.
    Connect,
}

/// What becomes of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// It reads all that comes.
    Reads,
    /// It lives, and reads nothing.
    Deaf,
    /// It loses power 20 ms after the traffic.
    Dies,
    /// It has lost power before.
    Dead,
}

use Peer::{Dead, Deaf, Dies, Reads};
use Traffic::{Bytes, Connect, Datagrams, Segments};

/// Begins a fault on the link from one node to another.
type Begin = fn(&Sim, Node, Node);

async fn serve(reads: bool) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:7").await?;
    let listener = TcpListener::bind("0.0.0.0:7").await?;
    if !reads {
        pending::<()>().await;
    }
    task::spawn(async move {
        let mut buffer = [0; 16];
        while socket.recv_from(&mut buffer).await.is_ok() {}
    });
    loop {
        let (mut stream, _) = listener.accept().await?;
        task::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
    }
}

/// One link with a fault for a tenth of a second, and traffic on it at the beginning of that.
fn run(
    begin: Begin,
    traffic: Traffic,
    fate: Peer,
    latency: Distribution,
) -> (FaultCounters, String) {
    let mut config = Config::default();
    config.link.latency = latency;
    let outcome = Builder::new().config(config).run(move |sim| async move {
        let here = sim.find("test").expect("it is there from the beginning");
        let peer = sim.node("peer").run(move |_| serve(fate != Deaf));
        sleep(10 * MS).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let mut stream = TcpStream::connect("peer:7").await?;
        sleep(10 * MS).await;
        begin(&sim, here, peer);
        if fate == Dead {
            peer.crash();
        }
        match traffic {
            Datagrams => {
                for n in 0..10 {
                    socket.send_to(&[n; 4], "peer:7").await?;
                }
            }
            Bytes => stream.write_all(b"once").await?,
            Segments => stream.write_all(&[7; 3 * (MTU_BYTES - 40)]).await?,
            Connect => drop(task::spawn(TcpStream::connect("peer:7"))),
        }
        sleep(20 * MS).await;
        if fate == Dies {
            peer.crash();
        }
        sleep(80 * MS).await;
        sim.network().heal_all();
        sim.network().set_link(here, peer, None);
        sleep(Duration::from_secs(3)).await;
        io::Result::Ok(())
    });
    gives(outcome)
}

/// What a run that passes counted, and its digest.
pub(super) fn gives(outcome: Outcome<io::Result<()>>) -> (FaultCounters, String) {
    let (counters, digest) = (outcome.counters.clone(), outcome.digest.to_string());
    outcome
        .unwrap()
        .expect("nothing fails but what is given up");
    (counters, digest)
}

pub(super) fn count(counters: &FaultCounters, family: Family) -> [u64; 3] {
    let counter = counters.get(family);
    [counter.offered, counter.fired, counter.effective]
}

fn constant() -> Distribution {
    Distribution::Constant(MS)
}

/// Gives the link settings that differ from those of the run.
fn set(sim: &Sim, from: Node, to: Node, change: impl FnOnce(&mut LinkConfig)) {
    let mut link = LinkConfig {
        latency: constant(),
        ..LinkConfig::default()
    };
    change(&mut link);
    sim.network().set_link(from, to, link);
}

fn link(from: Node, to: Node) -> Links {
    Links::one_way(&[from], &[to])
}

fn cut(sim: &Sim, from: Node, to: Node) {
    sim.network().cut(from, to);
}

fn loss(sim: &Sim, from: Node, to: Node) {
    set(sim, from, to, |link| link.loss = Probability::ALWAYS);
}

fn gray(sim: &Sim, from: Node, to: Node) {
    sim.network().gray(link(from, to), Probability::ALWAYS);
}

fn filter(sim: &Sim, from: Node, to: Node) {
    let network = sim.network();
    for kind in [PacketKind::Datagram, PacketKind::Syn, PacketKind::Data] {
        let what = PacketFilter::kind(kind);
        network.filter(link(from, to), what, Probability::ALWAYS);
    }
}

fn corrupt(sim: &Sim, from: Node, to: Node) {
    set(sim, from, to, |link| link.corrupt = Probability::ALWAYS);
}

fn duplicate(sim: &Sim, from: Node, to: Node) {
    set(sim, from, to, |link| link.duplicate = Probability::ALWAYS);
}

fn reorder(sim: &Sim, from: Node, to: Node) {
    set(sim, from, to, |link| {
        link.reorder = Probability::ALWAYS;
        link.reorder_delay = Distribution::Constant(50 * MS);
    });
}

fn delay(sim: &Sim, from: Node, to: Node) {
    let by = Distribution::Constant(50 * MS);
    sim.network().delay(link(from, to), by);
}

fn replay(sim: &Sim, from: Node, to: Node) {
    let after = Distribution::Constant(50 * MS);
    sim.network()
        .replay(link(from, to), Probability::ALWAYS, after);
}

fn refuse(sim: &Sim, from: Node, to: Node) {
    sim.network().refuse(link(from, to), Probability::ALWAYS);
}

fn slow_accept(sim: &Sim, from: Node, to: Node) {
    let by = Distribution::Constant(50 * MS);
    sim.network().slow_accept(link(from, to), by);
}

fn corrupt_streams(sim: &Sim, from: Node, to: Node) {
    sim.network()
        .corrupt_streams(link(from, to), Probability::ALWAYS);
}

fn short_writes(sim: &Sim, from: Node, to: Node) {
    sim.network()
        .short_writes(link(from, to), Probability::ALWAYS);
}

fn short_reads(sim: &Sim, from: Node, to: Node) {
    sim.network()
        .short_reads(link(from, to), Probability::ALWAYS);
}

/// A datagram of four bytes, 32 with its headers, takes 5 ms.
fn slow(sim: &Sim, from: Node, to: Node) {
    set(sim, from, to, |link| {
        link.bandwidth = Some(Bandwidth {
            bytes_per_second: 6_400,
            queue_bytes: 1_500,
            drop: QueueDrop::Tail,
        });
    });
}

/// A full segment takes 15 ms, and three have room in the queue.
fn narrow(sim: &Sim, from: Node, to: Node) {
    set(sim, from, to, |link| {
        link.bandwidth = Some(Bandwidth {
            bytes_per_second: 100_000,
            queue_bytes: 4_500,
            drop: QueueDrop::Tail,
        });
    });
}

fn clog(sim: &Sim, from: Node, to: Node) {
    sim.network().clog(link(from, to));
}

fn hold(sim: &Sim, from: Node, to: Node) {
    sim.network().hold(link(from, to));
}

#[test]
fn each_family_counts_what_it_offers_does_and_changes() {
    let cases: &[(Family, Begin, Traffic, Peer, [u64; 3])] = &[
        (Family::Partition, cut, Datagrams, Reads, [10, 10, 10]),
        (Family::Partition, cut, Datagrams, Dead, [10, 10, 0]),
        (Family::Partition, cut, Bytes, Reads, [1, 1, 1]),
        (Family::Partition, cut, Bytes, Dead, [1, 1, 0]),
        (Family::Partition, cut, Connect, Reads, [1, 1, 1]),
        (Family::Partition, cut, Connect, Dead, [1, 1, 0]),
        (Family::Loss, loss, Datagrams, Reads, [10, 10, 10]),
        (Family::Loss, loss, Datagrams, Dead, [10, 10, 0]),
        (Family::Loss, loss, Bytes, Reads, [1, 1, 1]),
        (Family::Loss, loss, Bytes, Dead, [1, 1, 0]),
        (Family::Loss, loss, Connect, Reads, [1, 1, 1]),
        (Family::Loss, loss, Connect, Dead, [1, 1, 0]),
        (Family::Gray, gray, Datagrams, Reads, [10, 10, 10]),
        (Family::Gray, gray, Datagrams, Dead, [10, 10, 0]),
        (Family::Gray, gray, Bytes, Reads, [1, 1, 1]),
        (Family::Gray, gray, Bytes, Dead, [1, 1, 0]),
        (Family::Filter, filter, Datagrams, Reads, [10, 10, 10]),
        (Family::Filter, filter, Datagrams, Dead, [10, 10, 0]),
        (Family::Filter, filter, Bytes, Reads, [1, 1, 1]),
        (Family::Filter, filter, Bytes, Dead, [1, 1, 0]),
        (Family::Filter, filter, Connect, Reads, [1, 1, 1]),
        (Family::Filter, filter, Connect, Dead, [1, 1, 0]),
        // What is flipped in a stream is lost to its checksum.
        (Family::Corrupt, corrupt, Datagrams, Reads, [10, 10, 10]),
        (Family::Corrupt, corrupt, Datagrams, Deaf, [10, 10, 0]),
        (Family::Corrupt, corrupt, Datagrams, Dead, [10, 10, 0]),
        (Family::Corrupt, corrupt, Bytes, Reads, [1, 1, 1]),
        (Family::Corrupt, corrupt, Bytes, Dead, [1, 1, 0]),
        (Family::Duplicate, duplicate, Datagrams, Reads, [10, 10, 10]),
        (Family::Duplicate, duplicate, Datagrams, Deaf, [10, 10, 0]),
        (Family::Duplicate, duplicate, Bytes, Reads, [0, 0, 0]),
        (Family::Reorder, reorder, Datagrams, Reads, [10, 10, 10]),
        (Family::Reorder, reorder, Datagrams, Deaf, [10, 10, 0]),
        (Family::Reorder, reorder, Datagrams, Dies, [10, 10, 0]),
        (Family::Reorder, reorder, Bytes, Reads, [0, 0, 0]),
        (Family::Replay, replay, Datagrams, Reads, [10, 10, 10]),
        (Family::Replay, replay, Datagrams, Deaf, [10, 10, 0]),
        (Family::Replay, replay, Datagrams, Dies, [10, 10, 0]),
        (Family::Replay, replay, Bytes, Reads, [0, 0, 0]),
        (Family::Delay, delay, Datagrams, Reads, [10, 10, 10]),
        (Family::Delay, delay, Datagrams, Deaf, [10, 10, 0]),
        (Family::Delay, delay, Datagrams, Dies, [10, 10, 0]),
        (Family::Delay, delay, Bytes, Reads, [1, 1, 1]),
        (Family::Delay, delay, Bytes, Dies, [1, 1, 0]),
        // The asking, and the confirmation of the answer; the end right behind that is no later.
        (Family::Delay, delay, Connect, Reads, [3, 3, 2]),
        (Family::Delay, delay, Connect, Dies, [1, 1, 0]),
        (Family::Refuse, refuse, Connect, Reads, [1, 1, 1]),
        (Family::Refuse, refuse, Connect, Dead, [0, 0, 0]),
        (Family::Refuse, refuse, Bytes, Reads, [0, 0, 0]),
        (Family::SlowAccept, slow_accept, Connect, Reads, [1, 1, 1]),
        (Family::SlowAccept, slow_accept, Connect, Deaf, [1, 1, 0]),
        (Family::SlowAccept, slow_accept, Connect, Dies, [1, 1, 0]),
        (Family::SlowAccept, slow_accept, Bytes, Reads, [0, 0, 0]),
        (
            Family::StreamCorrupt,
            corrupt_streams,
            Bytes,
            Reads,
            [1, 1, 1],
        ),
        (
            Family::StreamCorrupt,
            corrupt_streams,
            Segments,
            Deaf,
            [3, 3, 0],
        ),
        (
            Family::StreamCorrupt,
            corrupt_streams,
            Bytes,
            Dead,
            [0, 0, 0],
        ),
        (
            Family::StreamCorrupt,
            corrupt_streams,
            Datagrams,
            Reads,
            [0, 0, 0],
        ),
        (
            Family::StreamShortWrite,
            short_writes,
            Datagrams,
            Reads,
            [0, 0, 0],
        ),
        (
            Family::StreamShortRead,
            short_reads,
            Datagrams,
            Reads,
            [0, 0, 0],
        ),
        (Family::StreamShortRead, short_reads, Bytes, Deaf, [0, 0, 0]),
        // The first does not wait; three are there before the end, and two of them waited.
        (Family::Bandwidth, slow, Datagrams, Reads, [10, 9, 9]),
        (Family::Bandwidth, slow, Datagrams, Deaf, [10, 9, 0]),
        (Family::Bandwidth, slow, Datagrams, Dies, [10, 9, 2]),
        (Family::Bandwidth, narrow, Segments, Reads, [3, 2, 2]),
        (Family::Bandwidth, narrow, Segments, Dies, [3, 2, 0]),
        (Family::Clog, clog, Datagrams, Reads, [10, 10, 10]),
        (Family::Clog, clog, Datagrams, Deaf, [10, 10, 0]),
        (Family::Clog, clog, Datagrams, Dies, [10, 10, 0]),
        (Family::Clog, clog, Bytes, Reads, [1, 1, 1]),
        (Family::Clog, clog, Bytes, Dies, [1, 1, 0]),
        (Family::Clog, clog, Connect, Reads, [1, 1, 1]),
        (Family::Clog, clog, Connect, Dies, [1, 1, 0]),
        (Family::Hold, hold, Datagrams, Reads, [10, 10, 10]),
        (Family::Hold, hold, Datagrams, Dead, [10, 10, 0]),
        (Family::Hold, hold, Bytes, Reads, [1, 1, 1]),
        (Family::Hold, hold, Bytes, Dies, [1, 1, 0]),
    ];
    let mut wrong = Vec::new();
    for (family, begin, traffic, fate, expected) in cases {
        let (counters, _) = run(*begin, *traffic, *fate, constant());
        let found = count(&counters, *family);
        if found != *expected {
            wrong.push(format!(
                "{family} of {traffic:?}, {fate:?}: {found:?}, and not {expected:?}"
            ));
        }
        let others = counters.iter().filter(|(other, _)| other != family);
        let others: Vec<_> = others.filter(|(_, counter)| counter.fired > 0).collect();
        let crash = usize::from(matches!(fate, Dies | Dead));
        assert_eq!(others.len(), crash, "{family} alone is on: {others:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_family_that_never_acts_is_not_there() {
    let no_faults: &[(Family, Begin)] = &[
        (Family::Partition, |sim, _, _| {
            sim.network().cut_links(Links::one_way(&[], &[]));
        }),
        (Family::Loss, |sim, from, to| {
            set(sim, from, to, |link| link.loss = Probability::new(0, 9));
        }),
        (Family::Gray, |sim, from, to| {
            sim.network().gray(link(from, to), Probability::new(0, 9));
        }),
        (Family::Filter, |sim, from, to| {
            let never = Probability::new(0, 9);
            sim.network()
                .filter(link(from, to), PacketFilter::default(), never);
        }),
        (Family::Corrupt, |sim, from, to| {
            set(sim, from, to, |link| link.corrupt = Probability::new(0, 9));
        }),
        (Family::Duplicate, |sim, from, to| {
            set(sim, from, to, |link| {
                link.duplicate = Probability::new(0, 9);
            });
        }),
        (Family::Reorder, |sim, from, to| {
            set(sim, from, to, |link| {
                link.reorder = Probability::new(0, 9);
                link.reorder_delay = Distribution::Constant(50 * MS);
            });
        }),
        (Family::Replay, |sim, from, to| {
            let after = Distribution::Constant(50 * MS);
            let never = Probability::new(0, 9);
            sim.network().replay(link(from, to), never, after);
        }),
        (Family::Refuse, |sim, from, to| {
            sim.network().refuse(link(from, to), Probability::new(0, 9));
        }),
        (Family::SlowAccept, |sim, from, to| {
            let by = Distribution::Constant(Duration::ZERO);
            sim.network().slow_accept(link(from, to), by);
        }),
        (Family::StreamCorrupt, |sim, from, to| {
            let never = Probability::new(0, 9);
            sim.network().corrupt_streams(link(from, to), never);
        }),
        (Family::StreamShortWrite, |sim, from, to| {
            let never = Probability::new(0, 9);
            sim.network().short_writes(link(from, to), never);
        }),
        (Family::StreamShortRead, |sim, from, to| {
            let never = Probability::new(0, 9);
            sim.network().short_reads(link(from, to), never);
        }),
        (Family::Delay, |sim, from, to| {
            let by = Distribution::Constant(Duration::ZERO);
            sim.network().delay(link(from, to), by);
        }),
        (Family::Bandwidth, |sim, from, to| {
            set(sim, from, to, |link| link.bandwidth = None);
        }),
        (Family::Clog, |sim, _, _| {
            sim.network().clog(Links::one_way(&[], &[]));
        }),
        (Family::Hold, |sim, _, _| {
            sim.network().hold(Links::one_way(&[], &[]));
        }),
    ];
    for traffic in [Datagrams, Bytes, Segments, Connect] {
        let (_, plain) = run(|_, _, _| {}, traffic, Reads, constant());
        for (family, begin) in no_faults.iter().copied() {
            let (counters, digest) = run(begin, traffic, Reads, constant());
            assert_eq!(count(&counters, family), [0, 0, 0], "{family}, {traffic:?}");
            assert_eq!(digest, plain, "{family}, {traffic:?}");
        }
        let (_, other) = run(delay, traffic, Reads, constant());
        assert_ne!(
            other, plain,
            "{traffic:?}: the comparison sees a difference"
        );
    }
}

/// The same with latencies that are drawn: no draw is shifted.
#[test]
fn a_family_that_never_acts_shifts_no_draw() {
    let begin: Begin = |sim, from, to| {
        let never = Probability::new(0, 9);
        let link = LinkConfig {
            loss: never,
            corrupt: never,
            duplicate: never,
            reorder: never,
            reorder_delay: Distribution::Constant(50 * MS),
            ..LinkConfig::default()
        };
        sim.network().set_link(from, to, link);
        sim.network().gray(Links::one_way(&[from], &[to]), never);
    };
    let jittery = LinkConfig::default().latency;
    for traffic in [Datagrams, Bytes, Segments, Connect] {
        let plain = run(|_, _, _| {}, traffic, Reads, jittery.clone());
        let never = run(begin, traffic, Reads, jittery.clone());
        assert_eq!(never.1, plain.1, "{traffic:?}");
        assert_eq!(never.0.iter().count(), 0, "{traffic:?}");
    }
}

/// What a program meets whose connection is reset from outside, at the ends that are named.
#[test]
fn a_reset_matters_to_who_holds_the_end() {
    let counts = |act: fn(&Sim, Node, Node, &mut Option<TcpStream>)| {
        let outcome = Builder::new().run(move |sim| async move {
            let here = sim.find("test").expect("it is there from the beginning");
            let peer = sim.node("peer").run(|_| serve(true));
            sleep(10 * MS).await;
            let mut stream = Some(TcpStream::connect("peer:7").await?);
            sleep(10 * MS).await;
            act(&sim, here, peer, &mut stream);
            sleep(10 * MS).await;
            io::Result::Ok(())
        });
        count(&gives(outcome).0, Family::Reset)
    };
    let both = counts(|sim, here, peer, _| sim.network().reset(here, peer));
    assert_eq!(both, [2, 2, 2]);
    let one = counts(|sim, here, peer, _| sim.network().reset_at(here, peer));
    assert_eq!(one, [1, 1, 1]);
    let nobody = counts(|sim, here, peer, stream| {
        // Its program let it go, and nobody will be told.
        *stream = None;
        sim.network().reset_at(here, peer);
    });
    assert_eq!(nobody, [1, 1, 0]);
    assert_eq!(counts(|_, _, _, _| {}), [0, 0, 0]);
}

/// A link keeps three packets of the same bytes: one of them brought them late.
#[test]
fn copies_of_what_is_kept_are_kept_and_change_nothing() {
    let outcome = Builder::new().run(|sim| async move {
        let here = sim.find("test").expect("it is there from the beginning");
        let peer = sim.node("peer").run(|_| serve(true));
        sleep(10 * MS).await;
        let mut stream = TcpStream::connect("peer:7").await?;
        sleep(10 * MS).await;
        let clog = sim.network().clog(link(here, peer));
        stream.write_all(b"once").await?;
        sleep(Duration::from_secs(1)).await;
        clog.end();
        sleep(10 * MS).await;
        io::Result::Ok(())
    });
    let (counters, _) = gives(outcome);
    assert_eq!(count(&counters, Family::Clog), [3, 3, 1]);
}

/// Word of what arrived is kept on its way back: it matters to a program that waits for room.
#[test]
fn kept_words_of_what_arrived_matter_to_who_waits_for_room() {
    let counts = |bytes: usize, lasts: Duration| {
        let config = Config {
            link: LinkConfig {
                latency: constant(),
                ..LinkConfig::default()
            },
            ..Config::default()
        };
        let outcome = Builder::new().config(config).run(move |sim| async move {
            let here = sim.find("test").expect("it is there from the beginning");
            let peer = sim.node("peer").run(|_| serve(true));
            sleep(10 * MS).await;
            let mut stream = TcpStream::connect("peer:7").await?;
            sleep(10 * MS).await;
            let hold = sim.network().hold(link(peer, here));
            let end = async {
                sleep(lasts).await;
                hold.end();
                io::Result::Ok(())
            };
            let data = vec![7; bytes];
            stormglass::try_join!(stream.write_all(&data), end)?;
            sleep(10 * MS).await;
            io::Result::Ok(())
        });
        count(&gives(outcome).0, Family::Hold)
    };
    assert_eq!(counts(4, 100 * MS), [1, 1, 0]);
    let [offered, fired, effective] = counts(4 << 20, 100 * MS);
    assert_eq!((offered, effective), (fired, 1));
    assert_eq!(counts(4, Duration::ZERO), [0, 0, 0]);
}
