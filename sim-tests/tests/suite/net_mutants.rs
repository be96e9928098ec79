//! Known bugs of streams between hosts, and the checks that find them: what shows only where
//! packets take time, are lost and are kept.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use stormglass::kernel::{Distribution, Probability};
use stormglass::mutants::{Mutant, with_mutant};
use stormglass::net::{LinkConfig, TcpListener, TcpStream};
use stormglass::sim::{Builder, Config, Links, Network, Node, PacketFilter, PacketKind, Sim};
use stormglass::time::{sleep, timeout};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
/// The data of a packet of Ethernet.
const SEGMENT_BYTES: usize = 1_460;

/// A connection over links of a millisecond, both ends in the hands of the test.
struct Two {
    network: Network,
    here: Node,
    there: Node,
    client: TcpStream,
    server: TcpStream,
}

impl Two {
    async fn connected(sim: &Sim) -> io::Result<Self> {
        let accepted = Rc::new(RefCell::new(None));
        let place = accepted.clone();
        let there = sim.node("there").run(move |_| {
            let place = place.clone();
            async move {
                let listener = TcpListener::bind("0.0.0.0:7").await?;
                let (stream, _) = listener.accept().await?;
                *place.borrow_mut() = Some(stream);
                pending::<io::Result<()>>().await
            }
        });
        sleep(MS).await;
        let client = TcpStream::connect("there:7").await?;
        sleep(10 * MS).await;
        let server = accepted.borrow_mut().take();
        Ok(Self {
            network: sim.network(),
            here: sim.find("test").expect("it is there from the beginning"),
            there,
            client,
            server: server.expect("it was accepted"),
        })
    }

    /// The link on which the client sends.
    fn way(&self) -> Links {
        Links::one_way(&[self.here], &[self.there])
    }

    fn back(&self) -> Links {
        Links::one_way(&[self.there], &[self.here])
    }
}

async fn what_is_lost_is_sent_again(mut two: Two) -> io::Result<bool> {
    let cut = two.network.cut_links(two.way());
    two.client.write_all(b"last").await?;
    cut.end();
    let read = timeout(S, two.server.read_exact(&mut [0; 4])).await;
    Ok(read.is_ok())
}

async fn waits_grow(mut two: Two) -> io::Result<bool> {
    let _hold = two.network.hold(two.way()).scoped();
    two.client.write_all(b"x").await?;
    sleep(100 * S).await;
    // 0.2 s, 0.4 s, and so on to 51 s.
    Ok(two.network.in_flight().len() == 9)
}

async fn silence_ends_in_an_error(mut two: Two) -> io::Result<bool> {
    let _cut = two.network.cut_links(two.way()).scoped();
    two.client.write_all(b"x").await?;
    let read = timeout(2_000 * S, two.client.read(&mut [0; 1])).await;
    Ok(read.is_ok_and(|read| read.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)))
}

async fn a_gap_is_filled_at_once(mut two: Two) -> io::Result<bool> {
    two.client.set_nodelay(true)?;
    let hold = two.network.hold(two.way());
    two.client.write_all(b"one").await?;
    two.client.write_all(b"two").await?;
    sleep(5 * MS).await;
    let held = two.network.in_flight();
    two.network.discard(&held[0]);
    hold.end();
    let read = timeout(20 * MS, two.server.read_exact(&mut [0; 6])).await;
    Ok(read.is_ok())
}

async fn who_hears_nothing_asks_again(two: Two) -> io::Result<bool> {
    let syn = PacketFilter::kind(PacketKind::Syn);
    let filter = two.network.filter(two.way(), syn, Probability::ALWAYS);
    let connect = timeout(2 * S, TcpStream::connect("there:7"));
    let end = async {
        sleep(10 * MS).await;
        filter.end();
    };
    let (connected, ()) = stormglass::join!(connect, end);
    Ok(connected.is_ok())
}

async fn a_writer_hears_that_there_is_room(mut two: Two) -> io::Result<bool> {
    let data = vec![7; 64 << 10];
    while timeout(S, two.client.write_all(&data)).await.is_ok() {}
    two.server.read_exact(&mut vec![0; 100 << 10]).await?;
    Ok(timeout(10 * MS, two.client.writable()).await.is_ok())
}

async fn lost_word_of_a_wider_window_is_asked_for(mut two: Two) -> io::Result<bool> {
    let data = vec![7; 64 << 10];
    while timeout(S, two.client.write_all(&data)).await.is_ok() {}
    let ack = PacketFilter::kind(PacketKind::Ack);
    let filter = two.network.filter(two.back(), ack, Probability::ALWAYS);
    two.server.read_exact(&mut vec![0; 100 << 10]).await?;
    sleep(10 * MS).await;
    filter.end();
    Ok(timeout(2 * S, two.client.writable()).await.is_ok())
}

async fn small_writes_wait_for_each_other(mut two: Two) -> io::Result<bool> {
    two.client.write_all(b"a").await?;
    two.client.write_all(b"b").await?;
    sleep(2 * MS).await;
    let first = two.server.read(&mut [0; 2]).await?;
    sleep(2 * MS).await;
    let mut buffer = [0; 2];
    let second = timeout(S, two.server.read(&mut buffer)).await;
    Ok(first == 1 && second.is_ok())
}

async fn packets_fit_the_link(mut two: Two) -> io::Result<bool> {
    let rarely_lossy = LinkConfig {
        loss: Probability::new(1, u32::MAX),
        ..link()
    };
    two.network.set_link(two.here, two.there, rarely_lossy);
    let _hold = two.network.hold(two.way()).scoped();
    two.client.write_all(&[7; 5 * SEGMENT_BYTES]).await?;
    sleep(5 * MS).await;
    let held = two.network.in_flight();
    let mut sizes = held.iter().map(|packet| packet.payload.len());
    Ok(held.len() == 5 && sizes.all(|size| size == SEGMENT_BYTES))
}

type Check = fn(Two) -> Pin<Box<dyn Future<Output = io::Result<bool>>>>;

const CHECKS: &[(&str, Check)] = &[
    ("loss", |two| Box::pin(what_is_lost_is_sent_again(two))),
    ("patience", |two| Box::pin(waits_grow(two))),
    ("silence", |two| Box::pin(silence_ends_in_an_error(two))),
    ("gap", |two| Box::pin(a_gap_is_filled_at_once(two))),
    ("asking", |two| Box::pin(who_hears_nothing_asks_again(two))),
    ("window", |two| {
        Box::pin(a_writer_hears_that_there_is_room(two))
    }),
    ("probe", |two| {
        Box::pin(lost_word_of_a_wider_window_is_asked_for(two))
    }),
    ("small", |two| {
        Box::pin(small_writes_wait_for_each_other(two))
    }),
    ("size", |two| Box::pin(packets_fit_the_link(two))),
];

fn link() -> LinkConfig {
    LinkConfig {
        latency: Distribution::Constant(MS),
        ..LinkConfig::default()
    }
}

/// Whether a check passes.
fn passes(check: Check) -> bool {
    let config = Config {
        link: link(),
        time_limit: 3_000 * S,
        ..Config::default()
    };
    let outcome = Builder::new()
        .config(config)
        .run(move |sim| async move { check(Two::connected(&sim).await?).await });
    let holds = outcome.unwrap();
    holds.expect("its calls succeed")
}

#[test]
fn links_without_bugs_pass_all_checks() {
    for (name, check) in CHECKS {
        assert!(passes(*check), "{name}");
    }
}

#[test]
fn each_bug_of_links_is_caught() {
    let mut missed = Vec::new();
    for mutant in Mutant::OF_LINKS {
        let mut checks = CHECKS.iter();
        match checks.find(|(_, check)| !with_mutant(*mutant, || passes(*check))) {
            Some((name, _)) => eprintln!("{mutant:?} is caught by {name}"),
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "no check sees {missed:?}");
}
