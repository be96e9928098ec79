//! Addresses of sockets: who may have which.

use super::*;

/// What socket `bind` with this address and `SO_REUSEADDR` gives.
async fn bind(s: &Stage, at: SocketAddr, reuse: bool) -> io::Result<TcpSocket> {
    let bind = async move {
        let socket = match at {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(reuse)?;
        socket.bind(at)?;
        Ok(socket)
    };
    s.server.make(bind).await
}

async fn listen(s: &Stage, socket: TcpSocket) -> io::Result<TcpListener> {
    s.server.make(async move { socket.listen(10) }).await
}

pub(crate) async fn bind_in_use(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let again = TcpListener::bind(address);
    s.made("bind again", s.server.make(again).await);
    drop(listener);
    let again = TcpListener::bind(address);
    s.made("bind when it is closed", s.server.make(again).await);
}

pub(crate) async fn bind_to_an_address_of_others(s: Rc<Stage>) {
    for address in ["203.0.113.9:0", "[2001:db8::9]:0"] {
        let bind = TcpListener::bind(address);
        s.made(address, s.server.make(bind).await);
    }
}

pub(crate) async fn bind_to_port_zero_takes_another_each_time(s: Rc<Stage>) {
    let (_a, first) = s.listen().await;
    let (_b, second) = s.listen().await;
    s.note("first", first);
    s.note("second", second);
    s.note("from the ephemeral range", first.port() >= 32_768);
}

pub(crate) async fn bind_with_and_without_reuse(s: Rc<Stage>) {
    for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
        let kept = bind(&s, (s.server.v4, 0).into(), first).await.unwrap();
        let address = kept.local_addr().unwrap();
        let other = bind(&s, address, second).await;
        let call = format!("reuse {first}, then {second}");
        let Some(other) = s.made(&call, other) else {
            continue;
        };
        let _listener = s.made("the second listens", listen(&s, other).await);
        s.made("the first listens", listen(&s, kept).await);
    }
}

pub(crate) async fn bind_beside_a_listener_with_reuse(s: Rc<Stage>) {
    let kept = bind(&s, (s.server.v4, 0).into(), true).await.unwrap();
    let address = kept.local_addr().unwrap();
    let _listener = listen(&s, kept).await.unwrap();
    s.made("with reuse", bind(&s, address, true).await);
    s.made("without", bind(&s, address, false).await);
}

pub(crate) async fn bind_wildcard_and_specific(s: Rc<Stage>) {
    let wildcard = SocketAddr::new("0.0.0.0".parse().unwrap(), 0);
    let kept = bind(&s, wildcard, false).await.unwrap();
    let port = kept.local_addr().unwrap().port();
    s.put("wildcard", kept.local_addr());
    for (ip, name) in [
        (s.server.v4, "its address"),
        ("127.0.0.9".parse().unwrap(), "another of the loopback"),
        ("0.0.0.0".parse().unwrap(), "the wildcard again"),
        ("::".parse().unwrap(), "the wildcard of v6"),
        ("::1".parse().unwrap(), "the loopback of v6"),
        ("::ffff:127.0.0.1".parse().unwrap(), "a mapped address"),
    ] {
        s.made(name, bind(&s, (ip, port).into(), false).await);
    }
}

pub(crate) async fn bind_wildcard_of_v6_and_others(s: Rc<Stage>) {
    let wildcard = SocketAddr::new("::".parse().unwrap(), 0);
    let kept = bind(&s, wildcard, false).await.unwrap();
    let port = kept.local_addr().unwrap().port();
    for (ip, name) in [
        (s.server.v4, "its address"),
        ("0.0.0.0".parse().unwrap(), "the wildcard of v4"),
        ("::".parse().unwrap(), "the wildcard again"),
        ("::1".parse().unwrap(), "the loopback of v6"),
    ] {
        s.made(name, bind(&s, (ip, port).into(), false).await);
    }
}

pub(crate) async fn bind_specific_and_wildcard(s: Rc<Stage>) {
    let port = quiet_port();
    let kept = bind(&s, (s.server.v4, port).into(), true).await.unwrap();
    let wildcard = SocketAddr::new("0.0.0.0".parse().unwrap(), port);
    s.made("without reuse", bind(&s, wildcard, false).await);
    s.made("with reuse", bind(&s, wildcard, true).await);
    let _listener = listen(&s, kept).await.unwrap();
    s.made("beside a listener", bind(&s, wildcard, true).await);
    let other = SocketAddr::new("127.0.0.9".parse().unwrap(), port);
    s.made("another address", bind(&s, other, false).await);
}

pub(crate) async fn bind_with_the_other_family(s: Rc<Stage>) {
    let (v4, v6) = (
        SocketAddr::new(s.server.v4, 0),
        SocketAddr::new(s.server.v6, 0),
    );
    let bind = async move { TcpSocket::new_v4()?.bind(v6) };
    s.put("a socket of v4 to v6", s.server.make(bind).await);
    let bind = async move { TcpSocket::new_v6()?.bind(v4) };
    s.put("a socket of v6 to v4", s.server.make(bind).await);
    let mapped = "[::ffff:127.0.0.1]:0".parse().unwrap();
    let bind = async move {
        let socket = TcpSocket::new_v6()?;
        socket.bind(mapped)?;
        socket.local_addr()
    };
    s.put("to a mapped address", s.server.make(bind).await);
}

pub(crate) async fn listen_without_an_address(s: Rc<Stage>) {
    let log = s.clone();
    let listen = async move {
        let socket = TcpSocket::new_v4()?;
        log.put("before", socket.local_addr());
        socket.listen(10)
    };
    let listener = s.server.make(listen).await.unwrap();
    s.put("after", listener.local_addr());
    let to = (s.server.v4, listener.local_addr().unwrap().port());
    s.made("connect", s.connect(to.into()).await);
    s.made("accept", listener.accept().await);
}

pub(crate) async fn bind_while_the_old_connection_waits(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let (mut client, server) = s.pair_with(&listener, address).await;
    drop(listener);
    s.made(
        "beside the connection, no reuse",
        bind(&s, address, false).await,
    );
    s.made(
        "beside the connection, reuse",
        bind(&s, address, true).await,
    );
    drop(server);
    s.read("client reads", &mut client, 10).await;
    drop(client);
    s.settle().await;
    s.made("after it, no reuse", bind(&s, address, false).await);
    let again = bind(&s, address, true).await;
    let Some(again) = s.made("after it, reuse", again) else {
        return;
    };
    let listener = listen(&s, again).await.unwrap();
    s.made("connect", s.connect(address).await);
    s.made("accept", listener.accept().await);
}

pub(crate) async fn bind_after_the_client_closed_first(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let (client, mut server) = s.pair_with(&listener, address).await;
    drop(listener);
    drop(client);
    s.read("server reads", &mut server, 10).await;
    drop(server);
    s.settle().await;
    s.made("no reuse", bind(&s, address, false).await);
}

pub(crate) async fn bind_after_a_reset(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let (_client, server) = s.pair_with(&listener, address).await;
    drop(listener);
    server.set_zero_linger().unwrap();
    drop(server);
    s.settle().await;
    s.made("no reuse", bind(&s, address, false).await);
}

pub(crate) async fn bind_gives_its_port_back(s: Rc<Stage>) {
    let (socket, address) = s.bound().await;
    s.made("while it is there", bind(&s, address, false).await);
    drop(socket);
    s.made("when it is gone", bind(&s, address, false).await);
}

pub(crate) async fn options_of_a_socket(s: Rc<Stage>) {
    let log = s.clone();
    let socket = async move {
        let socket = TcpSocket::new_v4()?;
        log.put("reuseaddr", socket.reuseaddr());
        log.put("nodelay", socket.nodelay());
        log.put("linger", socket.linger());
        log.put("set reuseaddr", socket.set_reuseaddr(true));
        log.put("set nodelay", socket.set_nodelay(true));
        log.put("reuseaddr", socket.reuseaddr());
        log.put("nodelay", socket.nodelay());
        for size in [0, 1, 5_000, 100_000] {
            log.put("set send buffer", socket.set_send_buffer_size(size));
            log.put("send buffer", socket.send_buffer_size());
            log.put("set receive buffer", socket.set_recv_buffer_size(size));
            log.put("receive buffer", socket.recv_buffer_size());
        }
        log.put("error", socket.take_error().map(|error| error.is_some()));
        io::Result::Ok(())
    };
    s.put("all", s.server.make(socket).await);
}

pub(crate) async fn more_options_of_a_socket(s: Rc<Stage>) {
    let log = s.clone();
    let socket = async move {
        let socket = TcpSocket::new_v4()?;
        log.put("keepalive", socket.keepalive());
        log.put("set keepalive", socket.set_keepalive(true));
        log.put("keepalive", socket.keepalive());
        log.put("set keepalive", socket.set_keepalive(false));
        log.put("keepalive", socket.keepalive());
        log.put("set zero linger", socket.set_zero_linger());
        log.put("linger", socket.linger());
        log.put("tos", socket.tos_v4());
        for tos in [16, 3, 255, 256] {
            log.put("set tos", socket.set_tos_v4(tos));
            log.put("tos", socket.tos_v4());
        }
        log.put("tclass", socket.tclass_v6());
        log.put("set tclass", socket.set_tclass_v6(16));
        io::Result::Ok(())
    };
    s.put("all", s.server.make(socket).await);
}
