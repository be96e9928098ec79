//! Datagrams.

use super::*;

async fn socket(place: Place, at: SocketAddr) -> UdpSocket {
    place.make(UdpSocket::bind(at)).await.unwrap()
}

/// A socket of the client's and one of the server's, with the server's address.
async fn sockets(s: &Stage) -> (UdpSocket, UdpSocket, SocketAddr) {
    let client = socket(s.client, (s.client.v4, 0).into()).await;
    let server = socket(s.server, (s.server.v4, 0).into()).await;
    let address = server.local_addr().unwrap();
    (client, server, address)
}

/// A connected socket whose peer is not there any more.
async fn abandoned(s: &Stage) -> UdpSocket {
    let (client, server, address) = sockets(s).await;
    client.connect(address).await.unwrap();
    drop(server);
    client
}

async fn receive(s: &Stage, call: &str, socket: &UdpSocket, size: usize) {
    let mut buffer = vec![0; size];
    let result = socket.recv_from(&mut buffer).await;
    s.put(
        call,
        result.map(|(length, from)| (bytes(&buffer[..length]), from)),
    );
}

pub(crate) async fn udp_there_and_back(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    s.put("send", client.send_to(b"hello", address).await);
    receive(&s, "receive", &server, 10).await;
    let back = client.local_addr().unwrap();
    s.put("answer", server.send_to(b"answer", back).await);
    receive(&s, "receive", &client, 10).await;
    s.put("peer", client.peer_addr());
}

pub(crate) async fn udp_refused_on_the_next_send(s: Rc<Stage>) {
    let client = abandoned(&s).await;
    s.put("send", client.send(b"x").await);
    s.settle().await;
    s.put("send", client.send(b"x").await);
    s.settle().await;
    s.put("send", client.send(b"x").await);
}

pub(crate) async fn udp_unconnected_hears_no_refusal(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    drop(server);
    s.put("send", client.send_to(b"x", address).await);
    s.settle().await;
    s.put("send", client.send_to(b"x", address).await);
    s.waits("receive", client.recv(&mut [0; 10])).await;
}

pub(crate) async fn udp_cuts_what_does_not_fit(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    s.put("send", client.send_to(b"hello world", address).await);
    s.put("send", client.send_to(b"next", address).await);
    receive(&s, "receive", &server, 5).await;
    receive(&s, "receive", &server, 5).await;
}

pub(crate) async fn udp_empty_datagrams(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    s.put("send", client.send_to(b"", address).await);
    s.put("send", client.send_to(b"x", address).await);
    receive(&s, "receive", &server, 5).await;
    receive(&s, "receive into nothing", &server, 0).await;
    s.waits("receive", server.recv(&mut [0; 10])).await;
}

pub(crate) async fn udp_to_port_zero(s: Rc<Stage>) {
    let (client, _server, _) = sockets(&s).await;
    let to = SocketAddr::new(s.server.v4, 0);
    s.put("send", client.send_to(b"x", to).await);
}

pub(crate) async fn udp_sizes(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    for size in [65_507, 65_508, 100_000] {
        s.put("send", client.send_to(&vec![7; size], address).await);
    }
    receive(&s, "receive", &server, 70_000).await;
}

pub(crate) async fn udp_send_without_a_peer(s: Rc<Stage>) {
    let (client, _server, _) = sockets(&s).await;
    s.put("send", client.send(b"x").await);
    s.put("send nothing", client.send(b"").await);
}

pub(crate) async fn udp_connected_hears_its_peer_alone(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    let other = socket(s.client, (s.client.v4, 0).into()).await;
    server.connect(client.local_addr().unwrap()).await.unwrap();
    s.put("peer", server.peer_addr());
    s.put("the other sends", other.send_to(b"other", address).await);
    s.put("the peer sends", client.send_to(b"peer", address).await);
    receive(&s, "receive", &server, 10).await;
    s.waits("receive", server.recv(&mut [0; 10])).await;
}

pub(crate) async fn udp_connect_again(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    let second = socket(s.server, (s.server.v4, 0).into()).await;
    s.put("connect", client.connect(address).await);
    s.put("send", client.send(b"first").await);
    let other = second.local_addr().unwrap();
    s.put("connect", client.connect(other).await);
    s.put("send", client.send(b"second").await);
    receive(&s, "the first receives", &server, 10).await;
    receive(&s, "the second receives", &second, 10).await;
    s.put("to another", client.send_to(b"third", address).await);
    receive(&s, "the first receives", &server, 10).await;
}

pub(crate) async fn udp_peek_leaves_the_datagram(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    s.put("send", client.send_to(b"hello", address).await);
    let mut buffer = [0; 3];
    s.put("peek", server.peek_from(&mut buffer).await);
    s.note("seen", bytes(&buffer));
    receive(&s, "receive", &server, 10).await;
}

pub(crate) async fn udp_bind_in_use(s: Rc<Stage>) {
    let (_client, server, address) = sockets(&s).await;
    let bind = s.server.make(UdpSocket::bind(address)).await;
    s.made("bind again", bind);
    drop(server);
    s.made("later", s.server.make(UdpSocket::bind(address)).await);
    let far = UdpSocket::bind("203.0.113.9:0");
    s.made("elsewhere", s.server.make(far).await);
}

pub(crate) async fn udp_attempts_do_not_wait(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    let mut buffer = [0; 10];
    s.put("try", server.try_recv(&mut buffer));
    s.put("send", client.send_to(b"hello", address).await);
    s.put("readable", server.readable().await);
    s.put("try", server.try_recv_from(&mut buffer));
    s.put("try", server.try_recv_from(&mut buffer));
}

pub(crate) async fn udp_options_of_a_socket(s: Rc<Stage>) {
    let (socket, _, _) = sockets(&s).await;
    s.put("ttl", socket.ttl());
    s.put("groups' ttl", socket.multicast_ttl_v4());
    s.put("tos", socket.tos_v4());
    s.put("loop", socket.multicast_loop_v4());
    s.put("broadcast", socket.broadcast());
    for value in [0, 1, 3, 200, 255, 256, 511, u32::MAX, u32::MAX - 1] {
        s.note("value", value);
        s.put("set ttl", socket.set_ttl(value));
        s.put("ttl", socket.ttl());
        s.put("set groups' ttl", socket.set_multicast_ttl_v4(value));
        s.put("groups' ttl", socket.multicast_ttl_v4());
        s.put("set tos", socket.set_tos_v4(value));
        s.put("tos", socket.tos_v4());
    }
    for on in [false, true] {
        s.put("set loop", socket.set_multicast_loop_v4(on));
        s.put("loop", socket.multicast_loop_v4());
        s.put("set broadcast", socket.set_broadcast(on));
        s.put("broadcast", socket.broadcast());
    }
}

pub(crate) async fn udp_options_of_a_socket_of_ipv6(s: Rc<Stage>) {
    let socket = socket(s.server, (s.server.v6, 0).into()).await;
    s.put("ttl", socket.ttl());
    s.put("groups' ttl", socket.multicast_ttl_v4());
    s.put("class", socket.tclass_v6());
    s.put("loop", socket.multicast_loop_v6());
    s.put("loop of IPv4", socket.multicast_loop_v4());
    for value in [0, 3, 255, 256, u32::MAX, u32::MAX - 1] {
        s.put("set class", socket.set_tclass_v6(value));
        s.put("class", socket.tclass_v6());
        s.put("set tos", socket.set_tos_v4(value));
        s.put("tos", socket.tos_v4());
    }
    for on in [false, true] {
        s.put("set loop", socket.set_multicast_loop_v6(on));
        s.put("loop", socket.multicast_loop_v6());
        s.put("loop of IPv4", socket.multicast_loop_v4());
    }
}

pub(crate) async fn udp_sizes_of_ipv6(s: Rc<Stage>) {
    let client = socket(s.client, (s.client.v6, 0).into()).await;
    let server = socket(s.server, (s.server.v6, 0).into()).await;
    let address = server.local_addr().unwrap();
    for size in [65_507, 65_527, 65_528, 65_536] {
        s.put("send", client.send_to(&vec![7; size], address).await);
        let nowhere = SocketAddr::new(address.ip(), 0);
        s.put("to port 0", client.send_to(&vec![7; size], nowhere).await);
    }
    receive(&s, "receive", &server, 70_000).await;
    receive(&s, "receive", &server, 70_000).await;
}

pub(crate) async fn udp_connect_to_port_zero(s: Rc<Stage>) {
    let (client, server, _) = sockets(&s).await;
    s.put("connect", client.connect((s.server.v4, 0)).await);
    s.put("peer", client.peer_addr());
    s.put("send", client.send(b"x").await);
    s.settle().await;
    s.put("send", client.send(b"x").await);
    let back = client.local_addr().unwrap();
    s.put("the host sends", server.send_to(b"hello", back).await);
    receive(&s, "receive", &client, 10).await;
    let to = SocketAddr::new(s.server.v4, 0);
    s.put("send", client.send_to(b"x", to).await);
}

pub(crate) async fn udp_errors_of_the_address_come_first(s: Rc<Stage>) {
    let client = abandoned(&s).await;
    let to = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
    let here = s.server.v4.to_string();
    for (size, to) in [
        (1, to(&here, 0)),
        (65_508, to(&here, 0)),
        (65_536, to(&here, 0)),
        (65_508, to(&here, 9)),
        (65_508, to("255.255.255.255", 9)),
        (1, to("255.255.255.255", 9)),
    ] {
        s.put("send", client.send(b"x").await);
        s.settle().await;
        s.put("send", client.send_to(&vec![7; size], to).await);
        s.put("send", client.send(b"x").await);
    }
}

pub(crate) async fn udp_error_is_taken(s: Rc<Stage>) {
    let client = abandoned(&s).await;
    s.put("send", client.send(b"x").await);
    s.settle().await;
    for _ in 0..2 {
        let error = client.take_error();
        s.put("take", error.map(|error| error.map(|error| error.kind())));
    }
    s.put("send", client.send(b"x").await);
}

pub(crate) async fn udp_receives_behind_what_is_there(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    for text in ["one", "two", "three", "four and more"] {
        s.put("send", client.send_to(text.as_bytes(), address).await);
    }
    let mut data = Vec::with_capacity(100);
    s.put("receive", server.recv_buf(&mut data).await);
    s.put("receive", server.recv_buf_from(&mut data).await);
    s.put("receive", server.try_recv_buf(&mut data));
    s.note("data", bytes(&data));
    let mut place = [0; 4];
    s.put("receive", server.try_recv_buf_from(&mut &mut place[..]));
    s.note("data", bytes(&place));
    s.put("receive", server.try_recv_buf(&mut data));
    s.waits("receive", server.recv_buf(&mut data)).await;
    s.put("send", client.send_to(b"last", address).await);
    s.put(
        "receive into nothing",
        server.recv_buf(&mut &mut place[..0]).await,
    );
}

pub(crate) async fn udp_operations_of_the_program(s: Rc<Stage>) {
    let (client, server, address) = sockets(&s).await;
    let mut buffer = [0; 10];
    s.put("none", server.try_io(Interest::READABLE, || Ok("called")));
    s.put("writable", client.writable().await);
    s.put("some", client.try_io(Interest::WRITABLE, || Ok("called")));
    s.put("send", client.send_to(b"hello", address).await);
    let receive = server.async_io(Interest::READABLE, || server.try_recv(&mut buffer));
    s.put("receive", receive.await);
    s.note("received", bytes(&buffer[..5]));
    s.put("send", client.send_to(b"again", address).await);
    s.put("readable", server.readable().await);
    s.put("some", server.try_io(Interest::READABLE, || Ok("called")));
    let mut calls = 0;
    let never = server.async_io(Interest::READABLE, || {
        calls += 1;
        io::Result::<()>::Err(io::ErrorKind::WouldBlock.into())
    });
    s.waits("who says it would wait", never).await;
    s.note("it was asked", calls > 0);
    let fails = client.async_io(Interest::WRITABLE, || {
        io::Result::<()>::Err(io::ErrorKind::Other.into())
    });
    s.waits("who fails", fails).await;
}

pub(crate) async fn udp_ready_for_an_error(s: Rc<Stage>) {
    let client = abandoned(&s).await;
    s.waits("before", client.ready(Interest::ERROR)).await;
    s.put("send", client.send(b"x").await);
    s.settle().await;
    s.waits("after", client.ready(Interest::ERROR)).await;
    s.waits("writable", client.ready(Interest::WRITABLE)).await;
}
