//! Sockets as a program under test uses them: tokio's names, on simulated nodes.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join;
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::kernel::{Distribution, Family};
use stormglass::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
use stormglass::net::{
    Interest, LinkConfig, Ready, TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket,
    lookup_host,
};
use stormglass::sim::{Builder, Node, Sim};
use stormglass::time::{Instant, sleep, timeout};
use stormglass::{Config, task};

const MS: Duration = Duration::from_millis(1);

/// Runs a test on links of one millisecond without loss.
fn run<Fut>(test: impl FnOnce(Sim) -> Fut + 'static)
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    let link = LinkConfig {
        latency: Distribution::Constant(MS),
        ..LinkConfig::default()
    };
    let config = Config {
        link,
        time_limit: Duration::from_secs(10_800),
        ..Config::default()
    };
    Builder::new().config(config).run(test).unwrap().unwrap();
}

/// A node that sends back what it receives, at port 7.
fn echo(sim: &Sim) -> Node {
    sim.node("echo").run(|_| async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            task::spawn(async move {
                let (mut read, mut write) = stream.split();
                stormglass::io::copy(&mut read, &mut write).await
            });
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    })
}

#[test]
fn handles_are_send_and_sync() {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<UdpSocket>();
    send_sync::<TcpListener>();
    send_sync::<TcpSocket>();
    send_sync::<TcpStream>();
    send_sync::<ReadHalf<'_>>();
    send_sync::<WriteHalf<'_>>();
    send_sync::<OwnedReadHalf>();
    send_sync::<OwnedWriteHalf>();
    send_sync::<ReuniteError>();
    const fn send<T: Send>(_: &T) {}
    send(&TcpStream::connect("a:1"));
    send(&UdpSocket::bind("a:1"));
}

/// What a program is told decides what it does next: runs that differ in it alone have digests of
/// their own.
#[test]
fn the_digest_covers_what_calls_gave() {
    async fn bind(address: &str) -> Option<SocketAddr> {
        let socket = UdpSocket::bind(address).await.ok()?;
        socket.local_addr().ok()
    }
    fn digest(address: &'static str) -> String {
        let outcome = Builder::new().run(move |_| bind(address));
        outcome.digest.to_string()
    }
    let good = digest("0.0.0.0:7");
    assert_eq!(good, digest("0.0.0.0:7"));
    let others = ["0.0.0.0:8", "10.9.9.9:7", "no such host:7", "[::]:7"];
    let all: BTreeSet<_> = others.into_iter().map(digest).chain([good]).collect();
    assert_eq!(
        all.len(),
        4,
        "the family of a wildcard is no part of it: {all:?}"
    );
}

#[test]
fn a_round_trip_takes_two_latencies_and_a_connection_too() {
    run(|sim| async move {
        echo(&sim);
        sleep(MS).await;
        let start = Instant::now();
        let mut stream = TcpStream::connect("echo:7").await?;
        assert_eq!(start.elapsed(), 2 * MS);
        stream.write_all(b"hello").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        assert_eq!((&answer, start.elapsed()), (b"hello", 4 * MS));
        Ok(())
    });
}

#[test]
fn many_megabytes_go_through_both_ways() {
    run(|sim| async move {
        echo(&sim);
        sleep(MS).await;
        let stream = TcpStream::connect("echo:7").await?;
        let (mut read, mut write) = stream.into_split();
        let sent: Vec<u8> = (0..4_000_000_u32)
            .map(|n| (n % 251).to_le_bytes()[0])
            .collect();
        let sender = async {
            write.write_all(&sent).await?;
            write.shutdown().await
        };
        let mut received = Vec::new();
        let (done, count) = join(sender, read.read_to_end(&mut received)).await;
        done?;
        assert_eq!(count?, sent.len());
        assert!(received == sent);
        Ok(())
    });
}

#[test]
fn dropping_the_owned_writing_half_ends_what_is_written() {
    run(|sim| async move {
        echo(&sim);
        sleep(MS).await;
        let (mut read, mut write) = TcpStream::connect("echo:7").await?.into_split();
        write.write_all(b"bye").await?;
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).await?;
        assert_eq!(text, "bye");
        Ok(())
    });
}

#[test]
fn only_halves_of_one_stream_are_reunited() {
    run(|sim| async move {
        echo(&sim);
        sleep(MS).await;
        let (read_1, write_1) = TcpStream::connect("echo:7").await?.into_split();
        let (read_2, write_2) = TcpStream::connect("echo:7").await?.into_split();
        let ReuniteError(read_1, write_2) = read_1.reunite(write_2).unwrap_err();
        let mut first = write_1.reunite(read_1).unwrap();
        let second = read_2.reunite(write_2).unwrap();
        assert_ne!(first.local_addr()?, second.local_addr()?);
        first.write_all(b"still open").await?;
        let mut answer = [0; 10];
        first.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"still open");
        Ok(())
    });
}

#[test]
fn readiness_and_attempts_agree() {
    run(|sim| async move {
        echo(&sim);
        sleep(MS).await;
        let stream = TcpStream::connect("echo:7").await?;
        let mut buffer = [0; 10];
        assert_eq!(
            stream.try_read(&mut buffer).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(stream.ready(both).await?, Ready::WRITABLE);
        assert_eq!(stream.try_write(b"hello")?, 5);
        assert_eq!(stream.ready(Interest::READABLE).await?, Ready::READABLE);
        assert_eq!(stream.ready(both).await?, Ready::READABLE | Ready::WRITABLE);
        assert_eq!(stream.peek(&mut buffer).await?, 5);
        assert_eq!(stream.try_read(&mut buffer)?, 5);
        let full = loop {
            if let Err(error) = stream.try_write(&[0; 10_000]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        let start = Instant::now();
        stream.writable().await?;
        let waited = start.elapsed().as_millis();
        assert_eq!(waited, 2, "as soon as it is acknowledged");
        Ok(())
    });
}

#[test]
fn datagrams_are_sent_peeked_and_received() {
    run(|sim| async move {
        let server = sim.node("server").run(|_| async {
            let socket = UdpSocket::bind(("0.0.0.0", 7)).await?;
            loop {
                socket.readable().await?;
                let mut buffer = [0; 100];
                let peeked = socket.peek_from(&mut buffer).await?;
                let (length, from) = socket.try_recv_from(&mut buffer)?;
                assert_eq!(peeked, (length, from));
                socket.send_to(&buffer[..length], from).await?;
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        });
        sleep(MS).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let mut buffer = [0; 100];
        assert_eq!(
            socket.try_recv(&mut buffer).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(
            socket.send(b"x").await.unwrap_err().raw_os_error(),
            Some(89)
        );
        socket.send_to(b"one", "server:7").await?;
        let (length, from) = socket.recv_from(&mut buffer).await?;
        assert_eq!(
            (&buffer[..length], from),
            (&b"one"[..], (server.address(), 7).into())
        );
        socket.connect((server.address(), 7)).await?;
        assert_eq!(socket.peer_addr()?, from);
        socket.send(b"two").await?;
        assert_eq!(socket.recv(&mut buffer).await?, 3);
        let ready = socket
            .ready(Interest::READABLE | Interest::WRITABLE)
            .await?;
        assert_eq!(ready, Ready::WRITABLE);
        Ok(())
    });
}

#[test]
fn names_are_resolved_in_every_form() {
    async fn first(host: impl ToSocketAddrs) -> io::Result<String> {
        Ok(lookup_host(host).await?.next().unwrap().to_string())
    }
    run(|sim| async move {
        let ip = sim.node("Db-1").idle().address();
        let expected = format!("{ip}:80");
        assert_eq!(first("db-1:80").await?, expected);
        assert_eq!(first(("DB-1", 80)).await?, expected);
        assert_eq!(first(String::from("db-1:80")).await?, expected);
        assert_eq!(first((String::from("db-1"), 80)).await?, expected);
        assert_eq!(first(&expected).await?, expected);
        assert_eq!(first((ip, 80)).await?, expected);
        assert_eq!(first("localhost:80").await?, "127.0.0.1:80");
        assert_eq!(first("[::1]:80").await?, "[::1]:80");
        for text in ["db-1", "db-1:", "db-1:65536", ""] {
            assert_eq!(
                first(text).await.unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{text}"
            );
        }
        let none: &[SocketAddr] = &[];
        assert_eq!(lookup_host(none).await?.count(), 0);
        let nowhere = TcpStream::connect(none).await.unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::InvalidInput);
        assert!(
            first("db-2:80")
                .await
                .unwrap_err()
                .to_string()
                .contains("not known")
        );
        Ok(())
    });
}

#[test]
fn connecting_tries_each_address() {
    run(|sim| async move {
        let listener = TcpListener::bind("127.0.0.1:80").await?;
        let addresses = ["127.0.0.2:80", "127.0.0.1:80"].map(|text| text.parse().unwrap());
        let stream = TcpStream::connect(&addresses[..]).await?;
        assert_eq!(stream.peer_addr()?, addresses[1]);
        drop(listener);
        let refused = TcpStream::connect(&addresses[..]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(sim.nodes().len() <= 1);
        Ok(())
    });
}

#[test]
fn giving_up_a_connect_leaves_nothing_behind() {
    run(|sim| async move {
        let node = sim.node("silent").idle();
        node.crash();
        let gave_up = timeout(Duration::from_secs(5), TcpStream::connect("silent:7")).await;
        assert!(gave_up.is_err());
        let start = Instant::now();
        let error = TcpStream::connect("silent:7").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), Duration::from_secs(127));
        Ok(())
    });
}

#[test]
fn a_kill_is_heard_and_a_crash_is_not() {
    run(|sim| async move {
        let node = echo(&sim);
        sleep(MS).await;
        let mut stream = TcpStream::connect("echo:7").await?;
        sleep(5 * MS).await;
        node.kill();
        assert_eq!(stream.read(&mut [0; 1]).await?, 0, "closed by its kernel");
        node.restart();
        sleep(MS).await;
        let mut stream = TcpStream::connect("echo:7").await?;
        sleep(5 * MS).await;
        node.crash();
        let silence = timeout(Duration::from_secs(60), stream.read(&mut [0; 1])).await;
        assert!(silence.is_err());
        node.restart();
        stream.write_all(b"half-open").await?;
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn a_cut_delays_a_stream_and_loses_datagrams() {
    let outcome = Builder::new().run(|sim| async move {
        let node = echo(&sim);
        sleep(5 * MS).await;
        let mut stream = TcpStream::connect("echo:7").await?;
        let here = sim.find("test").unwrap();
        sim.network().cut(here, node);
        let start = Instant::now();
        stream.write_all(b"late").await?;
        let waited = timeout(Duration::from_secs(1), stream.read_u8()).await;
        assert!(waited.is_err());
        sim.network().heal(here, node);
        assert_eq!(stream.read_u8().await?, b'l');
        assert!(start.elapsed() < Duration::from_secs(3));
        io::Result::Ok(())
    });
    let counter = outcome.counters.get(Family::Partition);
    assert!(counter.fired > 0 && counter.effective > 0);
    outcome.unwrap().unwrap();
}

#[test]
fn a_socket_of_a_dead_node_is_dead_wherever_it_is_held() {
    run(|sim| async move {
        let node = sim.node("giver").idle();
        let socket = node.spawn(UdpSocket::bind("0.0.0.0:9")).await.unwrap()?;
        assert_eq!(socket.local_addr()?.port(), 9);
        node.crash();
        assert!(socket.local_addr().is_err());
        node.restart();
        assert!(socket.send_to(b"x", "giver:9").await.is_err());
        let again = node.spawn(UdpSocket::bind("0.0.0.0:9")).await.unwrap()?;
        drop(socket);
        assert_eq!(
            again.local_addr()?.port(),
            9,
            "dropping the old one closes nothing new"
        );
        Ok(())
    });
}

#[test]
fn a_socket_that_outlives_its_simulation_is_harmless() {
    let bind = |seed| {
        let outcome = Builder::new()
            .seed(seed)
            .run(|_| UdpSocket::bind("0.0.0.0:9"));
        outcome.unwrap().unwrap()
    };
    let old = bind(1);
    assert_eq!(
        old.local_addr().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    Builder::new()
        .run(|_| async move {
            let new = UdpSocket::bind("0.0.0.0:9").await.unwrap();
            assert!(old.local_addr().is_err(), "its id means nothing here");
            drop(old);
            assert!(new.local_addr().is_ok());
        })
        .unwrap();
}

#[test]
fn addresses_do_not_depend_on_other_nodes() {
    let address = |others: usize| {
        let outcome = Builder::new().run(move |sim| async move {
            for n in 0..others {
                sim.node(format!("other-{n}")).idle();
            }
            sim.node("db").idle().address()
        });
        outcome.unwrap()
    };
    assert_eq!(address(0), address(100));
}

#[test]
fn options_are_remembered() {
    run(|sim| async move {
        echo(&sim);
        sleep(MS).await;
        let stream = TcpStream::connect("echo:7").await?;
        assert!(!stream.nodelay()?);
        stream.set_nodelay(true)?;
        assert!(stream.nodelay()?);
        assert_eq!(stream.linger()?, None);
        stream.set_linger(Some(Duration::ZERO))?;
        assert_eq!(stream.linger()?, Some(Duration::ZERO));
        Ok(())
    });
}

#[test]
fn keep_alive_finds_a_peer_that_restarted() {
    run(|sim| async move {
        let node = echo(&sim);
        sleep(MS).await;
        let socket = TcpSocket::new_v4()?;
        assert!(!socket.keepalive()?);
        socket.set_keepalive(true)?;
        assert!(socket.keepalive()?);
        let to = lookup_host("echo:7").await?.next().unwrap();
        let mut stream = socket.connect(to).await?;
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await?;
        let heard = Instant::now();
        node.crash();
        node.restart();
        let error = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(heard.elapsed().as_secs(), 7_200);
        Ok(())
    });
}

#[test]
fn small_writes_wait_for_word_of_the_first_unless_told_not_to() {
    for (nodelay, round_trips) in [(false, 2), (true, 1)] {
        run(move |sim| async move {
            echo(&sim);
            sleep(MS).await;
            let mut stream = TcpStream::connect("echo:7").await?;
            stream.set_nodelay(nodelay)?;
            let begin = Instant::now();
            stream.write_all(b"head").await?;
            stream.write_all(b"body").await?;
            stream.read_exact(&mut [0; 8]).await?;
            assert_eq!(begin.elapsed(), 2 * round_trips * MS);
            Ok(())
        });
    }
}
