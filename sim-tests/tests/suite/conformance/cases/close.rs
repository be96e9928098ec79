//! Ending what is written, and closing, in good order.

use super::*;

pub(crate) async fn half_close_then_read(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"question").await;
    s.put("client ends", client.shutdown().await);
    s.read_rest("server reads", &mut server).await;
    s.write("server writes", &mut server, b"answer").await;
    s.read("client reads", &mut client, 20).await;
    s.write("server writes", &mut server, b" and more").await;
    drop(server);
    s.read_rest("client reads", &mut client).await;
}

pub(crate) async fn the_end_stays(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    drop(client);
    for _ in 0..3 {
        s.read("server reads", &mut server, 10).await;
    }
    s.put("peer", server.peer_addr());
}

pub(crate) async fn shutdown_twice(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.put("client ends again", client.shutdown().await);
    s.settle().await;
    s.put("and later", client.shutdown().await);
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn write_after_shutdown(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.write("client writes", &mut client, b"late").await;
    s.write("client writes", &mut client, b"late").await;
    s.put("client tries", client.try_write(b"late"));
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"fine").await;
    s.read("client reads", &mut client, 10).await;
}

pub(crate) async fn both_end(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.read("server reads", &mut server, 10).await;
    s.put("server's peer", server.peer_addr());
    s.put("server ends", server.shutdown().await);
    s.read("client reads", &mut client, 10).await;
    s.settle().await;
    s.put("client's peer", client.peer_addr());
    s.put("server's peer", server.peer_addr());
    s.put("client's own", client.local_addr());
    s.put("server's own", server.local_addr());
    s.put("client ends again", client.shutdown().await);
    s.put("server ends again", server.shutdown().await);
    s.write("client writes", &mut client, b"x").await;
    s.write("server writes", &mut server, b"x").await;
    s.read("client reads", &mut client, 10).await;
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn both_end_at_once(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"from client").await;
    s.write("server writes", &mut server, b"from server").await;
    s.put("client ends", client.shutdown().await);
    s.put("server ends", server.shutdown().await);
    s.read_rest("client reads", &mut client).await;
    s.read_rest("server reads", &mut server).await;
}

pub(crate) async fn write_to_a_peer_that_closed(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    drop(server);
    s.read("client reads", &mut client, 10).await;
    s.write("client writes", &mut client, b"first").await;
    s.settle().await;
    s.write("client writes", &mut client, b"second").await;
    s.write("client writes", &mut client, b"third").await;
    s.read("client reads", &mut client, 10).await;
    s.put("peer", client.peer_addr());
    s.put("client ends", client.shutdown().await);
}

pub(crate) async fn read_first_after_writing_to_a_peer_that_closed(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    drop(server);
    s.settle().await;
    s.write("client writes", &mut client, b"first").await;
    s.settle().await;
    s.read("client reads", &mut client, 10).await;
    s.read("client reads", &mut client, 10).await;
    s.write("client writes", &mut client, b"second").await;
}

pub(crate) async fn what_was_written_arrives_after_closing(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"last words").await;
    drop(client);
    s.settle().await;
    s.read("server reads", &mut server, 4).await;
    s.read_rest("server reads", &mut server).await;
}

pub(crate) async fn much_that_was_written_arrives_after_closing(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    // More than the receiver takes before it reads, and less than that and the send buffer.
    let data = vec![b'a'; 150_000];
    let mut written = 0;
    while let Ok(length) = client.try_write(&data[written..]) {
        written += length;
        if written == data.len() {
            break;
        }
    }
    drop(client);
    s.settle().await;
    let mut received = Vec::new();
    let result = server.read_to_end(&mut received).await;
    s.note("all of it", result.is_ok_and(|length| length == written));
}

pub(crate) async fn dropping_the_owned_writing_half_ends_the_stream(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    let (mut read, mut write): (OwnedReadHalf, OwnedWriteHalf) = client.into_split();
    s.write("client writes", &mut write, b"all").await;
    drop(write);
    s.read_rest("server reads", &mut server).await;
    s.write("server writes", &mut server, b"answer").await;
    s.read("client reads", &mut read, 10).await;
    drop(read);
    s.settle().await;
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn dropping_the_owned_reading_half_changes_nothing(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    let (read, mut write) = client.into_split();
    drop(read);
    s.write("server writes", &mut server, b"unread").await;
    s.settle().await;
    s.write("client writes", &mut write, b"fine").await;
    s.read("server reads", &mut server, 10).await;
    drop(write);
    s.settle().await;
    s.read("server reads", &mut server, 10).await;
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn forgetting_the_owned_writing_half(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    let (read, write) = client.into_split();
    write.forget();
    let mut buffer = [0; 10];
    s.waits("server reads", server.read(&mut buffer)).await;
    drop(read);
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn halves_are_reunited(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    let (other, _other_server) = s.pair().await;
    let (read, write) = client.into_split();
    let (other_read, other_write) = other.into_split();
    s.put(
        "addresses",
        read.local_addr().and_then(|_| write.peer_addr()),
    );
    let wrong = read.reunite(other_write).unwrap_err();
    s.note("wrong", wrong.to_string());
    let (read, other_write) = (wrong.0, wrong.1);
    s.note("other", other_read.reunite(other_write).is_ok());
    let mut client = write.reunite(read).unwrap();
    s.write("client writes", &mut client, b"whole").await;
    s.read("server reads", &mut server, 10).await;
    drop(client);
    s.read("server reads", &mut server, 10).await;
}

#[allow(deprecated, reason = "tokio warns of what closing may wait for")]
pub(crate) async fn linger_is_remembered(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("linger", client.linger());
    s.put("set", client.set_linger(Some(Duration::from_millis(1_500))));
    s.put("linger", client.linger());
    s.put("set", client.set_linger(None));
    s.put("linger", client.linger());
    s.put("set", client.set_linger(Some(Duration::from_secs(3))));
    s.write("client writes", &mut client, b"slowly").await;
    drop(client);
    s.read_rest("server reads", &mut server).await;
}

pub(crate) async fn options_of_a_stream(s: Rc<Stage>) {
    let (client, server) = s.pair().await;
    for (name, stream) in [("client", &client), ("server", &server)] {
        s.put(name, stream.nodelay());
        s.put(name, stream.set_nodelay(true));
        s.put(name, stream.nodelay());
        s.put(name, stream.ttl());
        s.put(name, stream.set_ttl(0));
        s.put(name, stream.set_ttl(256));
        s.put(name, stream.set_ttl(9));
        s.put(name, stream.ttl());
        s.put(name, stream.take_error().map(|error| error.is_some()));
    }
}
