//! Asking for a connection.

use super::*;

pub(crate) async fn connect_to_a_bound_port_is_refused(s: Rc<Stage>) {
    let (_kept, address) = s.bound().await;
    s.made("connect", s.connect(address).await);
}

pub(crate) async fn connect_after_the_listener_is_refused(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    s.made("connect", s.connect(address).await);
    drop(listener);
    s.settle().await;
    s.made("connect again", s.connect(address).await);
}

pub(crate) async fn connect_to_port_zero(s: Rc<Stage>) {
    let address = (s.server.v4, 0).into();
    s.made("connect", s.connect(address).await);
}

pub(crate) async fn connect_to_many(s: Rc<Stage>) {
    for address in ["255.255.255.255:80", "224.0.0.1:80"] {
        let address = address.parse().unwrap();
        s.made("connect", s.connect(address).await);
    }
}

pub(crate) async fn connect_to_the_wildcard_is_loopback(s: Rc<Stage>) {
    let (listener, address) = s.listen_at("127.0.0.1:0".parse().unwrap()).await;
    let wildcard = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
    let stream = s.server.make(TcpStream::connect(wildcard)).await;
    let Some(stream) = s.made("connect", stream) else {
        return;
    };
    let (_server, peer) = listener.accept().await.unwrap();
    s.put("listener", listener.local_addr());
    s.put("local", stream.local_addr());
    s.put("peer", stream.peer_addr());
    s.note("accepted from", peer);
}

pub(crate) async fn connect_tries_each_address(s: Rc<Stage>) {
    let (_kept, closed) = s.bound().await;
    let (_listener, open) = s.listen().await;
    let addresses = [closed, open];
    let connect = async move { TcpStream::connect(&addresses[..]).await };
    let stream = s.client.make(connect).await;
    if let Some(stream) = s.made("connect", stream) {
        s.note("to the second", stream.peer_addr().unwrap() == open);
    }
    let addresses = [closed, closed];
    let connect = async move { TcpStream::connect(&addresses[..]).await };
    s.made("connect to none", s.client.make(connect).await);
    let none = async { TcpStream::connect(&[][..]).await };
    s.made("connect to nothing", s.client.make(none).await);
}

pub(crate) async fn connect_by_bad_text(s: Rc<Stage>) {
    for text in ["no port", "127.0.0.1:x", "127.0.0.1:70000", ":", "1.2.3.4:"] {
        let connect = TcpStream::connect(text);
        s.made(text, s.client.make(connect).await);
    }
}

/// What both ends of a connection say of their addresses.
fn addresses(s: &Stage, client: &TcpStream, server: &TcpStream, from: SocketAddr) {
    s.put("client local", client.local_addr());
    s.put("client peer", client.peer_addr());
    s.put("server local", server.local_addr());
    s.put("server peer", server.peer_addr());
    s.note("accepted from", from);
}

pub(crate) async fn addresses_on_each_side(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    s.note("listener", address);
    let client = s.connect(address).await.unwrap();
    let (server, from) = listener.accept().await.unwrap();
    addresses(&s, &client, &server, from);
}

pub(crate) async fn addresses_of_ipv6(s: Rc<Stage>) {
    let (listener, address) = s.listen_at((s.server.v6, 0).into()).await;
    s.note("listener", address);
    let client = s.connect(address).await.unwrap();
    let (server, from) = listener.accept().await.unwrap();
    addresses(&s, &client, &server, from);
}

pub(crate) async fn addresses_of_a_dual_stack_listener(s: Rc<Stage>) {
    let (listener, address) = s.listen_at("[::]:0".parse().unwrap()).await;
    s.note("listener", address);
    let port = address.port();
    for to in [s.server.v4, s.server.v6] {
        let client = s.connect((to, port).into()).await.unwrap();
        let (server, from) = listener.accept().await.unwrap();
        addresses(&s, &client, &server, from);
    }
}

pub(crate) async fn connect_to_a_mapped_address(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let text = format!("[::ffff:{}]:{}", s.server.v4, address.port());
    let client = s.connect(text.parse().unwrap()).await;
    let Some(client) = s.made("connect", client) else {
        return;
    };
    let (server, from) = listener.accept().await.unwrap();
    s.put("client local", client.local_addr());
    s.put("client peer", client.peer_addr());
    s.put("server peer", server.peer_addr());
    s.note("accepted from", from);
}

pub(crate) async fn connect_with_the_other_family(s: Rc<Stage>) {
    let (_listener, v4) = s.listen().await;
    let (_listener, v6) = s.listen_at((s.server.v6, 0).into()).await;
    let connect = async move { TcpSocket::new_v4()?.connect(v6).await };
    s.made("a socket of v4 to v6", s.client.make(connect).await);
    let connect = async move { TcpSocket::new_v6()?.connect(v4).await };
    s.made("a socket of v6 to v4", s.client.make(connect).await);
}

pub(crate) async fn connect_from_a_bound_socket(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let own = SocketAddr::new(s.client.v4, 0);
    let log = s.clone();
    let connect = async move {
        let socket = TcpSocket::new_v4()?;
        log.put("local before", socket.local_addr());
        log.put("bind", socket.bind(own));
        log.put("local after", socket.local_addr());
        log.put("bind again", socket.bind(own));
        socket.connect(address).await
    };
    let stream = s.client.make(connect).await.unwrap();
    s.put("local", stream.local_addr());
    let (_, from) = listener.accept().await.unwrap();
    s.note("accepted from", from);
}

pub(crate) async fn connect_twice_between_two_addresses(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let (_other, other_address) = s.listen().await;
    let any = SocketAddr::new(s.client.v4, 0);
    let socket = move |at| async move {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        io::Result::Ok(socket)
    };
    let first = s.client.make(socket(any)).await.unwrap();
    let own = first.local_addr().unwrap();
    let second = s.client.make(socket(own)).await;
    let third = s.client.make(socket(own)).await;
    let stream = s.client.make(first.connect(address)).await;
    let _stream = s.made("first", stream);
    let _server = listener.accept().await.unwrap();
    if let Some(second) = s.made("bind second", second) {
        s.made("second", s.client.make(second.connect(address)).await);
    }
    if let Some(third) = s.made("bind third", third) {
        let stream = s.client.make(third.connect(other_address)).await;
        s.made("third, elsewhere", stream);
    }
}

pub(crate) async fn connect_to_oneself(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let connect = TcpStream::connect(address);
    let mut client = s.server.make(connect).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    s.write("write", &mut client, b"to myself").await;
    s.read("read", &mut server, 20).await;
    s.note(
        "one host",
        client.local_addr().unwrap() == server.peer_addr().unwrap(),
    );
}

/// A socket of the server that is connected to its own address.
async fn connected_to_itself(s: &Stage) -> Option<TcpStream> {
    let (socket, address) = s.bound().await;
    let connect = socket.connect(address);
    s.made("connect", s.server.make(connect).await)
}

pub(crate) async fn connect_to_ones_own_address(s: Rc<Stage>) {
    let Some(mut stream) = connected_to_itself(&s).await else {
        return;
    };
    s.put("local", stream.local_addr());
    s.put("peer", stream.peer_addr());
    s.write("write", &mut stream, b"to myself").await;
    s.read("read", &mut stream, 20).await;
    s.put("end", stream.shutdown().await);
    s.read("read", &mut stream, 20).await;
    s.write("write", &mut stream, b"x").await;
}

pub(crate) async fn what_a_socket_says_to_itself_is_unread(s: Rc<Stage>) {
    let Some(mut stream) = connected_to_itself(&s).await else {
        return;
    };
    let address = stream.local_addr().unwrap();
    s.write("write", &mut stream, b"unread").await;
    s.settle().await;
    drop(stream);
    s.settle().await;
    let bind = TcpListener::bind(address);
    s.made("listen", s.server.make(bind).await);
}
