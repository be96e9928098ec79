//! Faults of the network as a test begins and ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::Duration;

use stormglass::kernel::{Distribution, Family, Kind, Probability, Ring, SimTime};
use stormglass::net::{LinkConfig, TcpListener, TcpStream, UdpSocket};
use stormglass::sim::{Builder, Config, Group, Links, Node, PacketFilter, PacketKind, Sim};
use stormglass::time::{Instant, sleep};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MS: Duration = Duration::from_millis(1);

fn five(sim: &Sim) -> Group {
    sim.group("db", 5..=5).run(|_| pending::<()>())
}

/// The numbers of the nodes to which a node's packets pass.
fn reach(sim: &Sim, nodes: &[Node]) -> Vec<Vec<usize>> {
    let from = |from: &Node| {
        let to = (0..nodes.len())
            .filter(|to| nodes[*to] != *from && !sim.network().is_cut(*from, nodes[*to]));
        to.collect()
    };
    nodes.iter().map(from).collect()
}

#[test]
fn shapes_cut_what_they_say() {
    let outcome = Builder::new().run(|sim| async move {
        let nodes = five(&sim);
        let network = sim.network();
        let whole = reach(&sim, &nodes);
        let partition = network.partition(&[&nodes[..2], &nodes[2..]]);
        let halves = [vec![1], vec![0], vec![3, 4], vec![2, 4], vec![2, 3]];
        assert_eq!(reach(&sim, &nodes), halves);
        partition.end();
        partition.end();
        let bridge = network.bridge(&nodes, nodes[2]).scoped();
        let bridged = [
            vec![1, 2],
            vec![0, 2],
            vec![0, 1, 3, 4],
            vec![2, 4],
            vec![2, 3],
        ];
        assert_eq!(reach(&sim, &nodes), bridged);
        drop(bridge);
        let ring = network.ring(&nodes);
        let ringed = [vec![1, 4], vec![0, 2], vec![1, 3], vec![2, 4], vec![0, 3]];
        assert_eq!(reach(&sim, &nodes), ringed);
        ring.end();
        let deaf = network.cut_links(Links::into(nodes[0]));
        assert!(network.is_cut(sim.find("test").unwrap(), nodes[0]));
        assert_eq!(reach(&sim, &nodes)[0], [1, 2, 3, 4]);
        assert_eq!(reach(&sim, &nodes)[1], [2, 3, 4]);
        let mute = network.cut_links(Links::out_of(nodes[1]).and(Links::out_of(nodes[0])));
        assert_eq!(reach(&sim, &nodes)[1], [0; 0]);
        deaf.end();
        mute.end();
        network.isolate(nodes[3]);
        network.cut(nodes[0], nodes[1]);
        network.heal(nodes[0], nodes[1]);
        assert_eq!(reach(&sim, &nodes)[0], [1, 2, 4]);
        network.heal_all();
        assert_eq!(reach(&sim, &nodes), whole);
    });
    outcome.unwrap();
}

#[test]
fn faults_that_overlap_end_each_by_itself() {
    let outcome = Builder::new().run(|sim| async move {
        let nodes = five(&sim);
        let isolated = sim.network().isolate(nodes[0]);
        let partition = sim
            .network()
            .partition(&[&nodes[..1], &nodes[1..]])
            .scoped();
        isolated.end();
        assert!(
            sim.network().is_cut(nodes[0], nodes[1]),
            "the partition holds"
        );
        drop(partition);
        assert!(!sim.network().is_cut(nodes[0], nodes[1]));
    });
    outcome.unwrap();
}

#[test]
#[should_panic(expected = "is in two groups of the partition")]
fn a_node_is_on_one_side() {
    let outcome = Builder::new().run(|sim| async move {
        let nodes = five(&sim);
        sim.network().partition(&[&nodes[..3], &nodes[2..]]);
    });
    outcome.unwrap();
}

#[test]
#[should_panic(expected = "give `down` or `up` a minimum above zero")]
fn a_flap_takes_time() {
    let outcome = Builder::new().run(|sim| async move {
        let nodes = five(&sim);
        let zero = Distribution::Constant(Duration::ZERO);
        sim.network().flap(Links::of(nodes[0]), zero.clone(), zero);
    });
    outcome.unwrap();
}

/// Sends a datagram each millisecond to an echo for a while; the numbers that came back, in order.
async fn echoes(sim: &Sim, count: u8, disturb: impl AsyncFnOnce(Node)) -> Vec<u8> {
    let node = sim.node("echo").run(|_| async {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        let mut buffer = [0; 8];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], from).await?;
        }
        #[expect(unreachable_code, reason = "tells the type of the error")]
        std::io::Result::Ok(())
    });
    sleep(MS).await;
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let send = async {
        for n in 0..count {
            socket.send_to(&[n], "echo:7").await.unwrap();
            sleep(MS).await;
        }
        sleep(Duration::from_secs(1)).await;
    };
    stormglass::join!(send, disturb(node));
    let mut seen = Vec::new();
    let mut buffer = [0; 8];
    while socket.try_recv(&mut buffer).is_ok() {
        seen.push(buffer[0]);
    }
    seen
}

fn all_in_order(seen: &[u8], count: u8) -> bool {
    seen.iter().copied().eq(0..count)
}

fn constant() -> Config {
    Config {
        link: LinkConfig {
            latency: Distribution::Constant(MS),
            ..LinkConfig::default()
        },
        ..Config::default()
    }
}

#[test]
fn a_flapping_link_passes_by_turns() {
    let outcome = Builder::new().config(constant()).run(|sim| async move {
        let seen = echoes(&sim, 100, async |node| {
            let ten = Distribution::Constant(10 * MS);
            let _flap = sim
                .network()
                .flap(Links::of(node), ten.clone(), ten)
                .scoped();
            sleep(Duration::from_secs(1)).await;
        })
        .await;
        assert!((20..80).contains(&seen.len()), "{seen:?}");
        let runs = seen.windows(2).filter(|pair| pair[1] != pair[0] + 1);
        assert!((3..=6).contains(&runs.count()), "{seen:?}");
    });
    outcome.unwrap();
}

#[test]
fn a_swizzle_clogs_and_loses_nothing() {
    let outcome = Builder::new().config(constant()).run(|sim| async move {
        let seen = echoes(&sim, 100, async |node| {
            sim.network().swizzle(&[node], 50 * MS).await;
        })
        .await;
        assert!(all_in_order(&seen, 100), "{seen:?}");
    });
    let counter = outcome.counters.get(Family::Clog);
    assert!(counter.effective > 5, "{counter:?}");
    outcome.unwrap();
}

/// The nodes whose links are held, or let go, in order: at each instant the one that all share.
fn whose_links(ring: &Ring, kind: Kind) -> Vec<u64> {
    let mut ends: BTreeMap<SimTime, BTreeSet<u64>> = BTreeMap::new();
    for record in ring.records().filter(|record| record.kind == kind) {
        let pair = BTreeSet::from([record.node.number().into(), record.subject]);
        ends.entry(record.at)
            .and_modify(|shared| *shared = &*shared & &pair)
            .or_insert(pair);
    }
    ends.into_values().flatten().collect()
}

#[test]
fn a_swizzle_clogs_half_and_lets_go_in_another_order() {
    let mut reordered = 0;
    for seed in 0..10 {
        let builder = Builder::new().seed(seed).config(constant());
        let outcome = builder.keep_last(1_000).run(|sim| async move {
            let nodes = five(&sim);
            sim.network().swizzle(&nodes, 50 * MS).await;
        });
        let ring = outcome.ring.as_ref().unwrap();
        let clogged = whose_links(ring, Kind::LinkHeld);
        let freed = whose_links(ring, Kind::LinkReleased);
        assert_eq!(clogged.len(), 3, "half of five: {clogged:?}");
        let set = |nodes: &[u64]| nodes.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(set(&clogged), set(&freed));
        assert_eq!(set(&clogged).len(), 3);
        reordered += u32::from(clogged != freed);
        outcome.unwrap();
    }
    assert!(reordered > 4, "{reordered} of 10 in another order");
}

#[test]
fn held_packets_are_the_tests_to_decide() {
    let outcome = Builder::new().run(|sim| async move {
        let server = sim.node("server").run(|_| async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let (mut stream, _) = listener.accept().await?;
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await?;
            assert_eq!(text, b"hello world");
            std::io::Result::Ok(())
        });
        sleep(MS).await;
        let mut stream = TcpStream::connect("server:80").await?;
        stream.set_nodelay(true)?;
        let network = sim.network();
        let hold = network.hold(Links::one_way(&[sim.find("test").unwrap()], &[server]));
        stream.write_all(b"hello ").await?;
        stream.write_all(b"world").await?;
        sleep(20 * MS).await;
        let mut held = network.in_flight();
        held.retain(|packet| packet.kind == PacketKind::Data);
        assert_eq!(held.len(), 2);
        assert_eq!(
            (held[0].kind, &held[0].payload[..]),
            (PacketKind::Data, &b"hello "[..])
        );
        assert_eq!(
            (held[1].from, held[1].to),
            (sim.find("test").unwrap(), server)
        );
        assert!(network.deliver(&held[0]));
        assert!(network.discard(&held[1]));
        assert!(!network.discard(&held[1]), "it is gone");
        hold.end();
        drop(stream);
        sleep(Duration::from_secs(2)).await;
        std::io::Result::Ok(server.is_alive())
    });
    assert!(
        !outcome.unwrap().unwrap(),
        "the server got everything and ended"
    );
}

#[test]
fn faults_of_connections_last_as_long_as_their_guards() {
    let outcome = Builder::new().config(constant()).run(|sim| async move {
        let server = sim.node("server").run(|_| async {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                stream.write_all(b"hello").await?;
            }
            #[expect(unreachable_code, reason = "tells the type of the error")]
            std::io::Result::Ok(())
        });
        sleep(MS).await;
        let ask = async || {
            let begin = Instant::now();
            let mut stream = TcpStream::connect("server:80").await?;
            let mut text = [0; 5];
            stream.read_exact(&mut text).await?;
            assert_eq!(&text, b"hello");
            std::io::Result::Ok(begin.elapsed().as_millis())
        };
        let network = sim.network();
        let plain = ask().await?;
        assert_eq!(plain, 4, "two round trips");
        {
            let _refused = network
                .refuse(Links::into(server), Probability::ALWAYS)
                .scoped();
            let error = ask().await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        assert_eq!(ask().await?, plain);
        {
            let by = Distribution::Constant(Duration::from_secs(2));
            let _slow = network.slow_accept(Links::into(server), by).scoped();
            assert_eq!(ask().await?, plain + 2_000);
        }
        assert_eq!(ask().await?, plain);
        let syn = PacketFilter::kind(PacketKind::Syn);
        let filter = network.filter(Links::into(server), syn, Probability::ALWAYS);
        let end = async {
            sleep(MS * 10).await;
            filter.end();
            std::io::Result::Ok(0)
        };
        let (took, _) = stormglass::try_join!(ask(), end)?;
        assert_eq!(took, plain + 1_000, "it asks again after a second");
        std::io::Result::Ok(())
    });
    outcome.unwrap().unwrap();
}

#[test]
fn zones_nodes_and_links_have_settings() {
    let outcome = Builder::new().config(constant()).run(|sim| async move {
        let echo = |name: &str, zone: &str| {
            sim.node(name).label("zone", zone).run(|_| async {
                let socket = UdpSocket::bind("0.0.0.0:7").await?;
                let mut buffer = [0; 8];
                loop {
                    let (_, from) = socket.recv_from(&mut buffer).await?;
                    socket.send_to(b"", from).await?;
                }
                #[expect(unreachable_code, reason = "tells the type of the error")]
                std::io::Result::Ok(())
            })
        };
        let (near, far) = (echo("near", "eu"), echo("far", "us"));
        let client = sim.node("client").label("zone", "eu").run(|_| async {
            let socket = UdpSocket::bind("0.0.0.0:9").await?;
            let mut times = Vec::new();
            for round in 0..3 {
                for host in ["near:7", "far:7"] {
                    let begin = Instant::now();
                    socket.send_to(b"", host).await?;
                    socket.recv_from(&mut [0; 8]).await?;
                    times.push(begin.elapsed().as_millis());
                }
                sleep(Duration::from_secs(round + 1) - MS * 500).await;
            }
            assert_eq!(times, [2, 90, 14, 97, 2, 90]);
            std::io::Result::Ok(())
        });
        let latency = |ms| LinkConfig {
            latency: Distribution::Constant(MS * ms),
            ..LinkConfig::default()
        };
        for (from, to) in [("eu", "us"), ("us", "eu")] {
            sim.network().set_zone_links("zone", from, to, latency(45));
        }
        sleep(300 * MS).await;
        sim.network().set_node_links(near, latency(7));
        sim.network().set_link(client, far, latency(52));
        sleep(700 * MS).await;
        sim.network().set_node_links(near, None);
        sim.network().set_link(client, far, None);
        sleep(5000 * MS).await;
        assert!(!client.is_alive());
    });
    outcome.unwrap();
}

#[test]
fn faults_of_no_probability_leave_the_digest_as_it_was() {
    let run = |link: LinkConfig| {
        let config = Config {
            link,
            ..Config::default()
        };
        let outcome = Builder::new().config(config).run(|sim| async move {
            let seen = echoes(&sim, 50, async |_| {}).await;
            seen.len()
        });
        outcome.digest.clone()
    };
    let plain = run(LinkConfig::default());
    let never = Probability::new(0, 1_000);
    assert_eq!(
        run(LinkConfig {
            loss: never,
            duplicate: never,
            reorder: never,
            corrupt: never,
            reorder_delay: Distribution::Constant(MS),
            base_latency: Distribution::Constant(Duration::ZERO),
            ..LinkConfig::default()
        }),
        plain
    );
    let lossy = LinkConfig {
        loss: Probability::percent(20),
        ..LinkConfig::default()
    };
    let mut digests = BTreeSet::from([plain.to_string()]);
    digests.insert(run(lossy).to_string());
    assert_eq!(digests.len(), 2, "the comparison sees a difference");
}
