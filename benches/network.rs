//! Round trips over streams and datagrams: what a message costs.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stormglass::Config;
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::kernel::Distribution;
use stormglass::net::{LinkConfig, TcpListener, TcpStream, UdpSocket};
use stormglass::sim::Builder;
use stormglass::task;
use stormglass::time::sleep;

const CLIENTS: u64 = 10;
const ROUND_TRIPS: u64 = 1_000;
const MESSAGE: [u8; 64] = [7; 64];

/// Links of exactly one millisecond, so that no latency is drawn.
fn builder() -> Builder {
    let latency = Distribution::Constant(Duration::from_millis(1));
    let link = LinkConfig {
        latency,
        ..LinkConfig::default()
    };
    Builder::new().config(Config {
        link,
        ..Config::default()
    })
}

async fn echo_streams() -> std::io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:9000").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        task::spawn(async move {
            let mut message = MESSAGE;
            while stream.read_exact(&mut message).await.is_ok() {
                if stream.write_all(&message).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn echo_datagrams() -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:9000").await?;
    let mut message = MESSAGE;
    loop {
        let (length, from) = socket.recv_from(&mut message).await?;
        socket.send_to(&message[..length], from).await?;
    }
}

async fn ask_by_stream() -> std::io::Result<()> {
    let mut stream = TcpStream::connect("server:9000").await?;
    let mut message = MESSAGE;
    for _ in 0..ROUND_TRIPS {
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
    }
    Ok(())
}

async fn ask_by_datagram() -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect("server:9000").await?;
    let mut message = MESSAGE;
    for _ in 0..ROUND_TRIPS {
        socket.send(&message).await?;
        socket.recv(&mut message).await?;
    }
    Ok(())
}

/// Lets ten clients ask one server until they have all their answers.
fn exchange<S, A>(serve: fn() -> S, ask: fn() -> A)
where
    S: Future<Output = std::io::Result<()>> + 'static,
    A: Future<Output = std::io::Result<()>> + 'static,
{
    let outcome = builder().run(move |sim| async move {
        sim.node("server").run(move |_| serve());
        sleep(Duration::from_millis(10)).await;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| sim.node(format!("client-{n}")).idle().spawn(ask()))
            .collect();
        for client in clients {
            client
                .await
                .expect("it does not panic")
                .expect("the server answers");
        }
    });
    outcome.unwrap();
}

fn round_trips(c: &mut Criterion) {
    let mut group = c.benchmark_group("round trips of 64 bytes");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(CLIENTS * ROUND_TRIPS));
    group.bench_function("streams", |b| {
        b.iter(|| exchange(echo_streams, ask_by_stream));
    });
    group.bench_function("datagrams", |b| {
        b.iter(|| exchange(echo_datagrams, ask_by_datagram));
    });
    group.finish();
}

criterion_group!(benches, round_trips);
criterion_main!(benches);
