//! Calls of datagram sockets on loopback, and what they gave. Included twice.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use super::UdpSocket;

/// What was called, and what it gave; errors by their numbers.
pub(in super::super) type Log = Vec<(&'static str, String)>;

fn note<T: Debug>(log: &mut Log, call: &'static str, result: io::Result<T>) {
    let text = match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => match error.raw_os_error() {
            Some(code) => format!("errno {code}"),
            None => format!("{:?}", error.kind()),
        },
    };
    log.push((call, text));
}

pub(in super::super) async fn run() -> io::Result<Log> {
    let log = &mut Log::new();
    let a = UdpSocket::bind("127.0.0.1:0").await?;
    let b = UdpSocket::bind("127.0.0.1:0").await?;
    let (a_address, b_address) = (a.local_addr()?, b.local_addr()?);
    let port_0 = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut buffer = [0; 10];

    let taken = UdpSocket::bind(a_address).await.map(drop);
    note(log, "bind taken", taken);
    let foreign = UdpSocket::bind("192.0.2.200:0").await.map(drop);
    note(log, "bind foreign", foreign);
    note(log, "peer unconnected", a.peer_addr());
    note(log, "send unconnected", a.send(b"x").await);
    note(log, "receive nothing", a.try_recv(&mut buffer));
    note(log, "sender of nothing", a.try_peek_sender());
    note(log, "to port 0", a.send_to(b"x", port_0).await);
    note(log, "to IPv6", a.send_to(b"x", "[::1]:9").await);
    note(log, "too long", a.send_to(&[0; 65_508], b_address).await);
    note(log, "empty", a.send_to(b"", b_address).await);
    note(log, "receive empty", b.recv(&mut buffer).await);
    note(log, "cut short", a.send_to(&[7; 20], b_address).await);
    let sender = b.peek_sender().await;
    note(log, "peek sender", sender.map(|from| from == a_address));
    let peeked = b.peek(&mut buffer[..4]).await;
    note(log, "peek part", peeked);
    note(log, "try to peek", b.try_peek(&mut buffer));
    note(log, "receive part", b.recv(&mut buffer).await);
    note(log, "the rest is gone", b.try_recv(&mut buffer));
    note(log, "longest", a.send_to(&[1; 65_507], b_address).await);
    let mut large = vec![0; 70_000];
    note(log, "receive longest", b.recv(&mut large).await);

    a.connect(b_address).await?;
    note(log, "peer", a.peer_addr().map(|peer| peer == b_address));
    let stranger = UdpSocket::bind("127.0.0.1:0").await?;
    let sent = stranger.send_to(b"stranger", a_address).await;
    note(log, "a stranger sends", sent);
    note(log, "the peer sends", b.send_to(b"peer", a_address).await);
    note(log, "the peer is heard", a.recv(&mut buffer).await);
    note(log, "no error", a.take_error().map(|error| error.is_some()));
    drop(b);
    note(log, "to nobody", a.send(b"x").await);
    note(log, "refused", a.recv(&mut buffer).await);
    note(log, "to nobody again", a.send(b"x").await);
    let waited = a.readable().await;
    note(log, "an error is readable", waited);
    let error = a.take_error()?.and_then(|error| error.raw_os_error());
    note(log, "take the error", Ok(error));
    note(
        log,
        "it is taken",
        a.take_error().map(|error| error.is_some()),
    );
    Ok(std::mem::take(log))
}
