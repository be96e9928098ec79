//! Streams of Unix sockets.

use super::*;

async fn bind(s: &Stage, path: PathBuf) -> io::Result<UnixListener> {
    s.server.make(async { UnixListener::bind(path) }).await
}

async fn connect(s: &Stage, path: PathBuf) -> io::Result<UnixStream> {
    s.client.make(UnixStream::connect(path)).await
}

async fn two(s: &Stage) -> (UnixStream, UnixStream) {
    let (one, other) = s.server.make(async { UnixStream::pair() }).await.unwrap();
    one.writable().await.unwrap();
    other.writable().await.unwrap();
    (one, other)
}

/// Writes as much as there is room for.
fn fill(s: &Stage, stream: &UnixStream, size: usize) {
    let data = vec![b'a'; size];
    let (mut calls, mut total) = (0, 0);
    while let Ok(length) = stream.try_write(&data) {
        (calls, total) = (calls + 1, total + length);
    }
    s.note("filled", (calls, total));
    s.put("and more", stream.try_write(&data));
}

fn try_read(s: &Stage, stream: &UnixStream, size: usize) {
    let mut buffer = vec![0; size];
    let result = stream.try_read(&mut buffer);
    s.put("try to read", result.map(|length| bytes(&buffer[..length])));
}

pub(crate) async fn unix_paths_outlive_their_sockets(s: Rc<Stage>) {
    let path = s.path("socket");
    s.made("connect to nothing", connect(&s, path.clone()).await);
    let listener = bind(&s, path.clone()).await.unwrap();
    s.made("bind again", bind(&s, path.clone()).await);
    s.made("connect", connect(&s, path.clone()).await);
    drop(listener);
    s.made("connect to a stale path", connect(&s, path.clone()).await);
    s.made("bind a stale path", bind(&s, path.clone()).await);
    s.put("remove", s.server.make(remove_file(path.clone())).await);
    s.put(
        "remove again",
        s.server.make(remove_file(path.clone())).await,
    );
    s.made("connect to nothing", connect(&s, path.clone()).await);
    s.made("bind", bind(&s, path.clone()).await);
}

pub(crate) async fn unix_a_removed_path_can_be_bound_at_once(s: Rc<Stage>) {
    let path = s.path("socket");
    let first = bind(&s, path.clone()).await.unwrap();
    let early = connect(&s, path.clone()).await.unwrap();
    s.put("remove", s.server.make(remove_file(path.clone())).await);
    let second = bind(&s, path.clone()).await.unwrap();
    s.put("first", first.local_addr());
    s.put("second", second.local_addr());
    let late = connect(&s, path.clone()).await.unwrap();
    let (mut of_first, _) = first.accept().await.unwrap();
    let (mut of_second, _) = second.accept().await.unwrap();
    s.put("early", early.try_write(b"early"));
    s.put("late", late.try_write(b"late"));
    s.read("first reads", &mut of_first, 10).await;
    s.read("second reads", &mut of_second, 10).await;
    drop(first);
    s.made("connect", connect(&s, path.clone()).await);
}

pub(crate) async fn unix_names_on_each_side(s: Rc<Stage>) {
    for path in [s.path("socket"), s.abstract_name("socket")] {
        let listener = bind(&s, path.clone()).await.unwrap();
        let client = connect(&s, path.clone()).await.unwrap();
        let (server, from) = listener.accept().await.unwrap();
        s.put("listener", listener.local_addr());
        s.note("from", &from);
        s.note("unnamed", from.is_unnamed());
        s.put("client", client.local_addr());
        s.put("client's peer", client.peer_addr());
        s.put("server", server.local_addr());
        s.put("server's peer", server.peer_addr());
        let name = client.peer_addr().unwrap();
        s.note("is unnamed", name.is_unnamed());
        s.note("is a path", name.as_pathname() == Some(&*path));
        s.note("is abstract", name.as_abstract_name().is_some());
        drop(server);
        drop(listener);
        s.settle().await;
        s.put("client", client.local_addr());
        s.put("client's peer", client.peer_addr());
        s.put("client's error", client.take_error().map(|e| e.is_some()));
    }
    let (one, _other) = two(&s).await;
    s.put("one", one.local_addr());
    s.put("one's peer", one.peer_addr());
}

pub(crate) async fn unix_abstract_names_go_with_their_sockets(s: Rc<Stage>) {
    let name = s.abstract_name("socket");
    s.made("connect to nobody", connect(&s, name.clone()).await);
    let listener = bind(&s, name.clone()).await.unwrap();
    s.made("bind again", bind(&s, name.clone()).await);
    s.made("connect", connect(&s, name.clone()).await);
    drop(listener);
    s.made("connect to nobody", connect(&s, name.clone()).await);
    s.made("bind", bind(&s, name.clone()).await);
}

pub(crate) async fn unix_bad_names(s: Rc<Stage>) {
    let long = |length: usize| PathBuf::from("x".repeat(length));
    let hidden = |length: usize| PathBuf::from(format!("\0{}", "x".repeat(length)));
    let names = [
        ("nothing", PathBuf::new()),
        ("107 bytes", long(107)),
        ("108 bytes", long(108)),
        ("107 bytes in hiding", hidden(107)),
        ("108 bytes in hiding", hidden(108)),
        ("a zero byte", PathBuf::from("a\0b")),
    ];
    for (name, path) in names {
        s.made(
            &format!("connect to {name}"),
            connect(&s, path.clone()).await,
        );
        if name.starts_with("108") {
            s.made(&format!("bind {name}"), bind(&s, path).await);
        }
    }
    s.made("bind a zero byte", bind(&s, PathBuf::from("a\0b")).await);
    let listener = bind(&s, PathBuf::new()).await.unwrap();
    let name = listener.local_addr().unwrap();
    let name = name.as_abstract_name().unwrap();
    s.note("a name that is free", name.len());
    let path = format!("\0{}", String::from_utf8_lossy(name));
    s.made("connect", connect(&s, path.into()).await);
}

pub(crate) async fn unix_accept_later(s: Rc<Stage>) {
    let path = s.path("socket");
    let listener = bind(&s, path.clone()).await.unwrap();
    s.waits("accept", async { listener.accept().await.map(drop) })
        .await;
    let mut first = connect(&s, path.clone()).await.unwrap();
    let second = connect(&s, path.clone()).await.unwrap();
    s.write("first writes", &mut first, b"hello").await;
    s.put("second writes", second.try_write(b"bye"));
    drop(second);
    let (mut server, _) = listener.accept().await.unwrap();
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"you").await;
    s.read("first reads", &mut first, 10).await;
    let (mut server, _) = listener.accept().await.unwrap();
    s.put("peer", server.peer_addr());
    s.read_rest("server reads", &mut server).await;
    s.write("server writes", &mut server, b"late").await;
    s.write("server writes", &mut server, b"later").await;
}

pub(crate) async fn unix_dropping_a_listener_resets_its_queue(s: Rc<Stage>) {
    let path = s.path("socket");
    let listener = bind(&s, path.clone()).await.unwrap();
    let mut accepted = connect(&s, path.clone()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let mut client = connect(&s, path.clone()).await.unwrap();
    drop(listener);
    s.settle().await;
    s.write("write", &mut client, b"x").await;
    s.read("read", &mut client, 10).await;
    s.read("read", &mut client, 10).await;
    s.write("write", &mut client, b"x").await;
    s.write("write", &mut accepted, b"still here").await;
    s.read("read", &mut server, 20).await;
}

pub(crate) async fn unix_reads_know_no_borders(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    for part in ["ab", "cde", "f"] {
        s.write("write", &mut one, part.as_bytes()).await;
    }
    s.read("read", &mut other, 4).await;
    s.read("read", &mut other, 10).await;
    s.waits("read", other.read(&mut [0; 10])).await;
    let parts = [&b"gh"[..], b"", b"ijk"].map(io::IoSlice::new);
    s.put("write parts", one.write_vectored(&parts).await);
    other.readable().await.unwrap();
    let (mut first, mut second) = ([0; 3], [0; 9]);
    let mut parts = [&mut first[..], &mut second[..]].map(io::IoSliceMut::new);
    s.put("read parts", other.try_read_vectored(&mut parts));
    s.note("parts", (bytes(&first), bytes(&second[..2])));
}

pub(crate) async fn unix_nothing_to_read_or_write(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    s.waits("read into no space", other.read(&mut [])).await;
    s.write("write nothing", &mut one, b"").await;
    s.waits("read", other.read(&mut [0; 10])).await;
    s.write("write", &mut one, b"x").await;
    s.waits("read into no space", other.read(&mut [])).await;
    s.read("read", &mut other, 10).await;
    drop(one);
    s.settle().await;
    s.write("write nothing", &mut other, b"").await;
    s.waits("read into no space", other.read(&mut [])).await;
}

pub(crate) async fn unix_ends_one_direction(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    s.write("write", &mut one, b"last").await;
    s.put("shut down", one.shutdown().await);
    s.put("shut down again", one.shutdown().await);
    s.write("write", &mut one, b"more").await;
    s.read_rest("read", &mut other).await;
    s.read("the end stays", &mut other, 10).await;
    s.write("the other writes", &mut other, b"answer").await;
    s.read("read", &mut one, 10).await;
    s.put("the other shuts down", other.shutdown().await);
    s.read_rest("read", &mut one).await;
    s.put("peer", one.peer_addr());
    s.put("error", one.take_error().map(|error| error.is_some()));
}

pub(crate) async fn unix_closes_in_good_order(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    s.write("write", &mut one, b"last").await;
    drop(one);
    s.settle().await;
    s.write("write", &mut other, b"x").await;
    s.read("read", &mut other, 2).await;
    s.write("write", &mut other, b"x").await;
    s.read("read", &mut other, 10).await;
    s.read("read", &mut other, 10).await;
    s.put("shut down", other.shutdown().await);
    s.put("error", other.take_error().map(|error| error.is_some()));
}

pub(crate) async fn unix_unread_data_makes_a_reset(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    s.write("write", &mut one, b"never read").await;
    s.write("the other writes", &mut other, b"before").await;
    s.put("and ends", other.shutdown().await);
    drop(other);
    s.settle().await;
    s.write("write", &mut one, b"x").await;
    s.read("read", &mut one, 3).await;
    s.read("read", &mut one, 10).await;
    s.read("read", &mut one, 10).await;
    s.read("read", &mut one, 10).await;
    s.write("write", &mut one, b"x").await;
    s.put("shut down", one.shutdown().await);
}

pub(crate) async fn unix_vectored_reads_leave_the_reset(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    s.put("one writes", one.try_write(b"never read"));
    s.put("other writes", other.try_write(b"hi"));
    drop(other);
    s.settle().await;
    s.put("readable", one.readable().await);
    let (mut first, mut second) = ([0; 2], [0; 3]);
    let mut parts = [&mut first[..], &mut second[..]].map(io::IoSliceMut::new);
    for _ in 0..3 {
        s.put("read parts", one.try_read_vectored(&mut parts));
    }
}

pub(crate) async fn unix_half_read_data_makes_a_reset(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    s.write("write", &mut one, b"half read").await;
    s.read("the other reads", &mut other, 4).await;
    drop(other);
    s.settle().await;
    let error = one
        .take_error()
        .unwrap()
        .and_then(|error| error.raw_os_error());
    s.note("error", error);
    s.read("read", &mut one, 10).await;
}

pub(crate) async fn unix_who_waits_hears_of_the_end(s: Rc<Stage>) {
    let (mut one, other) = two(&s).await;
    let (_, ()) = join(s.read("read", &mut one, 10), async { drop(other) }).await;
    let (mut one, mut other) = two(&s).await;
    s.write("write", &mut one, b"never read").await;
    let late = async {
        s.settle().await;
        drop(other);
    };
    join(s.read("read", &mut one, 10), late).await;
    let (mut one, other_) = two(&s).await;
    other = other_;
    fill(&s, &one, 10_000);
    let late = async {
        s.settle().await;
        drop(other);
    };
    join(s.write("write", &mut one, b"x"), late).await;
    s.read("read", &mut one, 10).await;
}

pub(crate) async fn unix_room_of_a_stream(s: Rc<Stage>) {
    for size in [
        1,
        192,
        193,
        705,
        3_776,
        3_777,
        10_000,
        36_544,
        36_545,
        100_000,
        1 << 20,
    ] {
        let (one, _other) = two(&s).await;
        s.note("writes of", size);
        fill(&s, &one, size);
    }
}

pub(crate) async fn unix_a_full_stream_waits_for_three_quarters(s: Rc<Stage>) {
    let (one, mut other) = two(&s).await;
    fill(&s, &one, 36_544);
    for _ in 0..6 {
        s.read("read", &mut other, 36_544).await;
        s.settle().await;
        s.waits("writable", one.writable()).await;
        s.put("try", one.try_write(b"x"));
    }
}

pub(crate) async fn unix_part_of_a_buffer_frees_nothing(s: Rc<Stage>) {
    let (one, mut other) = two(&s).await;
    let large = vec![b'a'; 219_264];
    s.put("write", one.try_write(&large));
    s.put("try", one.try_write(b"x"));
    let mut buffer = vec![0; 4 * 36_544 - 1];
    s.put("read", other.read_exact(&mut buffer).await);
    s.waits("writable", one.writable()).await;
    s.read("read", &mut other, 1).await;
    s.waits("writable", one.writable()).await;
    s.read("read", &mut other, 36_544).await;
    s.waits("writable", one.writable()).await;
}

pub(crate) async fn unix_a_part_is_full_for_those_that_wait(s: Rc<Stage>) {
    let large = vec![b'a'; 1 << 20];
    let (one, mut other) = two(&s).await;
    s.put("try to write", one.try_write(&large));
    s.waits("writable", one.writable()).await;
    s.read("read", &mut other, 36_544).await;
    s.put("try to write", one.try_write(b"x"));
    let (mut one, mut other) = two(&s).await;
    s.write("write", &mut one, &large).await;
    s.waits("writable", one.writable()).await;
    s.read("read", &mut other, 36_544).await;
    s.settle().await;
    s.put("try to write", one.try_write(b"x"));
    let (mut one, mut other) = two(&s).await;
    let parts = [io::IoSlice::new(&large)];
    s.put("write parts", one.write_vectored(&parts).await);
    s.read("read", &mut other, 36_544).await;
    s.settle().await;
    s.put("try to write", one.try_write(b"x"));
}

pub(crate) async fn unix_megabytes_both_ways(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let (mut one_reads, mut one_writes) = one.into_split();
    let (mut other_reads, mut other_writes) = other.into_split();
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let one = async {
        s.put("one writes", one_writes.write_all(&data).await);
        drop(one_writes);
    };
    let other = async {
        s.put("other writes", other_writes.write_all(&data).await);
        drop(other_writes);
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let reads = join(
        one_reads.read_to_end(&mut a),
        other_reads.read_to_end(&mut b),
    );
    let (_, (x, y)) = join(join(one, other), reads).await;
    s.note("read", (x.unwrap(), y.unwrap(), bytes(&a), bytes(&b)));
}

pub(crate) async fn unix_halves(s: Rc<Stage>) {
    let (mut one, mut other) = two(&s).await;
    let (mut read, mut write) = one.split();
    s.write("write", &mut write, b"x").await;
    s.read("other reads", &mut other, 10).await;
    s.write("other writes", &mut other, b"y").await;
    s.read("read", &mut read, 10).await;
    let (read, write) = one.into_split();
    let (other_read, mut other_write) = other.into_split();
    s.note("others", read.reunite(other_write).is_err());
    (_, other_write) = two(&s).await.0.into_split();
    drop(other_write);
    drop(other_read);
    drop(write);
    let (one, mut other) = two(&s).await;
    let (read, write) = one.into_split();
    let mut one = read.reunite(write).unwrap();
    s.write("together", &mut one, b"z").await;
    s.read("other reads", &mut other, 10).await;
    let (_read, write) = one.into_split();
    drop(write);
    s.read("other reads", &mut other, 10).await;
    let (mut read, write) = other.into_split();
    write.forget();
    s.waits("read", read.read(&mut [0; 10])).await;
}

pub(crate) async fn unix_attempts_do_not_wait(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    try_read(&s, &other, 10);
    s.put("write", one.try_write(b"hello"));
    s.put(
        "ready",
        other
            .ready(Interest::READABLE)
            .await
            .map(|ready| ready.is_readable()),
    );
    try_read(&s, &other, 3);
    try_read(&s, &other, 10);
    try_read(&s, &other, 10);
    let both = Interest::READABLE | Interest::WRITABLE;
    let ready = other.ready(both).await.unwrap();
    s.note("ready", (ready.is_readable(), ready.is_writable()));
    drop(one);
    s.settle().await;
    s.put("readable", other.readable().await);
    try_read(&s, &other, 10);
}

pub(crate) async fn unix_a_cancelled_accept_loses_nothing(s: Rc<Stage>) {
    let path = s.path("socket");
    let listener = bind(&s, path.clone()).await.unwrap();
    s.waits("accept", async { listener.accept().await.map(drop) })
        .await;
    let client = connect(&s, path).await.unwrap();
    s.put("write", client.try_write(b"x"));
    let (mut server, _) = listener.accept().await.unwrap();
    s.read("read", &mut server, 10).await;
}

/// Notes what is ready of what is waited for, or that one has to wait.
async fn ready(s: &Stage, stream: &UnixStream) {
    let both = Interest::READABLE | Interest::WRITABLE;
    for interest in [
        Interest::READABLE,
        Interest::WRITABLE,
        both,
        Interest::ERROR,
        Interest::PRIORITY,
    ] {
        let call = format!("{interest:?}");
        s.waits(&call, stream.ready(interest)).await;
    }
}

pub(crate) async fn unix_ready_after_an_end(s: Rc<Stage>) {
    let (one, mut other) = two(&s).await;
    try_read(&s, &one, 10);
    ready(&s, &one).await;
    s.put("end", other.shutdown().await);
    s.settle().await;
    ready(&s, &one).await;
}

pub(crate) async fn unix_ready_after_a_reset(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    try_read(&s, &one, 10);
    s.put("write", one.try_write(b"never read"));
    let reset = async {
        s.settle().await;
        drop(other);
        s.settle().await;
    };
    let (failure, ()) = join(one.ready(Interest::ERROR), reset).await;
    s.put("who waits is told", failure);
    ready(&s, &one).await;
}

pub(crate) async fn unix_addresses_instead_of_paths(s: Rc<Stage>) {
    for path in [s.path("socket"), s.abstract_name("socket")] {
        let listener = bind(&s, path).await.unwrap();
        let address = listener.local_addr().unwrap();
        let at = address.clone();
        let connect = async move { UnixStream::connect_addr(&at).await };
        let client = s.client.make(connect).await;
        s.put("peer", client.and_then(|client| client.peer_addr()));
        let at = address.clone();
        let again = s.server.make(async move { UnixListener::bind_addr(&at) });
        s.made("bind again", again.await);
        let (_, unnamed) = listener.accept().await.unwrap();
        let at = unnamed.clone();
        let connect = async move { UnixStream::connect_addr(&at).await };
        s.made("connect to no name", s.client.make(connect).await);
        let any = s
            .server
            .make(async move { UnixListener::bind_addr(&unnamed) });
        let given = any.await.unwrap().local_addr().unwrap();
        s.note("given", given.as_abstract_name().map(<[u8]>::len));
    }
}

pub(crate) async fn unix_operations_of_the_program(s: Rc<Stage>) {
    let (one, other) = two(&s).await;
    let mut buffer = [0; 10];
    s.put("none", other.try_io(Interest::READABLE, || Ok("called")));
    s.put("some", one.try_io(Interest::WRITABLE, || Ok("called")));
    s.put("write", one.try_write(&[b'x'; 200]));
    let read = other.async_io(Interest::READABLE, || other.try_read(&mut buffer));
    s.put("read", read.await);
    let failure = || io::Result::<()>::Err(io::ErrorKind::InvalidData.into());
    s.put("fails", other.try_io(Interest::READABLE, failure));
    s.put("read", other.try_read_buf(&mut &mut buffer[..4]));
    let mut data = Vec::new();
    s.put("read", other.try_read_buf(&mut data));
    let (half, _write) = other.into_split();
    s.put("read", half.try_read_buf(&mut data));
    s.put("read", half.try_read_buf(&mut Vec::with_capacity(1_000)));
    s.put("read", half.try_read_buf(&mut data));
    s.note("data", data.len());
    drop(one);
    s.put("readable", half.readable().await);
    s.put("read", half.try_read_buf(&mut data));
}
