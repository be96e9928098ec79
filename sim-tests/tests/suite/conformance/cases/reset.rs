//! Connections that end badly.

use super::*;

/// A connection that its server has reset.
async fn reset_pair(s: &Stage) -> TcpStream {
    let (client, server) = s.pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    s.settle().await;
    client
}

pub(crate) async fn read_after_a_reset(s: Rc<Stage>) {
    let mut client = reset_pair(&s).await;
    s.put("readable", client.readable().await);
    for _ in 0..3 {
        s.read("client reads", &mut client, 10).await;
    }
    s.write("client writes", &mut client, b"x").await;
}

pub(crate) async fn write_after_a_reset(s: Rc<Stage>) {
    let mut client = reset_pair(&s).await;
    for _ in 0..3 {
        s.write("client writes", &mut client, b"x").await;
    }
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn write_of_nothing_after_a_reset(s: Rc<Stage>) {
    let mut client = reset_pair(&s).await;
    s.write("client writes", &mut client, b"").await;
    s.write("client writes", &mut client, b"").await;
}

pub(crate) async fn peek_after_a_reset(s: Rc<Stage>) {
    let client = reset_pair(&s).await;
    let mut buffer = [0; 10];
    s.put("peek", client.peek(&mut buffer).await);
    s.put("peek", client.peek(&mut buffer).await);
}

pub(crate) async fn addresses_after_a_reset(s: Rc<Stage>) {
    let mut client = reset_pair(&s).await;
    s.put("local", client.local_addr());
    s.put("peer", client.peer_addr());
    s.put("client ends", client.shutdown().await);
    s.read("client reads", &mut client, 10).await;
    s.put("nodelay", client.nodelay());
    s.put("set nodelay", client.set_nodelay(true));
    s.put("linger", client.linger());
    s.put("ttl", client.ttl());
}

pub(crate) async fn the_error_is_taken_once(s: Rc<Stage>) {
    let mut client = reset_pair(&s).await;
    let taken = |client: &TcpStream| {
        let error = client.take_error()?;
        Ok(error.map(|error| shown(&io::Result::<()>::Err(error))))
    };
    s.put("error", taken(&client));
    s.put("error", taken(&client));
    s.read("client reads", &mut client, 10).await;
    s.write("client writes", &mut client, b"x").await;
    let (mut client, server) = s.pair().await;
    drop(server);
    s.settle().await;
    s.put("error at the end", taken(&client));
    s.write("client writes", &mut client, b"x").await;
    s.settle().await;
    s.put("error of a write", taken(&client));
    s.put("error of a write", taken(&client));
    s.write("client writes", &mut client, b"x").await;
}

pub(crate) async fn unread_data_makes_a_reset(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    s.write("client writes", &mut client, b"never read").await;
    s.put("readable", server.readable().await);
    drop(server);
    s.settle().await;
    s.read("client reads", &mut client, 10).await;
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn data_comes_before_the_reset(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"never read").await;
    s.write("server writes", &mut server, b"first this").await;
    s.put("readable", server.readable().await);
    drop(server);
    s.settle().await;
    s.read("client reads", &mut client, 6).await;
    s.read("client reads", &mut client, 10).await;
    s.read("client reads", &mut client, 10).await;
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn vectored_reads_leave_the_reset(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"never read").await;
    s.put("readable", server.readable().await);
    s.write("server writes", &mut server, b"hi").await;
    drop(server);
    s.settle().await;
    s.put("readable", client.readable().await);
    let (mut a, mut b) = ([0; 2], [0; 3]);
    let mut parts = [&mut a[..], &mut b[..]].map(io::IoSliceMut::new);
    for _ in 0..3 {
        s.put("client reads", client.try_read_vectored(&mut parts));
    }
}

pub(crate) async fn half_read_data_makes_a_reset(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"half of it").await;
    s.read("server reads", &mut server, 4).await;
    drop(server);
    s.settle().await;
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn unread_data_after_the_end_makes_a_reset(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"never read").await;
    s.put("client ends", client.shutdown().await);
    s.put("server ends", server.shutdown().await);
    s.settle().await;
    drop(server);
    s.settle().await;
    s.read("client reads", &mut client, 10).await;
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn unread_end_makes_no_reset(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.put("readable", server.readable().await);
    drop(server);
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn data_for_a_closed_end_makes_a_reset(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    drop(client);
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"x").await;
    s.settle().await;
    s.write("server writes", &mut server, b"y").await;
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn lingering_for_no_time_throws_away(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    s.fill(&client).await;
    s.put(
        "linger",
        client.set_zero_linger().and_then(|()| client.linger()),
    );
    drop(client);
    s.settle().await;
    let mut received = Vec::new();
    let result = server.read_to_end(&mut received).await;
    s.put("server reads", result);
    s.write("server writes", &mut server, b"x").await;
}

pub(crate) async fn a_reset_after_both_ended_is_not_seen(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.put("server ends", server.shutdown().await);
    s.settle().await;
    client.set_zero_linger().unwrap();
    drop(client);
    s.settle().await;
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"x").await;
}

pub(crate) async fn a_reset_after_the_end_was_read(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.read("server reads", &mut server, 10).await;
    client.set_zero_linger().unwrap();
    drop(client);
    s.settle().await;
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"x").await;
    s.write("server writes", &mut server, b"x").await;
}

pub(crate) async fn a_reset_of_a_half_closed_end(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.settle().await;
    server.set_zero_linger().unwrap();
    drop(server);
    s.settle().await;
    s.read("client reads", &mut client, 10).await;
    s.read("client reads", &mut client, 10).await;
    s.write("client writes", &mut client, b"x").await;
}

pub(crate) async fn a_reader_that_waits_hears_of_the_reset(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    let reset = async {
        s.settle().await;
        server.set_zero_linger().unwrap();
        drop(server);
    };
    let mut buffer = [0; 10];
    let (result, ()) = join(client.read(&mut buffer), reset).await;
    s.put("client reads", result);
}

pub(crate) async fn a_writer_that_waits_hears_of_the_reset(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    let data = vec![b'a'; 100_000];
    s.fill(&client).await;
    let reset = async {
        s.settle().await;
        drop(server);
    };
    let (result, ()) = join(client.write_all(&data), reset).await;
    s.put("client writes", result);
    s.write("client writes", &mut client, b"x").await;
}
