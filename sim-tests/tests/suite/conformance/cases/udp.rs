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
