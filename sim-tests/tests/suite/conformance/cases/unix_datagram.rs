//! Datagrams of Unix sockets.

use super::*;

async fn bind(s: &Stage, path: PathBuf) -> io::Result<UnixDatagram> {
    let socket = s.server.make(async { UnixDatagram::bind(path) }).await?;
    socket.writable().await?;
    Ok(socket)
}

async fn unbound(s: &Stage) -> UnixDatagram {
    let socket = s.client.make(async { UnixDatagram::unbound() }).await;
    let socket = socket.unwrap();
    socket.writable().await.unwrap();
    socket
}

async fn two(s: &Stage) -> (UnixDatagram, UnixDatagram) {
    let pair = s.server.make(async { UnixDatagram::pair() }).await;
    let (one, other) = pair.unwrap();
    one.writable().await.unwrap();
    other.writable().await.unwrap();
    (one, other)
}

async fn receive(s: &Stage, call: &str, socket: &UnixDatagram, size: usize) {
    let mut buffer = vec![0; size];
    let result = timeout(SHORT, socket.recv_from(&mut buffer)).await;
    match result {
        Ok(result) => {
            let result = result.map(|(length, from)| (bytes(&buffer[..length]), from));
            s.put(call, result);
        }
        Err(_) => s.log.line(format!("{call} waits")),
    }
}

/// Sends until there is no room.
fn fill(s: &Stage, send: impl Fn() -> io::Result<usize>) {
    let mut sent = 0;
    while send().is_ok() {
        sent += 1;
    }
    s.note("filled", sent);
    s.put("and more", send());
}

pub(crate) async fn unix_datagram_there_and_back(s: Rc<Stage>) {
    let (a, b) = (s.path("a"), s.path("b"));
    let one = bind(&s, a.clone()).await.unwrap();
    let other = bind(&s, b.clone()).await.unwrap();
    s.put("send", one.send_to(b"hello", &b).await);
    s.put("send nothing", one.send_to(b"", &b).await);
    s.put("send", one.send_to(b"too long", &b).await);
    receive(&s, "receive", &other, 10).await;
    receive(&s, "receive", &other, 10).await;
    receive(&s, "receive", &other, 3).await;
    receive(&s, "receive", &other, 10).await;
    let nobody = unbound(&s).await;
    s.put("send back", nobody.send_to(b"who", &a).await);
    receive(&s, "receive", &one, 10).await;
    s.put("local", one.local_addr());
    s.put("peer", one.peer_addr());
    s.put("local", nobody.local_addr());
    s.put("send without a peer", nobody.send(b"x").await);
    drop(nobody);
    s.put("to oneself", one.send_to(b"me", &a).await);
    receive(&s, "receive", &one, 10).await;
}

pub(crate) async fn unix_datagram_paths_outlive_their_sockets(s: Rc<Stage>) {
    let path = s.path("socket");
    let sender = unbound(&s).await;
    s.put("send", sender.send_to(b"x", &path).await);
    s.put("connect", sender.connect(&path));
    let socket = bind(&s, path.clone()).await.unwrap();
    s.made("bind again", bind(&s, path.clone()).await);
    s.put("send", sender.send_to(b"x", &path).await);
    drop(socket);
    s.put("send", sender.send_to(b"x", &path).await);
    s.put("connect", sender.connect(&path));
    s.made("bind a stale path", bind(&s, path.clone()).await);
    s.put("remove", s.server.make(remove_file(path.clone())).await);
    s.put("send", sender.send_to(b"x", &path).await);
    s.made("bind", bind(&s, path.clone()).await);
}

pub(crate) async fn unix_datagram_bad_names(s: Rc<Stage>) {
    let sender = unbound(&s).await;
    for name in ["", "\0hidden", "a\0b", &"x".repeat(108)] {
        s.put("connect", sender.connect(name));
        s.put("send", sender.send_to(b"x", name).await);
    }
    s.made("bind in hiding", bind(&s, "\0hidden".into()).await);
    s.made("bind too long", bind(&s, "x".repeat(108).into()).await);
    let any = bind(&s, PathBuf::new()).await.unwrap();
    let name = any.local_addr().unwrap();
    s.note(
        "a name that is free",
        name.as_abstract_name().unwrap().len(),
    );
}

pub(crate) async fn unix_kinds_do_not_mix(s: Rc<Stage>) {
    let (stream, datagram) = (s.path("stream"), s.path("datagram"));
    let path = stream.clone();
    let listener = s.server.make(async { UnixListener::bind(path) }).await;
    let socket = bind(&s, datagram.clone()).await.unwrap();
    let sender = unbound(&s).await;
    s.put("send", sender.send_to(b"x", &stream).await);
    s.put("connect", sender.connect(&stream));
    let path = datagram.clone();
    s.made("connect", s.client.make(UnixStream::connect(path)).await);
    s.made("bind", bind(&s, stream.clone()).await);
    drop((listener, socket));
    let path = datagram.clone();
    s.made("connect", s.client.make(UnixStream::connect(path)).await);
    s.put("send", sender.send_to(b"x", &stream).await);
}

pub(crate) async fn unix_datagram_connected_hears_its_peer_alone(s: Rc<Stage>) {
    let (a, b, c) = (s.path("a"), s.path("b"), s.path("c"));
    let one = bind(&s, a.clone()).await.unwrap();
    let other = bind(&s, b.clone()).await.unwrap();
    let third = bind(&s, c.clone()).await.unwrap();
    s.put("third sends before", third.send_to(b"before", &a).await);
    s.put("connect", one.connect(&b));
    s.put("peer", one.peer_addr());
    s.put("third sends", third.send_to(b"x", &a).await);
    s.put("third connects", third.connect(&a));
    s.put("other sends", other.send_to(b"peer", &a).await);
    receive(&s, "receive", &one, 10).await;
    receive(&s, "receive", &one, 10).await;
    s.put("send", one.send(b"hello").await);
    s.put("send elsewhere", one.send_to(b"elsewhere", &c).await);
    receive(&s, "other receives", &other, 10).await;
    receive(&s, "third receives", &third, 10).await;
}

pub(crate) async fn unix_datagram_to_a_closed_peer(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    s.put("send", other.send(b"left behind").await);
    drop(other);
    s.put("peer", one.peer_addr());
    s.put("send", one.send(b"x").await);
    s.put("send again", one.send(b"x").await);
    s.put("peer", one.peer_addr());
    receive(&s, "receive", &one, 20).await;
    let (one, other) = two(&s).await;
    s.put("send", other.send(b"left behind").await);
    drop(other);
    receive(&s, "receive", &one, 20).await;
    s.waits("receive", one.recv(&mut [0; 10])).await;
    s.put("send", one.send(b"x").await);
}

pub(crate) async fn unix_datagram_connects_elsewhere(s: Rc<Stage>) {
    let (a, b, c) = (s.path("a"), s.path("b"), s.path("c"));
    let one = bind(&s, a.clone()).await.unwrap();
    let other = bind(&s, b.clone()).await.unwrap();
    let third = bind(&s, c.clone()).await.unwrap();
    s.put("connect", one.connect(&b));
    s.put("connect back", other.connect(&a));
    s.put("send", other.send(b"thrown away").await);
    s.put("connect elsewhere", one.connect(&c));
    receive(&s, "receive", &one, 20).await;
    s.settle().await;
    // The error is there, and is not called readable.
    s.waits("readable", other.readable()).await;
    receive(&s, "other receives", &other, 20).await;
    s.put("other sends", other.send(b"x").await);
    s.put("other sends", other.send(b"x").await);
    s.put("send", one.send(b"to the third").await);
    receive(&s, "third receives", &third, 20).await;
    s.put("connect again", one.connect(&c));
    s.put("other's peer", other.peer_addr());
    s.put("other connects to itself", other.connect(&b));
    s.put("other sends", other.send(b"to me").await);
    receive(&s, "other receives", &other, 20).await;
}

pub(crate) async fn unix_datagram_error_is_told_once(s: Rc<Stage>) {
    for told_by in ["send", "take"] {
        let (a, b, c) = (s.path("a"), s.path("b"), s.path("c"));
        let one = bind(&s, a.clone()).await.unwrap();
        let other = bind(&s, b.clone()).await.unwrap();
        let third = bind(&s, c.clone()).await.unwrap();
        one.connect(&b).unwrap();
        other.connect(&a).unwrap();
        s.put("send", other.send(b"thrown away").await);
        s.put("waiting", third.send_to(b"x", &c).await);
        s.put("connect elsewhere", one.connect(&c));
        s.settle().await;
        if told_by == "send" {
            s.put("send", other.send(b"x").await);
        } else {
            let error = other.take_error().unwrap();
            s.note("error", error.and_then(|error| error.raw_os_error()));
        }
        s.put("send", other.send(b"x").await);
        s.put("elsewhere", other.send_to(b"x", &c).await);
        for path in [a, b, c] {
            s.server.make(remove_file(path)).await.unwrap();
        }
    }
}

pub(crate) async fn unix_datagram_error_comes_before_data(s: Rc<Stage>) {
    let (a, b, c) = (s.path("a"), s.path("b"), s.path("c"));
    let one = bind(&s, a.clone()).await.unwrap();
    let other = bind(&s, b.clone()).await.unwrap();
    let _third = bind(&s, c.clone()).await.unwrap();
    one.connect(&b).unwrap();
    other.connect(&a).unwrap();
    s.put("other sends", other.send(b"thrown away").await);
    s.put("send", one.send(b"first").await);
    s.put("send", one.send(b"second").await);
    s.settle().await;
    receive(&s, "other receives", &other, 20).await;
    s.put("connect elsewhere", one.connect(&c));
    receive(&s, "other receives", &other, 20).await;
    receive(&s, "other receives", &other, 20).await;
    receive(&s, "other receives", &other, 20).await;
}

pub(crate) async fn unix_datagram_sizes(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let large = vec![b'a'; 212_961];
    s.put("longest", one.send(&large[1..]).await);
    s.put("too long", one.try_send(&large));
    receive(&s, "receive", &other, 300_000).await;
    s.settle().await;
    s.put("too long", one.send(&large).await);
    s.put(
        "too long for nobody",
        one.send_to(&large, s.path("none")).await,
    );
    let alone = unbound(&s).await;
    s.put("too long without a peer", alone.send(&large).await);
}

pub(crate) async fn unix_room_of_a_datagram_socket(s: Rc<Stage>) {
    for size in [0, 1, 193, 3_776, 3_777, 16_064, 16_065, 50_000, 100_000] {
        let (one, _other) = two(&s).await;
        let data = vec![b'a'; size];
        s.note("datagrams of", size);
        fill(&s, || one.try_send(&data));
    }
}

pub(crate) async fn unix_a_full_pair_waits_for_three_quarters(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let data = vec![b'a'; 50_000];
    fill(&s, || one.try_send(&data));
    for _ in 0..4 {
        receive(&s, "receive", &other, 10).await;
        s.settle().await;
        s.waits("writable", one.writable()).await;
        s.put("try", one.try_send(b"x"));
    }
}

pub(crate) async fn unix_a_full_queue_tells_a_connected_sender(s: Rc<Stage>) {
    let path = s.path("socket");
    let receiver = bind(&s, path.clone()).await.unwrap();
    let (one, other) = (unbound(&s).await, unbound(&s).await);
    one.connect(&path).unwrap();
    other.connect(&path).unwrap();
    fill(&s, || one.try_send(b"one"));
    s.put("other", other.try_send(b"other"));
    s.waits("one is writable", one.writable()).await;
    receive(&s, "receive", &receiver, 10).await;
    s.settle().await;
    s.waits("one is writable", one.writable()).await;
    s.waits("other is writable", other.writable()).await;
    s.put("other", other.try_send(b"other"));
    s.put("one", one.try_send(b"one"));
    receive(&s, "receive", &receiver, 10).await;
    s.settle().await;
    s.waits("one is writable", one.writable()).await;
    let late = async {
        s.settle().await;
        drop(receiver);
    };
    fill(&s, || other.try_send(b"other"));
    join(async { s.put("other", other.send(b"x").await) }, late).await;
}

pub(crate) async fn unix_a_full_queue_has_an_unconnected_sender_try(s: Rc<Stage>) {
    let path = s.path("socket");
    let receiver = bind(&s, path.clone()).await.unwrap();
    let (one, other) = (unbound(&s).await, unbound(&s).await);
    fill(&s, || one.try_send_to(b"one", &path));
    s.put("other", other.try_send_to(b"other", &path));
    // It is called writable all the same, and is not: a loop of these two is busy.
    s.waits("other is writable", other.writable()).await;
    s.put("other", other.try_send_to(b"other", &path));
    receive(&s, "receive", &receiver, 10).await;
    s.waits("one is writable", one.writable()).await;
    s.put("one", one.try_send_to(b"one", &path));
    let late = async {
        s.settle().await;
        receive(&s, "receive", &receiver, 10).await;
    };
    let send = async { s.put("other", other.send_to(b"other", &path).await) };
    join(send, late).await;
    for _ in 0..12 {
        receive(&s, "receive", &receiver, 10).await;
    }
}

pub(crate) async fn unix_a_closed_receiver_refuses_who_waits(s: Rc<Stage>) {
    let path = s.path("socket");
    let receiver = bind(&s, path.clone()).await.unwrap();
    let (one, other) = (unbound(&s).await, unbound(&s).await);
    one.connect(&path).unwrap();
    fill(&s, || one.try_send(b"one"));
    let late = async {
        s.settle().await;
        drop(receiver);
    };
    let sends = async {
        s.put("other", other.send_to(b"other", &path).await);
        s.put("one", one.send(b"one").await);
        s.put("one", one.send(b"one").await);
    };
    join(sends, late).await;
}

pub(crate) async fn unix_datagram_shutdown(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    s.put("send", one.send(b"before").await);
    s.put("end sending", one.shutdown(Shutdown::Write));
    s.put("send", one.send(b"x").await);
    receive(&s, "other receives", &other, 10).await;
    s.waits("other receives", other.recv(&mut [0; 10])).await;
    s.put("other sends", other.send(b"back").await);
    receive(&s, "receive", &one, 10).await;
    let (one, other) = two(&s).await;
    s.put("send", one.send(b"before").await);
    s.put("end receiving", other.shutdown(Shutdown::Read));
    s.put("send", one.send(b"x").await);
    s.settle().await;
    s.put("readable", other.readable().await);
    let mut buffer = [0; 10];
    s.put("try to receive", other.try_recv(&mut buffer));
    s.put("try to receive", other.try_recv(&mut buffer));
    s.put("readable", other.readable().await);
    s.put("end both", other.shutdown(Shutdown::Both));
    s.put("send", other.send(b"x").await);
    let alone = unbound(&s).await;
    s.put("end alone", alone.shutdown(Shutdown::Both));
}

pub(crate) async fn unix_datagram_attempts_do_not_wait(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let mut buffer = [0; 10];
    s.put("try", other.try_recv(&mut buffer));
    s.put("send", one.try_send(b"hello"));
    s.put("readable", other.readable().await);
    s.put("try", other.try_recv_from(&mut buffer));
    s.put("try", other.try_recv_from(&mut buffer));
    let both = Interest::READABLE | Interest::WRITABLE;
    let ready = other.ready(both).await.unwrap();
    s.note("ready", (ready.is_readable(), ready.is_writable()));
    s.put("nobody", one.try_send_to(b"x", s.path("nobody")));
    s.put("error", one.take_error().map(|error| error.is_some()));
}

pub(crate) async fn unix_datagram_ready(s: Rc<Stage>) {
    let (one, _other) = two(&s).await;
    s.put("try to receive", one.try_recv(&mut [0; 10]));
    for end in [None, Some(Shutdown::Read), Some(Shutdown::Both)] {
        if let Some(how) = end {
            s.put("end", one.shutdown(how));
            s.settle().await;
        }
        for interest in [
            Interest::READABLE,
            Interest::WRITABLE,
            Interest::ERROR,
            Interest::PRIORITY,
        ] {
            let call = format!("{interest:?}");
            s.waits(&call, one.ready(interest)).await;
        }
    }
}

pub(crate) async fn unix_datagram_growing_buffers(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let mut data = Vec::new();
    s.put("receive", other.try_recv_buf(&mut data));
    for text in ["hello ", "again ", "and again", "too long"] {
        s.put("send", one.try_send(text.as_bytes()));
    }
    s.put("receive", other.recv_buf(&mut data).await);
    s.put("receive", other.recv_buf_from(&mut data).await);
    s.put("receive", other.try_recv_buf(&mut data));
    s.note("data", bytes(&data));
    let mut place = [0; 4];
    s.put("receive", other.try_recv_buf_from(&mut &mut place[..]));
    s.note("data", bytes(&place));
    s.put("receive", other.try_recv_buf(&mut data));
    s.waits("receive", other.recv_buf(&mut data)).await;
}

pub(crate) async fn unix_datagram_operations_of_the_program(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let mut buffer = [0; 10];
    s.put("none", other.try_io(Interest::READABLE, || Ok("called")));
    s.put("some", one.try_io(Interest::WRITABLE, || Ok("called")));
    let send = one.async_io(Interest::WRITABLE, || one.try_send(b"hello"));
    s.put("send", send.await);
    let receive = other.async_io(Interest::READABLE, || other.try_recv(&mut buffer));
    s.put("receive", receive.await);
    s.put("receive", other.try_recv(&mut buffer));
    s.waits("io", other.async_io(Interest::READABLE, || Ok(1)))
        .await;
}
