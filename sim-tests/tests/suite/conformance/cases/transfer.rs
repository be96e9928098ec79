//! Reading and writing.

use std::io::{IoSlice, IoSliceMut};

use futures::future::join;

use super::*;

/// Bytes that tell where in a stream they are.
fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

pub(crate) async fn partial_reads(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"hello world").await;
    s.settle().await;
    for size in [3, 3, 1, 100] {
        s.read("server reads", &mut server, size).await;
    }
    s.try_read("server tries", &server, 100);
}

pub(crate) async fn one_read_takes_several_writes(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    client.set_nodelay(true).unwrap();
    for text in ["one ", "two ", "three"] {
        s.write("client writes", &mut client, text.as_bytes()).await;
        s.settle().await;
    }
    s.read("server reads", &mut server, 100).await;
}

pub(crate) async fn read_waits_for_the_first_byte(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    let mut buffer = [0; 10];
    s.waits("server reads", server.read(&mut buffer)).await;
    s.write("client writes", &mut client, b"now").await;
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn read_into_an_empty_buffer(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.try_read("tries before", &server, 0);
    s.waits("reads before", server.read(&mut [])).await;
    s.write("client writes", &mut client, b"hello").await;
    s.put("readable", server.readable().await);
    s.try_read("tries with data", &server, 0);
    s.read("reads with data", &mut server, 0).await;
    s.read("reads", &mut server, 10).await;
    s.put("client ends", client.shutdown().await);
    s.settle().await;
    s.read("reads at the end", &mut server, 0).await;
    s.read("reads at the end", &mut server, 10).await;
}

pub(crate) async fn write_of_nothing(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.write("client writes", &mut client, b"").await;
    let mut buffer = [0; 10];
    s.waits("server reads", server.read(&mut buffer)).await;
    s.put("client ends", client.shutdown().await);
    s.write("client writes", &mut client, b"").await;
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn attempts_do_not_wait(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    s.try_read("client tries", &client, 10);
    s.write("server writes", &mut server, b"hello").await;
    s.put("readable", client.readable().await);
    s.try_read("client tries", &client, 3);
    s.try_read("client tries", &client, 3);
    s.try_read("client tries", &client, 3);
    s.put("client tries to write", client.try_write(b"hi"));
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn writes_until_one_would_wait(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.put("writable", client.writable().await);
    let data = pattern(100_000);
    let mut written = 0;
    // What is acknowledged late makes room once more.
    for _ in 0..3 {
        let error = loop {
            match client.try_write(&data[written % 251..]) {
                Ok(length) => written += length,
                Err(error) => break error,
            }
        };
        s.put("then", io::Result::<()>::Err(error));
        s.settle().await;
    }
    s.note("something was written", written > 0);
    s.waits("write", client.write(b"x")).await;
    s.waits("writable", client.writable()).await;
    let mut received = vec![0; written];
    let all = server.read_exact(&mut received).await;
    s.note("all was read", all.unwrap() == written);
    s.note("in order", received == pattern(written));
    s.put("writable", client.writable().await);
    s.put("client tries", client.try_write(b"more"));
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn megabytes_both_ways(s: Rc<Stage>) {
    let (client, server) = s.pair().await;
    let data = pattern(3_000_000);
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let send = async {
        let result = client_write.write_all(&data).await;
        s.put("client writes", result);
        s.put("client ends", client_write.shutdown().await);
    };
    let answer = async {
        let mut buffer = vec![0; 7_000];
        loop {
            let length = server_read.read(&mut buffer).await.unwrap();
            if length == 0 {
                break;
            }
            server_write.write_all(&buffer[..length]).await.unwrap();
        }
        drop(server_write);
    };
    let mut received = Vec::new();
    let receive = client_read.read_to_end(&mut received);
    let (((), ()), result) = join(join(send, answer), receive).await;
    s.put("client reads", result);
    s.note("the same", received == data);
}

pub(crate) async fn a_small_window_moves_everything(s: Rc<Stage>) {
    let (socket, address) = s.bound().await;
    socket.set_recv_buffer_size(8_000).unwrap();
    let listener = s
        .server
        .make(async move { socket.listen(10) })
        .await
        .unwrap();
    let (mut client, mut server) = s.pair_with(&listener, address).await;
    let data = pattern(300_000);
    let send = async {
        let result = client.write_all(&data).await;
        drop(client);
        result
    };
    let mut received = Vec::new();
    let (sent, count) = join(send, server.read_to_end(&mut received)).await;
    s.put("client writes", sent);
    s.put("server reads", count);
    s.note("the same", received == data);
}

pub(crate) async fn peek_leaves_what_it_sees(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    s.waits("peek", server.peek(&mut [0; 10])).await;
    s.write("client writes", &mut client, b"hello").await;
    let mut buffer = [0; 10];
    for size in [2, 10, 0] {
        let result = server.peek(&mut buffer[..size]).await;
        s.put("peek", result.map(|length| bytes(&buffer[..length])));
    }
    s.read("read", &mut server, 2).await;
    let result = server.peek(&mut buffer).await;
    s.put("peek", result.map(|length| bytes(&buffer[..length])));
    s.read("read", &mut server, 10).await;
    drop(client);
    s.put("peek at the end", server.peek(&mut buffer).await);
    s.put("peek at the end", server.peek(&mut buffer).await);
    s.read("read at the end", &mut server, 10).await;
}

pub(crate) async fn vectored_writes(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    let parts = ["one", "", "two", "three"].map(|text| IoSlice::new(text.as_bytes()));
    s.put("write", client.write_vectored(&parts).await);
    s.settle().await;
    s.read("read", &mut server, 100).await;
    s.put("write nothing", client.write_vectored(&[]).await);
    s.put(
        "write empty",
        client.write_vectored(&[IoSlice::new(&[])]).await,
    );
    s.put("try", client.try_write_vectored(&parts));
    s.read("read", &mut server, 100).await;
}

pub(crate) async fn vectored_reads(s: Rc<Stage>) {
    let (mut client, server) = s.pair().await;
    let (mut a, mut b, mut c) = ([0; 2], [0; 0], [0; 5]);
    let mut parts = [&mut a[..], &mut b[..], &mut c[..]].map(IoSliceMut::new);
    s.put("try before", server.try_read_vectored(&mut parts));
    s.write("client writes", &mut client, b"hello world").await;
    s.put("readable", server.readable().await);
    s.put("try", server.try_read_vectored(&mut parts));
    s.put("try", server.try_read_vectored(&mut parts));
    s.put("try", server.try_read_vectored(&mut parts));
    s.note("the last", (bytes(&a), bytes(&c)));
}

pub(crate) async fn halves_that_borrow(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    let (mut read, mut write) = client.split();
    s.write("client writes", &mut write, b"ping").await;
    s.read("server reads", &mut server, 10).await;
    s.write("server writes", &mut server, b"pong").await;
    s.put("peek", read.peek(&mut [0; 2]).await);
    s.read("client reads", &mut read, 10).await;
    s.put("client ends", write.shutdown().await);
    s.read("server reads", &mut server, 10).await;
}

pub(crate) async fn ping_pong_keeps_its_order(s: Rc<Stage>) {
    let (mut client, mut server) = s.pair().await;
    for n in 0..20_u8 {
        let data = vec![b'a' + n; usize::from(n) * 50 + 1];
        s.put("client writes", client.write_all(&data).await);
        let mut buffer = vec![0; data.len()];
        s.put("server reads", server.read_exact(&mut buffer).await);
        s.put("server writes", server.write_all(&buffer).await);
        s.put("client reads", client.read_exact(&mut buffer).await);
        s.note("the same", buffer == data);
    }
}

pub(crate) async fn halves_without_waiting(s: Rc<Stage>) {
    let (client, mut server) = s.pair().await;
    let (read, write) = client.into_split();
    let parts = ["one", "two"].map(|text| IoSlice::new(text.as_bytes()));
    s.put("client writes", write.try_write_vectored(&parts));
    s.read("server reads", &mut server, 100).await;
    s.put("read nothing", read.try_read_vectored(&mut []));
    let mut kept = b"kept ".to_vec();
    s.put("read before", read.try_read_buf(&mut kept));
    s.write("server writes", &mut server, b"hello world").await;
    s.put("readable", read.readable().await);
    let (mut a, mut b) = ([0; 2], [0; 3]);
    let mut parts = [&mut a[..], &mut b[..]].map(IoSliceMut::new);
    s.put("client reads", read.try_read_vectored(&mut parts));
    s.note("parts", (bytes(&a), bytes(&b)));
    s.put("client reads", read.try_read_buf(&mut kept));
    s.note("kept", bytes(&kept));
    let stream: &TcpStream = write.as_ref();
    s.put("the stream", stream.peer_addr());
}
