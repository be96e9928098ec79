//! What many nodes and many bytes cost, each in a process of its own, whose time and memory count.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use stormglass::net::{TcpListener, TcpStream, UdpSocket};
use stormglass::sim::{Builder, Config};
use stormglass::time::sleep;
use stormglass::{rand, task};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::child;

/// Set for a process that shall do the work, and not start another.
const HERE: &str = "STORMGLASS_TEST_SCALE";

/// What the child tells of.
const COST: &str = "hundredths of a CPU second";

/// Runs `work` in a process of its own; it ends within so many CPU seconds, and with so much memory
/// at its peak.
fn costs_at_most(name: &str, seconds: u64, peak_kib: u64, work: impl FnOnce()) {
    if std::env::var_os(HERE).is_none() {
        let done = child::test(name).env(HERE, "1").output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{text}");
        assert!(text.contains(COST), "nothing ran: {text}");
        return;
    }
    work();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name in parentheses; the fields are numbered from 3, and 14 and 15 are times in
    // hundredths of a second.
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    #[expect(clippy::print_stdout, reason = "what it cost, for who asks")]
    let () = println!("{ticks} {COST}, {peak} KiB at the peak");
    assert!(ticks < seconds * 100, "{ticks} {COST}");
    assert!(peak < peak_kib, "{peak} KiB at the peak");
}

/// Workload W9: a ping a second from each node to another, for a minute.
async fn ping(number: usize, nodes: usize) -> std::io::Result<u32> {
    let socket = Rc::new(UdpSocket::bind("0.0.0.0:9").await?);
    let receiver = Rc::clone(&socket);
    let pongs = Rc::new(Cell::new(0));
    let counted = Rc::clone(&pongs);
    task::spawn(async move {
        let mut buffer = [0; 32];
        loop {
            let (_, from) = receiver.recv_from(&mut buffer).await.unwrap();
            if buffer[0] == 1 {
                buffer[0] = 2;
                receiver.send_to(&buffer, from).await.unwrap();
            } else {
                counted.set(counted.get() + 1);
            }
        }
    });
    for _ in 0..60 {
        sleep(Duration::from_secs(1)).await;
        let other = (number + 1 + rand::index(nodes - 1)) % nodes;
        let mut ping = [0; 32];
        ping[0] = 1;
        socket.send_to(&ping, format!("node-{other}:9")).await?;
    }
    sleep(Duration::from_millis(50)).await;
    Ok(pongs.get())
}

#[test]
fn a_thousand_nodes_ping_for_a_minute() {
    let name = "suite::scale::a_thousand_nodes_ping_for_a_minute";
    costs_at_most(name, 1, 64 << 10, || {
        let config = Config {
            time_limit: Duration::from_secs(100),
            ..Config::default()
        };
        let outcome = Builder::new().config(config).run(|sim| async move {
            const NODES: usize = 1_000;
            let all = Rc::new(Cell::new(0));
            for number in 0..NODES {
                let all = Rc::clone(&all);
                sim.node(format!("node-{number}")).run(move |_| {
                    let all = Rc::clone(&all);
                    async move {
                        let pongs = ping(number, NODES).await?;
                        all.set(all.get() + pongs);
                        std::io::Result::Ok(())
                    }
                });
            }
            sleep(Duration::from_secs(62)).await;
            all.get()
        });
        assert_eq!(outcome.unwrap(), 60_000);
    });
}

#[test]
fn ten_gibibytes_pass_through_one_connection_in_constant_memory() {
    let name = "suite::scale::ten_gibibytes_pass_through_one_connection_in_constant_memory";
    costs_at_most(name, 20, 32 << 10, || {
        const TOTAL: u64 = 10 << 30;
        let config = Config {
            time_limit: Duration::from_secs(100_000),
            step_limit: u64::MAX,
            ..Config::default()
        };
        let outcome = Builder::new().config(config).run(|sim| async move {
            sim.node("server").run(|_| async {
                let listener = TcpListener::bind("0.0.0.0:80").await?;
                let (mut stream, _) = listener.accept().await?;
                let data = vec![7; 64 << 10];
                let mut left = TOTAL;
                while left > 0 {
                    stream.write_all(&data).await?;
                    left -= data.len() as u64;
                }
                std::io::Result::Ok(())
            });
            sleep(Duration::from_millis(1)).await;
            let mut stream = TcpStream::connect("server:80").await?;
            let mut buffer = vec![0; 64 << 10];
            let mut total = 0;
            loop {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    return std::io::Result::Ok(total);
                }
                total += length as u64;
            }
        });
        assert_eq!(outcome.unwrap().unwrap(), TOTAL);
    });
}
