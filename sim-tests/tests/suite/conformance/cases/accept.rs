//! Listening, and taking connections in.

use super::*;

pub(crate) async fn accept_in_the_order_of_connecting(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = s.connect(address).await.unwrap();
        s.settle().await;
        s.put("connected", client.local_addr());
        clients.push(client);
    }
    for _ in 0..3 {
        let (_, from) = listener.accept().await.unwrap();
        s.note("accepted", from);
    }
    s.waits("accept", async { listener.accept().await.map(drop) })
        .await;
}

pub(crate) async fn accept_after_the_client_closed(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let mut client = s.connect(address).await.unwrap();
    s.write("client writes", &mut client, b"bye").await;
    drop(client);
    s.settle().await;
    let (mut server, from) = listener.accept().await.unwrap();
    s.note("accepted", from);
    s.put("peer", server.peer_addr());
    s.read_rest("server reads", &mut server).await;
    s.write("server writes", &mut server, b"late").await;
    s.settle().await;
    s.write("server writes", &mut server, b"later").await;
}

pub(crate) async fn accept_after_the_client_reset(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let mut client = s.connect(address).await.unwrap();
    s.write("client writes", &mut client, b"bye").await;
    s.settle().await;
    client.set_zero_linger().unwrap();
    drop(client);
    s.settle().await;
    let (mut server, from) = listener.accept().await.unwrap();
    s.note("accepted", from);
    s.put("peer", server.peer_addr());
    s.put("local", server.local_addr());
    s.read("server reads", &mut server, 10).await;
    s.read("server reads", &mut server, 10).await;
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"late").await;
}

pub(crate) async fn backlog_of_one_takes_two(s: Rc<Stage>) {
    backlog(s, 1, 2).await;
}

pub(crate) async fn backlog_of_zero_takes_one(s: Rc<Stage>) {
    backlog(s, 0, 1).await;
}

async fn backlog(s: Rc<Stage>, backlog: u32, takes: usize) {
    let (socket, address) = s.bound().await;
    let listen = async move { socket.listen(backlog) };
    let listener = s.server.make(listen).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..takes {
        let client = s.connect(address).await;
        clients.push(s.made("connect", client));
        s.settle().await;
    }
    s.waits("one more", async { s.connect(address).await.map(drop) })
        .await;
    s.made("accept", listener.accept().await);
    let client = s.connect(address).await;
    clients.push(s.made("after accept", client));
}

pub(crate) async fn dropping_a_listener_resets_its_queue(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let mut client = s.connect(address).await.unwrap();
    s.settle().await;
    drop(listener);
    s.settle().await;
    s.put("peer", client.peer_addr());
    s.read("read", &mut client, 10).await;
    s.read("read", &mut client, 10).await;
    s.write("write", &mut client, b"x").await;
}

pub(crate) async fn dropping_a_listener_keeps_what_was_accepted(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    let (mut client, mut server) = s.pair_with(&listener, address).await;
    drop(listener);
    s.made("connect", s.connect(address).await);
    s.write("write", &mut client, b"still here").await;
    s.read("read", &mut server, 20).await;
}

pub(crate) async fn accepted_streams_inherit_options(s: Rc<Stage>) {
    let (socket, address) = s.bound().await;
    socket.set_nodelay(true).unwrap();
    socket.set_send_buffer_size(20_000).unwrap();
    let listen = async move { socket.listen(10) };
    let listener = s.server.make(listen).await.unwrap();
    let (client, server) = s.pair_with(&listener, address).await;
    s.put("client nodelay", client.nodelay());
    s.put("server nodelay", server.nodelay());
    s.put("client linger", client.linger());
    s.put("server linger", server.linger());
}

pub(crate) async fn a_cancelled_accept_loses_nothing(s: Rc<Stage>) {
    let (listener, address) = s.listen().await;
    s.waits("accept", async { listener.accept().await.map(drop) })
        .await;
    let client = s.connect(address).await.unwrap();
    s.put("connected", client.local_addr());
    let (_, from) = listener.accept().await.unwrap();
    s.note("accepted", from);
}

pub(crate) async fn options_of_a_listener(s: Rc<Stage>) {
    let (socket, address) = s.bound().await;
    socket.set_keepalive(true).unwrap();
    let listen = async move { socket.listen(10) };
    let listener = s.server.make(listen).await.unwrap();
    s.put("ttl", listener.ttl());
    s.put("set ttl", listener.set_ttl(0));
    s.put("set ttl", listener.set_ttl(9));
    s.put("ttl", listener.ttl());
    let (client, server) = s.pair_with(&listener, address).await;
    s.put("client ttl", client.ttl());
    s.put("server ttl", server.ttl());
}
