//! What is ready at a stream, and what it says of the ends.

use super::*;

/// Reading and writing.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Notes what is ready of what is waited for, or that one has to wait.
async fn ready(s: &Stage, who: &str, stream: &TcpStream, interest: Interest) {
    let call = format!("{who} {interest:?}");
    s.waits(&call, stream.ready(interest)).await;
}

/// Notes all that is ready.
async fn all(s: &Stage, who: &str, stream: &TcpStream) {
    for interest in [Interest::READABLE, Interest::WRITABLE, BOTH] {
        ready(s, who, stream, interest).await;
    }
}

pub(crate) async fn ready_at_the_beginning(s: Rc<Stage>) {
    let (client, server) = s.pair().await;
    all(&s, "client", &client).await;
    // tokio takes what was accepted for readable, until an attempt shows that it is not.
    s.try_read("read", &server, 10);
    all(&s, "server", &server).await;
}

pub(crate) async fn ready_when_there_is_something(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    s.write("server writes", &mut server, b"hello").await;
    s.put("readable", client.readable().await);
    all(&s, "client", &client).await;
    s.try_read("read", &client, 10);
    s.try_read("read", &client, 10);
    all(&s, "client", &client).await;
}

pub(crate) async fn ready_after_the_peer_ended(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    s.write("server writes", &mut server, b"bye").await;
    s.put("server ends", server.shutdown().await);
    s.settle().await;
    all(&s, "client", &client).await;
    s.try_read("read", &client, 10);
    s.try_read("read", &client, 10);
    all(&s, "client", &client).await;
    s.try_read("read", &server, 10);
    all(&s, "server", &server).await;
}

pub(crate) async fn ready_after_ending(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.settle().await;
    all(&s, "client", &client).await;
    s.put("client writes", client.try_write(b"x"));
    all(&s, "server", &server).await;
}

pub(crate) async fn ready_after_both_ended(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("client ends", client.shutdown().await);
    s.put("server ends", server.shutdown().await);
    s.settle().await;
    all(&s, "client", &client).await;
    all(&s, "server", &server).await;
    ready(&s, "client", &client, Interest::ERROR).await;
}

pub(crate) async fn ready_after_a_reset(s: Rc<Stage>) {
    let (client, server) = s.pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    s.settle().await;
    all(&s, "client", &client).await;
    ready(&s, "client", &client, Interest::ERROR).await;
    ready(&s, "client", &client, BOTH.add(Interest::ERROR)).await;
    s.try_read("read", &client, 10);
    s.try_read("read", &client, 10);
    all(&s, "client", &client).await;
}

pub(crate) async fn ready_after_a_reset_of_unread_data(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"unread").await;
    s.write("server writes", &mut server, b"hello").await;
    s.settle().await;
    drop(server);
    s.settle().await;
    all(&s, "client", &client).await;
    s.try_read("read", &client, 10);
    s.try_read("read", &client, 10);
    s.try_read("read", &client, 10);
}

pub(crate) async fn ready_while_there_is_no_error(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    ready(&s, "client", &client, Interest::ERROR).await;
    s.write("server writes", &mut server, b"hello").await;
    s.settle().await;
    ready(&s, "client", &client, Interest::ERROR).await;
    let reset = async {
        s.settle().await;
        server.set_zero_linger().unwrap();
        drop(server);
        s.settle().await;
    };
    let failure = client.ready(Interest::ERROR);
    let (failure, ()) = join(failure, reset).await;
    s.put("client is told", failure);
}

pub(crate) async fn ready_for_what_is_urgent(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    ready(&s, "client", &client, Interest::PRIORITY).await;
    s.put("server ends", server.shutdown().await);
    s.settle().await;
    ready(&s, "client", &client, Interest::PRIORITY).await;
}

pub(crate) async fn trying_io_when_nothing_is_ready(s: Rc<Stage>) {
    let (client, _server) = s.pair().await;
    let mut called = false;
    let result = client.try_io(Interest::READABLE, || {
        called = true;
        Ok(1)
    });
    s.put("try", result);
    s.note("called", called);
}

pub(crate) async fn trying_io_when_something_is(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    s.put("writable", client.writable().await);
    s.put("try", client.try_io(Interest::WRITABLE, || Ok(1)));
    s.write("server writes", &mut server, b"hello").await;
    s.put("readable", client.readable().await);
    s.put("try", client.try_io(Interest::READABLE, || Ok(2)));
    let failure = || io::Result::<()>::Err(io::ErrorKind::InvalidData.into());
    s.put("try", client.try_io(Interest::READABLE, failure));
}

pub(crate) async fn io_that_waits(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    s.waits("io", client.async_io(Interest::READABLE, || Ok(1)))
        .await;
    let write = async {
        s.settle().await;
        s.write("server writes", &mut server, b"hello").await;
    };
    let io = client.async_io(Interest::READABLE, || Ok(2));
    let (io, ()) = join(io, write).await;
    s.put("io", io);
}

pub(crate) async fn interests_are_added_and_removed(s: Rc<Stage>) {
    let mut interest = Interest::READABLE | Interest::WRITABLE;
    s.note("both", interest);
    s.note("left", interest.remove(Interest::READABLE));
    s.note("nothing", interest.remove(BOTH));
    interest |= Interest::ERROR;
    interest |= Interest::PRIORITY;
    s.note("all", interest);
    s.note("error", (interest.is_error(), interest.is_priority()));
}
