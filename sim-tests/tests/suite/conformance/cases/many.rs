//! Datagrams for many: broadcast and groups.
//!
//! On the real loopback a socket that is bound there sends to many by that interface, which here is
//! the loopback or the link. Where a case needs another interface of the real machine, what it
//! sends stays in the host.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;

async fn socket(place: Place, at: impl Into<std::net::IpAddr>) -> UdpSocket {
    let at = SocketAddr::new(at.into(), 0);
    place.make(UdpSocket::bind(at)).await.unwrap()
}

/// A socket of the client's that has its address, one of the server's that has any, and that one's
/// port.
async fn sockets(s: &Stage) -> (UdpSocket, UdpSocket, u16) {
    let client = socket(s.client, s.client.v4).await;
    let server = socket(s.server, ANY).await;
    let port = server.local_addr().unwrap().port();
    (client, server, port)
}

/// An address of the server.
fn v4(s: &Stage) -> Ipv4Addr {
    match s.server.v4 {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(_) => unreachable!("it is of IPv4"),
    }
}

/// A group that no other case uses.
fn group(s: &Stage) -> Ipv4Addr {
    let [_, b, c, d] = v4(s).octets();
    Ipv4Addr::new(239, b, c, d)
}

fn group_v6(s: &Stage) -> Ipv6Addr {
    let [_, b, c, d] = v4(s).octets().map(u16::from);
    // It stays in the host.
    Ipv6Addr::new(0xff01, 0, 0, 0, 0x57, b, c, d)
}

async fn receive(s: &Stage, call: &str, socket: &UdpSocket) {
    let mut buffer = [0; 100];
    let result = async {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        io::Result::Ok((bytes(&buffer[..length]), from))
    };
    s.waits(call, result).await;
}

/// Receives what another socket of the host sent, whose address is the machine's.
async fn receive_text(s: &Stage, call: &str, socket: &UdpSocket) {
    let mut buffer = [0; 100];
    let result = async {
        let length = socket.recv(&mut buffer).await?;
        io::Result::Ok(bytes(&buffer[..length]))
    };
    s.waits(call, result).await;
}

pub(crate) async fn broadcast_needs_permission(s: Rc<Stage>) {
    let (client, server, port) = sockets(&s).await;
    s.put("allowed", client.broadcast());
    s.put("send", client.send_to(b"x", (ALL, port)).await);
    s.put("to port 0", client.send_to(b"x", (ALL, 0)).await);
    for size in [65_508, 65_536] {
        s.put("much", client.send_to(&vec![7; size], (ALL, port)).await);
    }
    s.put("connect", client.connect((ALL, port)).await);
    s.put("allow", client.set_broadcast(true));
    s.put("allowed", client.broadcast());
    s.put("send", client.send_to(b"hello", (ALL, port)).await);
    receive(&s, "receive", &server).await;
    s.put("forbid", client.set_broadcast(false));
    s.put("send", client.send_to(b"x", (ALL, port)).await);
}

pub(crate) async fn broadcast_comes_to_the_wildcard(s: Rc<Stage>) {
    let (client, _, _) = sockets(&s).await;
    s.put("allow", client.set_broadcast(true));
    for (at, what) in [
        (ANY, "any address"),
        (v4(&s), "its address"),
        (ALL, "the broadcast address"),
    ] {
        let server = socket(s.server, at).await;
        let port = server.local_addr().unwrap().port();
        s.note("bound to", what);
        s.put("send", client.send_to(b"all", (ALL, port)).await);
        receive(&s, "receive", &server).await;
        s.put("send", client.send_to(b"one", (s.server.v4, port)).await);
        receive(&s, "receive", &server).await;
    }
}

pub(crate) async fn broadcast_comes_to_a_dual_stack_socket(s: Rc<Stage>) {
    let (client, _, _) = sockets(&s).await;
    s.put("allow", client.set_broadcast(true));
    let server = socket(s.server, Ipv6Addr::UNSPECIFIED).await;
    let port = server.local_addr().unwrap().port();
    s.put("send", client.send_to(b"all", (ALL, port)).await);
    receive(&s, "receive", &server).await;
}

pub(crate) async fn broadcast_within_the_host(s: Rc<Stage>) {
    let all = Ipv4Addr::new(127, 255, 255, 255);
    let (_, server, port) = sockets(&s).await;
    let sender = socket(s.server, s.server.v4).await;
    s.put("send", sender.send_to(b"x", (all, port)).await);
    s.put("connect", sender.connect((all, port)).await);
    s.put("allow", sender.set_broadcast(true));
    s.put("send", sender.send_to(b"hello", (all, port)).await);
    receive(&s, "receive", &server).await;
    s.put("connect", sender.connect((all, port)).await);
    s.put("send", sender.send(b"again").await);
    receive(&s, "receive", &server).await;
}

pub(crate) async fn broadcast_is_not_refused(s: Rc<Stage>) {
    let (client, _, _) = sockets(&s).await;
    s.put("allow", client.set_broadcast(true));
    s.put("connect", client.connect((ALL, quiet_port())).await);
    for _ in 0..2 {
        s.put("send", client.send(b"x").await);
        s.settle().await;
    }
    s.put("error", client.take_error().map(|error| error.is_some()));
}

pub(crate) async fn group_without_a_member(s: Rc<Stage>) {
    let (client, server, port) = sockets(&s).await;
    s.put("send", client.send_to(b"x", (group(&s), port)).await);
    receive(&s, "receive", &server).await;
}

pub(crate) async fn group_comes_to_its_member(s: Rc<Stage>) {
    let (client, server, port) = sockets(&s).await;
    let group = group(&s);
    s.put("join", server.join_multicast_v4(group, v4(&s)));
    s.put("send", client.send_to(b"hello", (group, port)).await);
    receive(&s, "receive", &server).await;
    s.put("leave", server.leave_multicast_v4(group, v4(&s)));
    s.put("send", client.send_to(b"more", (group, port)).await);
    receive(&s, "receive", &server).await;
}

pub(crate) async fn group_comes_to_who_did_not_join(s: Rc<Stage>) {
    let (client, server, port) = sockets(&s).await;
    let group = group(&s);
    let (first, second) = (socket(s.server, ANY).await, socket(s.server, ANY).await);
    for member in [&first, &second] {
        s.put("another joins", member.join_multicast_v4(group, v4(&s)));
    }
    for member in [first, second] {
        s.put("send", client.send_to(b"x", (group, port)).await);
        receive(&s, "receive", &server).await;
        drop(member);
    }
    s.put("send", client.send_to(b"x", (group, port)).await);
    receive(&s, "receive when all left", &server).await;
}

pub(crate) async fn group_comes_to_the_wildcard(s: Rc<Stage>) {
    let (client, _, _) = sockets(&s).await;
    let group = group(&s);
    for (at, what) in [(v4(&s), "its address"), (group, "the group's address")] {
        let server = socket(s.server, at).await;
        let port = server.local_addr().unwrap().port();
        s.note("bound to", what);
        s.put("join", server.join_multicast_v4(group, v4(&s)));
        s.put("send", client.send_to(b"many", (group, port)).await);
        receive(&s, "receive", &server).await;
        s.put("send", client.send_to(b"one", (s.server.v4, port)).await);
        receive(&s, "receive", &server).await;
    }
}

pub(crate) async fn group_is_joined_once(s: Rc<Stage>) {
    let (_, server, _) = sockets(&s).await;
    let (group, at) = (group(&s), v4(&s));
    s.put("leave", server.leave_multicast_v4(group, at));
    s.put("join", server.join_multicast_v4(group, at));
    s.put("join again", server.join_multicast_v4(group, at));
    s.put("leave", server.leave_multicast_v4(group, at));
    s.put("leave again", server.leave_multicast_v4(group, at));
    s.put("join", server.join_multicast_v4(group, at));
}

pub(crate) async fn group_that_is_none(s: Rc<Stage>) {
    let (_, server, _) = sockets(&s).await;
    let far = Ipv4Addr::new(203, 0, 113, 9);
    for (group, at) in [
        (far, v4(&s)),
        (far, far),
        (ALL, v4(&s)),
        (ANY, v4(&s)),
        (group(&s), far),
        (group(&s), ALL),
        (group(&s), Ipv4Addr::new(127, 255, 255, 255)),
        (group(&s), group(&s)),
    ] {
        s.put("join", server.join_multicast_v4(group, at));
        s.put("leave", server.leave_multicast_v4(group, at));
    }
}

pub(crate) async fn group_after_group(s: Rc<Stage>) {
    let (_, server, _) = sockets(&s).await;
    let [_, b, c, _] = v4(&s).octets();
    let join = |n| server.join_multicast_v4(Ipv4Addr::new(238, b, c, n), v4(&s));
    let joined = (1..=30).take_while(|n| join(*n).is_ok()).count();
    s.note("joined", joined);
    s.put("one more", join(31));
    s.put("one again", join(1));
}

pub(crate) async fn group_as_a_peer(s: Rc<Stage>) {
    let (client, server, port) = sockets(&s).await;
    let group = group(&s);
    s.put("join", server.join_multicast_v4(group, v4(&s)));
    s.put("connect", client.connect((group, port)).await);
    s.put("at", client.local_addr());
    s.put("send", client.send(b"hello").await);
    receive(&s, "receive", &server).await;
    let back = client.local_addr().unwrap();
    s.put("answer", server.send_to(b"answer", back).await);
    receive(&s, "receive the answer", &client).await;
    s.put("connect", client.connect((group, quiet_port())).await);
    for _ in 0..2 {
        s.put("send", client.send(b"x").await);
        s.settle().await;
    }
}

pub(crate) async fn group_at_the_loopback_ignores_the_loop(s: Rc<Stage>) {
    let (client, server, port) = sockets(&s).await;
    let group = group(&s);
    s.put("join", server.join_multicast_v4(group, v4(&s)));
    s.put("no loop", client.set_multicast_loop_v4(false));
    s.put("send", client.send_to(b"hello", (group, port)).await);
    receive(&s, "receive", &server).await;
}

/// What a host sends to a group that it joined, and that goes no further.
pub(crate) async fn group_loop_is_switched(s: Rc<Stage>) {
    let (_, server, port) = sockets(&s).await;
    let sender = socket(s.server, ANY).await;
    let group = group(&s);
    s.put("stay", sender.set_multicast_ttl_v4(0));
    s.put("send", sender.send_to(b"x", (group, port)).await);
    receive_text(&s, "receive", &server).await;
    s.put("join", server.join_multicast_v4(group, ANY));
    for on in [true, false, true] {
        s.put("loop", sender.set_multicast_loop_v4(on));
        s.put("send", sender.send_to(b"x", (group, port)).await);
        receive_text(&s, "receive", &server).await;
    }
    s.put("to all", sender.send_to(b"all", ("224.0.0.1", port)).await);
    receive_text(&s, "receive", &server).await;
    s.put("leave", server.leave_multicast_v4(group, ANY));
    s.put("send", sender.send_to(b"x", (group, port)).await);
    receive_text(&s, "receive", &server).await;
}

pub(crate) async fn group_of_ipv6_loop_is_switched(s: Rc<Stage>) {
    let sender = socket(s.server, Ipv6Addr::UNSPECIFIED).await;
    let server = socket(s.server, Ipv6Addr::UNSPECIFIED).await;
    let port = server.local_addr().unwrap().port();
    let group = group_v6(&s);
    s.put("send", sender.send_to(b"x", (group, port)).await);
    receive_text(&s, "receive", &server).await;
    s.put("join", server.join_multicast_v6(&group, 0));
    for on in [true, false, true] {
        s.put("loop", sender.set_multicast_loop_v6(on));
        s.put("send", sender.send_to(b"x", (group, port)).await);
        receive_text(&s, "receive", &server).await;
    }
    s.put("leave", server.leave_multicast_v6(&group, 0));
    s.put("send", sender.send_to(b"x", (group, port)).await);
    receive_text(&s, "receive", &server).await;
}

pub(crate) async fn group_of_ipv6_is_joined_once(s: Rc<Stage>) {
    let server = socket(s.server, Ipv6Addr::UNSPECIFIED).await;
    let group = group_v6(&s);
    s.put("leave", server.leave_multicast_v6(&group, 1));
    s.put("join", server.join_multicast_v6(&group, 1));
    s.put("join again", server.join_multicast_v6(&group, 1));
    s.put("join anywhere", server.join_multicast_v6(&group, 0));
    s.put("leave elsewhere", server.leave_multicast_v6(&group, 9_999));
    s.put("leave anywhere", server.leave_multicast_v6(&group, 0));
    s.put("leave again", server.leave_multicast_v6(&group, 1));
    s.put("join nowhere", server.join_multicast_v6(&group, 9_999));
    let none = Ipv6Addr::LOCALHOST;
    s.put("join none", server.join_multicast_v6(&none, 9_999));
    s.put("leave none", server.leave_multicast_v6(&none, 1));
    let at = s.server.make(UdpSocket::bind("[ff02::9]:0"));
    s.made("bind without an interface", at.await);
}

pub(crate) async fn group_of_ipv6_on_a_socket_of_ipv4(s: Rc<Stage>) {
    let (_, server, port) = sockets(&s).await;
    let group = group_v6(&s);
    s.put("join", server.join_multicast_v6(&group, 1));
    s.put("leave", server.leave_multicast_v6(&group, 1));
    s.put("loop", server.multicast_loop_v6());
    s.put("loop", server.set_multicast_loop_v6(true));
    s.put("class", server.tclass_v6());
    s.put("class", server.set_tclass_v6(1));
    s.put("send", server.send_to(b"x", (group, port)).await);
}
