//! Names as a program under test looks them up, and as a test bends them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use stormglass::Config;
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::kernel::{Distribution, Family, FaultCounter, Probability};
use stormglass::net::{
    DnsConfig, LinkConfig, TcpListener, TcpStream, ToSocketAddrs, UdpSocket, lookup_host,
};
use stormglass::sim::{Builder, Node, Outcome, Sim};
use stormglass::time::{Instant, sleep, timeout};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn run_with<Fut>(dns: DnsConfig, test: impl FnOnce(Sim) -> Fut + 'static) -> Outcome<()>
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    let config = Config {
        dns,
        link: LinkConfig {
            latency: Distribution::Constant(MS),
            ..LinkConfig::default()
        },
        ..Config::default()
    };
    let test = move |sim| {
        let test = test(sim);
        async move { test.await.unwrap() }
    };
    let outcome = Builder::new().config(config).run(test);
    assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
    outcome
}

fn run<Fut>(test: impl FnOnce(Sim) -> Fut + 'static) -> Outcome<()>
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    run_with(DnsConfig::default(), test)
}

fn slow(delay: Duration) -> DnsConfig {
    DnsConfig {
        delay: Distribution::Constant(delay),
        ..DnsConfig::default()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A node that says its name to whoever connects to port 7, at any of its addresses.
fn greeter(sim: &Sim, name: &str, addresses: &[&str]) -> Node {
    let mut node = sim.node(name);
    for address in addresses {
        node = node.address(ip(address));
    }
    node.run(|node| async move {
        let listener = TcpListener::bind("[::]:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(node.name().as_bytes()).await?;
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    })
}

async fn greeting(host: impl ToSocketAddrs) -> io::Result<(String, SocketAddr)> {
    let mut stream = TcpStream::connect(host).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok((text, stream.peer_addr()?))
}

fn count(outcome: &Outcome<()>, family: Family) -> [u64; 3] {
    let FaultCounter {
        offered,
        fired,
        effective,
        ..
    } = outcome.counters.get(family);
    [offered, fired, effective]
}

#[test]
fn every_call_that_takes_a_host_waits_for_its_name() {
    let outcome = run_with(slow(50 * MS), |sim| async move {
        greeter(&sim, "server", &["10.0.0.7"]);
        sleep(MS).await;
        let start = Instant::now();
        assert_eq!(lookup_host(("server", 7)).await?.count(), 1);
        assert_eq!(start.elapsed(), 50 * MS);
        let socket = UdpSocket::bind("test:9").await?;
        assert_eq!(start.elapsed(), 100 * MS);
        socket.connect("server:9").await?;
        assert_eq!(start.elapsed(), 150 * MS);
        socket.send_to(b"x", "server:9").await?;
        assert_eq!(start.elapsed(), 200 * MS);
        TcpListener::bind("test:80").await?;
        assert_eq!(start.elapsed(), 250 * MS);
        let stream = TcpStream::connect("server:7").await?;
        assert_eq!(start.elapsed(), 302 * MS);
        assert_eq!(stream.peer_addr()?, (ip("10.0.0.7"), 7).into());
        lookup_of("localhost:7").await?;
        lookup_of("10.0.0.7:7").await?;
        assert_eq!(start.elapsed(), 302 * MS);
        Ok(())
    });
    assert_eq!(count(&outcome, Family::DnsDelay), [6, 6, 6]);
}

#[test]
fn a_lookup_that_is_dropped_is_given_up() {
    let outcome = run_with(slow(S), |sim| async move {
        sim.node("server").idle();
        assert!(timeout(MS, lookup_host("server:7")).await.is_err());
        assert!(timeout(MS, TcpStream::connect("server:7")).await.is_err());
        let client = sim.node("client").idle();
        client.spawn(lookup_of("server:7"));
        sleep(MS).await;
        client.crash();
        sleep(2 * S).await;
        Ok(())
    });
    assert_eq!(count(&outcome, Family::DnsDelay), [3, 3, 0]);
}

async fn lookup_of(host: &'static str) -> io::Result<usize> {
    Ok(lookup_host(host).await?.count())
}

#[test]
fn the_next_address_is_tried_when_one_is_dead() {
    run(|sim| async move {
        let live = greeter(&sim, "live", &["10.0.0.1"]);
        let closed = sim.node("closed").address(ip("10.0.0.2")).idle();
        sleep(MS).await;
        sim.names().set("db", &[closed.address(), live.address()]);
        let start = Instant::now();
        assert_eq!(greeting("db:7").await?.0, "live");
        assert!(start.elapsed() < 10 * MS, "a refusal is quick");
        closed.crash();
        let start = Instant::now();
        assert_eq!(greeting("db:7").await?.0, "live");
        assert!(start.elapsed() > 120 * S, "silence is not");
        live.crash();
        sim.names().set("db", &[closed.address()]);
        closed.restart();
        sleep(MS).await;
        let error = greeting("db:7").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn a_node_has_addresses_of_both_families() {
    run(|sim| async move {
        greeter(&sim, "both", &["fd00::1", "10.0.0.1", "10.0.0.2"]);
        let client = sim.node("client").address(ip("fd00::9")).idle();
        sleep(MS).await;
        let greeted = client.spawn(async {
            let (_, by_name) = greeting("both:7").await?;
            let mut peers = vec![by_name.ip()];
            for address in lookup_host("both:7").await? {
                peers.push(greeting(address).await?.1.ip());
            }
            io::Result::Ok(peers)
        });
        let expected = ["fd00::1", "fd00::1", "10.0.0.1", "10.0.0.2"];
        assert_eq!(greeted.await.unwrap()?, expected.map(ip));
        // The test's own node has no address of IPv6, and goes on to the next.
        assert_eq!(greeting("both:7").await?.1.ip(), ip("10.0.0.1"));
        Ok(())
    });
}

#[test]
fn static_entries_differ_by_node() {
    let dns = DnsConfig {
        failure: Probability::ALWAYS,
        ..slow(S)
    };
    run_with(dns, |sim| async move {
        let (a, b) = (sim.node("a").idle(), sim.node("b").idle());
        let names = sim.names();
        names.add_hosts_entry("db", &[ip("10.1.1.1")]);
        names.add_hosts_entry_on(a, "db", &[ip("10.1.1.2")]);
        let found = |node: Node| async move {
            let find = node.spawn(async {
                let mut found = lookup_host("db:7").await?;
                io::Result::Ok(found.next().map(|address| address.ip()))
            });
            find.await.unwrap()
        };
        let start = Instant::now();
        assert_eq!(found(a).await?, Some(ip("10.1.1.2")));
        assert_eq!(found(b).await?, Some(ip("10.1.1.1")));
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(lookup_host("a:7").await.is_err());
        Ok(())
    });
}

#[test]
fn scoped_faults_end_with_their_guard() {
    let outcome = run(|sim| async move {
        let (a, b) = (sim.node("a").idle(), sim.node("b").idle());
        let works = |node: Node, host: &'static str| async move {
            node.spawn(lookup_of(host)).await.unwrap().is_ok()
        };
        let by_name = sim.names().fail("b");
        assert!(!works(a, "b:7").await);
        assert!(works(a, "a:7").await);
        by_name.end();
        assert!(works(a, "b:7").await);
        {
            let _by_node = sim.names().fail_on(a);
            assert!(!works(a, "b:7").await);
            assert!(works(b, "b:7").await);
        }
        assert!(works(a, "b:7").await);
        Ok(())
    });
    assert_eq!(count(&outcome, Family::DnsFailure), [4, 2, 2]);
}

#[test]
fn a_stale_answer_leads_to_the_old_place() {
    let dns = DnsConfig {
        stale: Probability::ALWAYS,
        ..DnsConfig::default()
    };
    let outcome = run_with(dns, |sim| async move {
        let old = greeter(&sim, "old", &["10.0.0.1"]);
        let new = greeter(&sim, "new", &["10.0.0.2"]);
        sleep(MS).await;
        sim.names().set("db", &[old.address()]);
        sim.names().set("db", &[new.address()]);
        assert_eq!(sim.names().get("db"), [new.address()]);
        assert_eq!(greeting("db:7").await?.0, "old");
        sim.names().set_config(DnsConfig::default());
        assert_eq!(greeting("db:7").await?.0, "new");
        sim.names().remove("db");
        assert!(greeting("db:7").await.is_err());
        Ok(())
    });
    assert_eq!(count(&outcome, Family::DnsStale), [1, 1, 1]);
}

/// Asked outside a simulation, std gives the words for the same name.
#[test]
fn an_unknown_name_is_std_s_error() {
    let theirs = std::net::ToSocketAddrs::to_socket_addrs(&("", 80)).unwrap_err();
    run(move |_| async move {
        let ours = lookup_of(":80").await.unwrap_err();
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        assert_eq!(ours.kind(), theirs.kind());
        Ok(())
    });
}

#[test]
fn a_fault_of_no_probability_is_no_fault() {
    let digest = |dns: Option<DnsConfig>, again: bool| {
        let outcome = run(move |sim| async move {
            if let Some(dns) = dns {
                sim.names().set_config(dns);
            }
            greeter(&sim, "server", &[]);
            sleep(MS).await;
            greeting("server:7").await?;
            if again {
                greeting("server:7").await?;
            }
            let unknown = lookup_host("nobody:7").await;
            assert!(unknown.is_err());
            Ok(())
        });
        for family in [Family::DnsDelay, Family::DnsFailure, Family::DnsStale] {
            assert_eq!(outcome.counters.get(family).fired, 0);
        }
        (outcome.digest.to_string(), outcome.counters)
    };
    let none = digest(None, false);
    let never = DnsConfig {
        delay: Distribution::Constant(Duration::ZERO),
        failure: Probability::new(0, 7),
        stale: Probability::new(0, 9),
        ..DnsConfig::default()
    };
    assert_eq!(none, digest(Some(never), false));
    assert_ne!(none.0, digest(None, true).0, "a lookup is in the digest");
}
