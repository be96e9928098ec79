//! Fault plans: every kind does what it says and ends when it should, and one that is taken out
//! leaves what it did not cause as it was.

use std::time::Duration;

use proptest::prelude::*;
use stormglass::fault::{
    Aim, FaultId, FaultKind, FaultPlan, LinkChange, NamesChange, PacketFilter, PacketKind, Shift,
    Target,
};
use stormglass::fs::{self, DiskFaults, DiskLatency, DiskScope};
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::kernel::{Distribution, FaultCounters, Kind, NodeId, Probability, Record, SimTime};
use stormglass::net::{Bandwidth, QueueDrop, TcpListener, TcpStream, UdpSocket, lookup_host};
use stormglass::sim::{Builder, Outcome, State};
use stormglass::time::{sleep, wall_clock};
use stormglass::{Config, Policy};

const MS: Duration = Duration::from_millis(1);

/// A server that answers datagrams and streams, writes to its disk, reads its clock and looks up
/// names.
async fn busy(name: String) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:1").await?;
    let listener = TcpListener::bind("0.0.0.0:1").await?;
    stormglass::task::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await?;
            stormglass::task::spawn(async move {
                let mut bytes = [0; 100];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    if stream.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
            });
        }
        #[allow(unreachable_code)]
        std::io::Result::Ok(())
    });
    stormglass::task::spawn(async move {
        for number in 0_u64.. {
            let _ = wall_clock();
            let file = format!("/{name}-{}", number % 100);
            // Whatever fails here is the disk's or the server's of names: the next may not.
            let _ = fs::write(&file, [7; 6_000]).await;
            if let Ok(file) = fs::File::open(&file).await {
                let _ = file.sync_all().await;
            }
            let _ = fs::read(&file).await;
            let _ = lookup_host("a:1").await.map(Iterator::count);
            stormglass::crash_point!("round");
            if stormglass::buggify!("a longer pause") {
                sleep(MS).await;
            }
            sleep(3 * MS).await;
        }
    });
    let mut bytes = [0; 100];
    loop {
        let (count, from) = socket.recv_from(&mut bytes).await?;
        let _ = socket.send_to(&bytes[..count], from).await;
    }
}

/// Sends to the others, by datagram and by stream, for ever.
async fn talk(to: &'static str) {
    stormglass::task::spawn(async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let mut bytes = [0; 100];
        loop {
            let _ = socket.send_to(b"datagram", (to, 1)).await;
            let reading = socket.recv_from(&mut bytes);
            let _ = stormglass::time::timeout(5 * MS, reading).await;
            sleep(MS).await;
        }
    });
    loop {
        if let Ok(mut stream) = TcpStream::connect((to, 1)).await {
            let mut bytes = [0; 100];
            // Now and then anew: a connection that is made has its own adventures.
            for _ in 0..10 {
                if stream.write_all(b"stream").await.is_err() {
                    break;
                }
                let Ok(1..) = stream.read(&mut bytes).await else {
                    break;
                };
                sleep(MS).await;
            }
        }
        sleep(MS).await;
    }
}

/// Runs two busy servers and their clients under a plan, until it is over and 100 ms longer.
fn under(plan: FaultPlan) -> Outcome<Vec<u32>> {
    let config = Config {
        on_panic: stormglass::OnPanic::KillNode,
        ..Config::default()
    };
    Builder::new().config(config).run(move |sim| async move {
        let servers = ["a", "b"].map(|name| sim.node(name).run(move |_| busy(name.to_owned())));
        for (name, to) in [("c", "a"), ("d", "b")] {
            sim.node(name).run(move |_| talk(to));
        }
        let storm = sim.apply(&plan);
        storm.over().await;
        assert!(storm.is_over());
        assert_eq!(storm.stale(), []);
        for server in servers {
            assert_eq!(server.state(), State::Running);
        }
        sleep(100 * MS).await;
        servers.map(|server| server.incarnation()).to_vec()
    })
}

fn one(fault: FaultKind, target: Target) -> FaultPlan {
    let mut plan = FaultPlan::new();
    let instant = fault.is_instant();
    let planned = plan.add(50 * MS, fault, target);
    planned.duration = (!instant).then_some(200 * MS);
    plan
}

fn nodes() -> Target {
    Target::Nodes(vec!["a".to_owned(), "b".to_owned()])
}

fn links() -> Target {
    Target::Groups(vec![vec!["a".to_owned()], vec!["*".to_owned()]])
}

/// One of each kind; a new kind belongs here.
fn every_kind() -> Vec<(FaultKind, Target)> {
    let half = Probability::percent(50);
    let delay = Distribution::Constant(5 * MS);
    let disk = |faults| FaultKind::Disk {
        scope: DiskScope::default(),
        faults,
    };
    let none = DiskFaults::NONE;
    let link = |change| (FaultKind::Link(change), links());
    let same = LinkChange::default();
    let lookup = |change| (FaultKind::Lookup(change), Target::node("*"));
    let as_before = NamesChange::default();
    let bandwidth = Bandwidth {
        bytes_per_second: 20_000,
        queue_bytes: 2_000,
        drop: QueueDrop::Tail,
    };
    let slow = DiskLatency {
        read: Distribution::Constant(MS),
        ..DiskLatency::default()
    };
    vec![
        (FaultKind::Crash, nodes()),
        (FaultKind::Kill, nodes()),
        (FaultKind::Stop { patience: 5 * MS }, nodes()),
        (FaultKind::Pause, nodes()),
        (FaultKind::Suspend, nodes()),
        (
            FaultKind::CrashAt {
                point: "round".to_owned(),
                pass: 3,
            },
            nodes(),
        ),
        (FaultKind::Wipe, nodes()),
        (FaultKind::Rollback, nodes()),
        (
            FaultKind::ClockStep {
                by: Shift::Back(5 * MS),
            },
            nodes(),
        ),
        (
            FaultKind::ClockSlew {
                by: Shift::Forward(5 * MS),
            },
            nodes(),
        ),
        (FaultKind::ClockDrift { ppm: 100_000 }, nodes()),
        (FaultKind::Cut, links()),
        (FaultKind::Cut, Target::link("a", "c")),
        (
            FaultKind::Flap {
                down: delay.clone(),
                up: delay.clone(),
            },
            links(),
        ),
        (FaultKind::Gray { loss: half }, links()),
        (FaultKind::Delay { by: delay.clone() }, links()),
        (FaultKind::Clog, links()),
        (
            FaultKind::Replay {
                chance: half,
                after: delay.clone(),
            },
            links(),
        ),
        (
            FaultKind::Filter {
                what: PacketFilter::kind(PacketKind::Datagram),
                chance: half,
            },
            links(),
        ),
        (FaultKind::SlowAccept { by: delay.clone() }, links()),
        (FaultKind::Refuse { chance: half }, links()),
        (FaultKind::CorruptStreams { chance: half }, links()),
        (FaultKind::ShortWrites { chance: half }, links()),
        (FaultKind::ShortReads { chance: half }, links()),
        (FaultKind::Reset, links()),
        (FaultKind::ResetOneEnd, Target::link("a", "c")),
        link(LinkChange {
            loss: Some(half),
            ..same.clone()
        }),
        link(LinkChange {
            duplicate: Some(half),
            ..same.clone()
        }),
        link(LinkChange {
            reorder: Some(half),
            ..same.clone()
        }),
        link(LinkChange {
            corrupt: Some(half),
            ..same.clone()
        }),
        link(LinkChange {
            bandwidth: Some(bandwidth),
            ..same
        }),
        (FaultKind::LookupFail, Target::Names(vec!["a".to_owned()])),
        (FaultKind::LookupFail, nodes()),
        lookup(NamesChange {
            delay: Some(delay),
            ..as_before.clone()
        }),
        lookup(NamesChange {
            failure: Some(half),
            ..as_before
        }),
        (
            disk(DiskFaults {
                read_error: half,
                ..none
            }),
            nodes(),
        ),
        (
            disk(DiskFaults {
                write_error: half,
                ..none
            }),
            nodes(),
        ),
        (
            disk(DiskFaults {
                short_write: half,
                ..none
            }),
            nodes(),
        ),
        (
            disk(DiskFaults {
                sync_error: half,
                ..none
            }),
            nodes(),
        ),
        (
            disk(DiskFaults {
                latent_sector: half,
                ..none
            }),
            nodes(),
        ),
        (
            disk(DiskFaults {
                bit_rot: half,
                ..none
            }),
            nodes(),
        ),
        (
            disk(DiskFaults {
                metadata_error: half,
                ..none
            }),
            nodes(),
        ),
        (FaultKind::DiskFull { room_bytes: 0 }, nodes()),
        (FaultKind::DiskLatency(slow), nodes()),
        (
            FaultKind::Buggify {
                sites: Vec::new(),
                active: Probability::ALWAYS,
                fires: half,
            },
            nodes(),
        ),
    ]
}

#[test]
fn every_kind_bites_and_is_over_in_time() {
    let none = under(FaultPlan::new()).counters;
    for (fault, target) in every_kind() {
        let (what, families) = (format!("{fault} of {target}"), fault.families());
        assert!(!families.is_empty(), "{what}");
        let outcome = under(one(fault, target));
        assert_eq!(outcome.failed, None, "{what}");
        for family in families {
            let effective = |counters: &FaultCounters| counters.get(family).effective;
            assert!(
                effective(&outcome.counters) > 0,
                "{what}: {family} did nothing"
            );
            assert_eq!(effective(&none), 0, "{what}");
        }
    }
}

#[test]
fn what_takes_nodes_down_starts_them_again() {
    for (fault, target) in every_kind() {
        let expected = match &fault {
            FaultKind::Pause | FaultKind::Suspend => 1,
            down if down.takes_nodes_down() => 2,
            _ => 1,
        };
        let what = fault.to_string();
        let incarnations = under(one(fault, target)).unwrap();
        assert_eq!(incarnations, [expected, expected], "{what}");
    }
}

#[test]
fn a_plan_is_read_from_toml() {
    let text = r#"
        heal = "10s"

        [[faults]]
        id = 1
        at = "2s"
        duration = "3s"
        fault = "cut"
        target = { groups = [["db-1"], ["*"]] }

        [[faults]]
        id = 2
        at = "4s"
        fault = { clock_step = { by = "+90s" } }
        target = { nodes = ["db-2"] }
    "#;
    let plan: FaultPlan = toml::from_str(text).unwrap();
    let mut expected = FaultPlan::new();
    let cut = expected.add(2_000 * MS, FaultKind::Cut, Target::isolate("db-1"));
    cut.duration = Some(3_000 * MS);
    let by = Shift::Forward(90_000 * MS);
    expected.add(
        4_000 * MS,
        FaultKind::ClockStep { by },
        Target::node("db-2"),
    );
    expected.heal = Some(10_000 * MS);
    assert_eq!(plan, expected);
}

#[test]
fn healing_ends_what_is_on_and_what_would_come() {
    let mut plan = FaultPlan::new();
    plan.add(MS, FaultKind::Pause, Target::node("a"));
    plan.add(MS, FaultKind::Cut, Target::isolate("a"));
    plan.add(20 * MS, FaultKind::Crash, Target::node("a"));
    plan.heal = Some(50 * MS);
    let outcome = Builder::new().run(move |sim| async move {
        let node = sim.node("a").idle();
        let here = sim.find("test").unwrap();
        let storm = sim.apply(&plan);
        sleep(10 * MS).await;
        assert!(sim.network().is_cut(here, node) && !storm.is_over());
        storm.heal();
        assert!(!sim.network().is_cut(here, node) && storm.is_over());
        let ticks = node.spawn(async { sleep(MS).await });
        ticks.await.unwrap();
        sleep(100 * MS).await;
        assert_eq!(node.incarnation(), 1);
    });
    outcome.unwrap();
}

#[test]
fn a_node_that_two_faults_keep_down_rises_with_the_last() {
    let mut plan = FaultPlan::new();
    for (at, lasts) in [(1, 50), (10, 10), (40, 30)] {
        let crash = plan.add(at * MS, FaultKind::Crash, Target::node("a"));
        crash.duration = Some(lasts * MS);
    }
    plan.add(60 * MS, FaultKind::Pause, Target::node("a"))
        .duration = Some(50 * MS);
    let outcome = Builder::new().run(move |sim| async move {
        let node = sim.node("a").idle();
        let own = sim.node("b").idle();
        own.crash();
        let storm = sim.apply(&plan);
        sleep(69 * MS).await;
        assert_eq!(node.state(), State::Crashed);
        sleep(2 * MS).await;
        assert_eq!((node.state(), node.incarnation()), (State::Running, 2));
        assert!(!node.pause(), "it rose in the middle of a pause");
        storm.over().await;
        assert!(node.pause());
        assert_eq!(own.state(), State::Crashed, "the test took it down");
    });
    outcome.unwrap();
}

#[test]
fn a_fault_that_finds_nobody_is_told() {
    let mut plan = FaultPlan::new();
    plan.add(MS, FaultKind::Crash, Target::node("nobody"));
    plan.add(MS, FaultKind::Crash, Target::node("role=leader"));
    plan.add(MS, FaultKind::Pause, Target::node("a")).duration = Some(MS);
    let outcome = Builder::new().run(move |sim| async move {
        sim.node("a").idle();
        let storm = sim.apply(&plan);
        sleep(10 * MS).await;
        storm.stale()
    });
    let stale = outcome.unwrap();
    assert_eq!(
        stale,
        [
            (FaultId(1), vec!["nobody".to_owned()]),
            (FaultId(2), vec![])
        ]
    );
}

/// Six servers, each with a client of its own, and two clients that talk to the server of another.
async fn pairs(sim: stormglass::Sim, plan: FaultPlan) {
    const SERVERS: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];
    for (number, name) in SERVERS.into_iter().enumerate() {
        sim.node(name).run(move |_| busy(name.to_owned()));
        sim.node(format!("c{number}")).run(move |_| talk(name));
    }
    sim.node("x").run(|_| talk("s1"));
    sim.apply(&plan);
    sleep(200 * MS).await;
}

fn trace_of(plan: FaultPlan, seed: u64, policy: Policy) -> Vec<Record> {
    let config = Config {
        policy,
        on_panic: stormglass::OnPanic::KillNode,
        ..Config::default()
    };
    let builder = Builder::new()
        .config(config)
        .seed(seed)
        .keep_last(1_000_000);
    let outcome = builder.run(move |sim| pairs(sim, plan));
    assert_eq!(outcome.failed, None);
    outcome.ring.unwrap().records().copied().collect()
}

/// Whether a record tells what became of a link, which its ends notice by packets alone.
fn is_of_a_link(record: &Record) -> bool {
    let kinds = [
        Kind::LinkCut,
        Kind::LinkHealed,
        Kind::LinkHeld,
        Kind::LinkReleased,
        Kind::LinkWorsened,
        Kind::LinkRecovered,
    ];
    kinds.contains(&record.kind)
}

/// From when on each node may be other than without a fault that begins then at some nodes: it is
/// struck, or hears, in either run, of what one did that may be other.
fn parting(traces: [&[Record]; 2], struck: &[NodeId], begins: SimTime) -> Vec<SimTime> {
    let mut from = vec![SimTime::MAX; 20];
    struck.iter().for_each(|node| from[node.index()] = begins);
    loop {
        let before = from.clone();
        for trace in traces {
            for record in trace {
                let Some(cause) = trace.get(usize::try_from(record.cause.number()).unwrap()) else {
                    continue;
                };
                let heard = cause.node != record.node && !is_of_a_link(record);
                if heard && cause.at >= from[cause.node.index()] {
                    let mine = &mut from[record.node.index()];
                    *mine = (*mine).min(record.at);
                }
            }
        }
        if before == from {
            return from;
        }
    }
}

/// A fault that strikes one pair or some links of one server.
fn any_fault() -> impl Strategy<Value = (FaultKind, Target)> {
    let kinds = every_kind();
    (0..kinds.len(), 0..6_usize).prop_map(move |(kind, server)| {
        let (fault, _) = kinds[kind].clone();
        let server = format!("s{server}");
        let target = match fault.aim() {
            Aim::Links => Target::isolate(server),
            _ => Target::node(server),
        };
        (fault, target)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_fault_taken_out_leaves_alone_what_it_did_not_cause(
        faults in proptest::collection::vec((any_fault(), 0..150_u32, 1..80_u32), 1..6),
        removed in any::<proptest::sample::Index>(),
        seed in any::<u64>(),
        fifo in any::<bool>(),
    ) {
        let mut plan = FaultPlan::new();
        for ((fault, target), at, lasts) in faults {
            let instant = fault.is_instant();
            // A lookup is changed for all nodes at once: it is a cause for each.
            if matches!(fault, FaultKind::Lookup(_)) {
                continue;
            }
            plan.add(at * MS, fault, target).duration = (!instant).then_some(lasts * MS);
        }
        prop_assume!(!plan.faults.is_empty());
        let gone = removed.get(&plan.faults).clone();
        let policy = if fifo { Policy::Fifo } else { Policy::Random };
        let with = trace_of(plan.clone(), seed, policy);
        let without = trace_of(plan.without(&[gone.id]), seed, policy);
        let began = |record: &&Record| {
            record.kind == Kind::FaultBegan && record.subject == u64::from(gone.id.0)
        };
        let Some(began) = with.iter().find(began) else { return Ok(()) };
        // All that talk to a server share its links.
        let server = gone.target.patterns()[0][1..].parse::<u32>().unwrap();
        let mut struck = vec![1 + 2 * server, 2 + 2 * server];
        if server == 1 || gone.fault.aim() == Aim::Links {
            struck.push(13);
        }
        let struck: Vec<NodeId> = struck.into_iter().map(NodeId::new).collect();
        let from = parting([&with, &without], &struck, began.at);
        let alike = from.iter().filter(|at| **at == SimTime::MAX).count();
        prop_assert!(alike >= 8, "most nodes have nothing to do with it");
        for node in 1..14 {
            let id = NodeId::new(node);
            let own = |trace: &[Record]| -> Vec<(SimTime, Kind, u64)> {
                let mine = trace.iter().filter(|record| record.node == id && !is_of_a_link(record));
                let before = mine.take_while(|record| record.at < from[id.index()]);
                before.map(|record| (record.at, record.kind, record.value)).collect()
            };
            let (a, b) = (own(&with), own(&without));
            let parted = a.iter().zip(&b).find(|(a, b)| a != b);
            prop_assert_eq!(parted, None, "{:?} of {:?}", id, gone);
            prop_assert_eq!(a.len(), b.len(), "{:?} of {:?}", id, gone);
        }
    }
}
