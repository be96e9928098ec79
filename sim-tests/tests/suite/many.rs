//! Broadcast and groups as programs use them, and what faults and crashes do to them.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use stormglass::Config;
use stormglass::kernel::{Distribution, Probability};
use stormglass::net::{LinkConfig, UdpSocket};
use stormglass::sim::{Builder, Node, Sim};
use stormglass::time::sleep;

const MS: Duration = Duration::from_millis(1);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 9);

/// The names of the nodes that heard something, in the order in which they did.
type Heard = Rc<RefCell<Vec<String>>>;

fn config(loss: Probability) -> Config {
    let link = LinkConfig {
        latency: Distribution::Constant(MS),
        loss,
        ..LinkConfig::default()
    };
    Config {
        link,
        ..Config::default()
    }
}

fn run<Fut>(test: impl FnOnce(Sim) -> Fut + 'static)
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    let config = config(Probability::NEVER);
    Builder::new().config(config).run(test).unwrap().unwrap();
}

/// A node that listens at port 9, in both groups, and notes what it hears.
fn listener(sim: &Sim, name: &str, number: u16, heard: &Heard) -> Node {
    let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number);
    let (heard, name) = (Rc::clone(heard), name.to_owned());
    sim.node(name.clone())
        .address(address.into())
        .run(move |_| {
            let (heard, name) = (Rc::clone(&heard), name.clone());
            async move {
                let socket = UdpSocket::bind("[::]:9").await?;
                socket.join_multicast_v4(GROUP, Ipv4Addr::UNSPECIFIED)?;
                socket.join_multicast_v6(&GROUP_V6, 0)?;
                loop {
                    let mut text = Vec::with_capacity(100);
                    socket.recv_buf(&mut text).await?;
                    let text = String::from_utf8_lossy(&text);
                    heard.borrow_mut().push(format!("{name} {text}"));
                }
                #[allow(unreachable_code)]
                io::Result::Ok(())
            }
        })
}

/// Lets all arrive that is under way, and gives what was heard, sorted.
async fn settled(heard: &Heard) -> Vec<String> {
    sleep(20 * MS).await;
    let mut heard = heard.take();
    heard.sort();
    heard
}

#[test]
fn a_broadcast_finds_all_nodes_that_listen() {
    run(|sim| async move {
        let heard = Heard::default();
        for (name, number) in [("a", 1), ("b", 2)] {
            listener(&sim, name, number, &heard);
        }
        sim.node("deaf").idle();
        sleep(MS).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let refused = socket.send_to(b"hello", (Ipv4Addr::BROADCAST, 9)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
        socket.set_broadcast(true)?;
        socket.send_to(b"hello", (Ipv4Addr::BROADCAST, 9)).await?;
        assert_eq!(settled(&heard).await, ["a hello", "b hello"]);
        Ok(())
    });
}

#[test]
fn groups_of_both_families_reach_their_members() {
    run(|sim| async move {
        let heard = Heard::default();
        let [a, b] = [("a", 1), ("b", 2)].map(|(name, n)| listener(&sim, name, n, &heard));
        sleep(MS).await;
        let four = UdpSocket::bind("0.0.0.0:0").await?;
        let sender = sim.node("sender").address("fd00::7".parse().unwrap());
        let six = sender
            .idle()
            .spawn(UdpSocket::bind("[::]:0"))
            .await
            .unwrap()?;
        four.send_to(b"four", (GROUP, 9)).await?;
        six.send_to(b"six", (GROUP_V6, 9)).await?;
        assert_eq!(
            settled(&heard).await,
            ["a four", "a six", "b four", "b six"]
        );
        a.kill();
        b.crash();
        four.send_to(b"to nobody", (GROUP, 9)).await?;
        six.send_to(b"to nobody", (GROUP_V6, 9)).await?;
        assert!(settled(&heard).await.is_empty());
        b.restart();
        sleep(MS).await;
        four.send_to(b"again", (GROUP, 9)).await?;
        assert_eq!(settled(&heard).await, ["b again"], "it joined anew");
        Ok(())
    });
}

#[test]
fn a_cut_keeps_one_member_from_hearing() {
    run(|sim| async move {
        let heard = Heard::default();
        let [_, b] = [("a", 1), ("b", 2)].map(|(name, n)| listener(&sim, name, n, &heard));
        sleep(MS).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let cut = sim.network().cut(sim.find("test").unwrap(), b);
        socket.send_to(b"1", (GROUP, 9)).await?;
        assert_eq!(settled(&heard).await, ["a 1"]);
        cut.end();
        socket.send_to(b"2", (GROUP, 9)).await?;
        assert_eq!(settled(&heard).await, ["a 2", "b 2"]);
        Ok(())
    });
}

#[test]
fn each_copy_is_lost_for_itself_and_alike_in_each_run() {
    let heard = |seed| {
        let config = config(Probability::percent(50));
        let outcome = Builder::new()
            .config(config)
            .seed(seed)
            .run(|sim| async move {
                let heard = Heard::default();
                for (name, number) in [("a", 1), ("b", 2)] {
                    listener(&sim, name, number, &heard);
                }
                sleep(MS).await;
                let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
                for n in 0..40 {
                    let text = n.to_string();
                    socket.send_to(text.as_bytes(), (GROUP, 9)).await.unwrap();
                }
                settled(&heard).await
            });
        outcome.unwrap()
    };
    let first = heard(1);
    let at = |name: &str| -> Vec<_> {
        let here = first.iter().filter_map(|line| line.strip_prefix(name));
        here.collect()
    };
    let (a, b) = (at("a"), at("b"));
    for copies in [&a, &b] {
        assert!((5..35).contains(&copies.len()), "{copies:?}");
    }
    assert_ne!(a, b);
    assert_eq!(first, heard(1));
    assert_ne!(first, heard(2));
}
