//! Unix sockets: their names, their room, and who is woken.

use std::net::Shutdown;
use std::path::Path;

use super::*;
use crate::model::net::unix::{Partial, UnixName};

const PATH: &str = "/run/socket";

impl World {
    fn unix_listen(&mut self, node: NodeId) -> io::Result<SocketId> {
        self.net.unix_listen(&mut self.fx, node, name(PATH))
    }

    fn unix_connect(&mut self, node: NodeId) -> io::Result<SocketId> {
        self.net.unix_connect(&mut self.fx, node, name(PATH))
    }

    fn unix_accept(&mut self, listener: SocketId) -> Option<SocketId> {
        done(self.net.unix_accept(listener).unwrap()).map(|(end, _)| end)
    }

    fn unix_pair(&mut self) -> (SocketId, SocketId) {
        self.net.unix_pair(&mut self.fx, A)
    }

    fn unix_write(&mut self, end: SocketId, data: &[u8]) -> io::Result<Option<usize>> {
        let partial = Partial::TellsNothing;
        let answer = self.net.unix_write(&mut self.fx, end, data, partial)?;
        Ok(done(answer))
    }

    fn unix_read(&mut self, end: SocketId, length: usize) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; length];
        let answer = self.net.unix_read(&mut self.fx, end, &mut buffer)?;
        Ok(done(answer).map(|length| buffer[..length].to_vec()))
    }

    fn unix_bind(&mut self, path: &str) -> io::Result<SocketId> {
        self.net.unix_datagram_bind(&mut self.fx, A, name(path))
    }

    fn unix_send(&mut self, socket: SocketId, data: &[u8], to: &str) -> io::Result<Option<usize>> {
        let to = Some(name(to));
        let answer = self
            .net
            .unix_send(&mut self.fx, socket, data, to.as_ref())?;
        Ok(done(answer))
    }

    fn unix_recv(&mut self, socket: SocketId) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 300_000];
        let answer = self.net.unix_recv(&mut self.fx, socket, &mut buffer)?;
        Ok(done(answer).map(|(length, _)| buffer[..length].to_vec()))
    }

    fn unix_remove(&mut self, node: NodeId) -> io::Result<()> {
        self.net.unix_remove(&mut self.fx, node, Path::new(PATH))
    }

    /// Whether somebody who was told to wait on this has been woken since.
    fn was_woken(&mut self, token: Token) -> bool {
        self.fx.woken.remove(&token)
    }
}

fn name(path: &str) -> UnixName {
    UnixName::of(Path::new(path)).unwrap()
}

#[track_caller]
fn token<T>(answer: &Answer<T>) -> Token {
    match answer {
        Answer::Done(_) => panic!("it need not wait"),
        Answer::Wait(token) => *token,
    }
}

#[test]
fn a_path_is_of_one_host() {
    let mut world = World::new();
    world.unix_listen(A).unwrap();
    assert_eq!(code(world.unix_listen(A)), libc::EADDRINUSE);
    assert_eq!(code(world.unix_connect(B)), libc::ENOENT);
    world.unix_listen(B).unwrap();
    world.unix_connect(B).unwrap();
    assert_eq!(code(world.unix_remove(C)), libc::ENOENT);
    world.unix_remove(B).unwrap();
    assert_eq!(code(world.unix_connect(B)), libc::ENOENT);
    world.unix_connect(A).unwrap();
}

#[test]
fn paths_with_dots_and_doubled_slashes_are_the_same() {
    let mut world = World::new();
    world.unix_listen(A).unwrap();
    let mut connect = |path| world.net.unix_connect(&mut world.fx, A, name(path));
    connect("/run/./socket").unwrap();
    connect("//run//socket").unwrap();
    assert_eq!(code(connect("run/socket")), libc::ENOENT);
}

#[test]
fn a_path_outlives_every_death() {
    for how in [Death::Kill, Death::Crash] {
        let mut world = World::new();
        let listener = world.unix_listen(A).unwrap();
        let client = world.unix_connect(A).unwrap();
        let server = world.unix_accept(listener).unwrap();
        world.unix_write(client, b"unread").unwrap();
        world.unix_connect(A).unwrap();
        let log = world.unix_bind("/run/log").unwrap();
        world.unix_send(log, b"unread", "/run/log").unwrap();
        let hidden = name("\0hidden");
        world
            .net
            .unix_listen(&mut world.fx, A, hidden.clone())
            .unwrap();
        world.die(A, how);
        world.assert_clean();
        world.restart(A);
        for end in [client, server] {
            assert_eq!(code(world.unix_write(end, b"x")), libc::EBADF);
        }
        assert_eq!(code(world.unix_connect(A)), libc::ECONNREFUSED);
        assert_eq!(code(world.unix_listen(A)), libc::EADDRINUSE);
        assert_eq!(code(world.unix_bind("/run/log")), libc::EADDRINUSE);
        world.net.unix_listen(&mut world.fx, A, hidden).unwrap();
        world.unix_remove(A).unwrap();
        world.unix_listen(A).unwrap();
        world.unix_connect(A).unwrap();
    }
}

#[test]
fn who_closes_leaves_a_path_alone_that_is_another_s() {
    let mut world = World::new();
    let first = world.unix_listen(A).unwrap();
    world.unix_remove(A).unwrap();
    world.unix_listen(A).unwrap();
    world.net.unix_close_listener(&mut world.fx, first);
    world.unix_connect(A).unwrap();
}

#[test]
fn a_name_that_is_free_is_given() {
    let mut world = World::new();
    let mut listen = |path| {
        let listener = world.net.unix_listen(&mut world.fx, A, name(path)).unwrap();
        world.net.unix_listener_name(listener).unwrap()
    };
    listen("\x0000002");
    assert_eq!(listen(""), name("\x0000001"));
    assert_eq!(listen(""), name("\x0000003"));
}

#[test]
fn a_listener_s_queue_ends_somewhere() {
    // As measured with tokio, which asks for as many as net.core.somaxconn allows.
    let mut world = World::new();
    let listener = world.unix_listen(A).unwrap();
    for _ in 0..=4_096 {
        world.unix_connect(A).unwrap();
    }
    assert_eq!(code(world.unix_connect(A)), libc::EAGAIN);
    world.unix_accept(listener).unwrap();
    world.unix_connect(A).unwrap();
    assert_eq!(code(world.unix_connect(A)), libc::EAGAIN);
    world.die(A, Death::Kill);
    world.assert_clean();
}

#[test]
fn who_waits_is_woken() {
    let mut world = World::new();
    let listener = world.unix_listen(A).unwrap();
    let accepts = token(&world.net.unix_accept(listener).unwrap());
    let client = world.unix_connect(A).unwrap();
    assert!(world.was_woken(accepts));
    let server = world.unix_accept(listener).unwrap();
    let reads = token(&world.net.unix_readable(server).unwrap());
    while world.unix_write(client, &[b'a'; 1_000]).unwrap().is_some() {}
    assert!(world.was_woken(reads));
    let writes = token(&world.net.unix_writable(client).unwrap());
    // 93 buffers of 2,304 bytes are charged; a quarter of 212,992 bytes is 23 of them.
    for _ in 0..69 {
        assert_eq!(
            world.unix_read(server, 1_000).unwrap().unwrap().len(),
            1_000
        );
        assert!(!world.was_woken(writes));
    }
    world.unix_read(server, 1_000).unwrap();
    assert!(world.was_woken(writes));
    while world.unix_write(client, &[b'a'; 1_000]).unwrap().is_some() {}
    world.net.unix_close(&mut world.fx, server);
    assert!(world.was_woken(writes));
    assert_eq!(code(world.unix_write(client, b"x")), libc::EPIPE);
    assert_eq!(code(world.unix_read(client, 1)), libc::ECONNRESET);
    assert_eq!(world.unix_read(client, 1).unwrap().unwrap(), b"");
}

#[test]
fn every_byte_comes_once_and_in_order() {
    let mut world = World::new();
    let (one, other) = world.unix_pair();
    let data: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (mut sent, mut read) = (0, Vec::new());
    // Lengths without a common measure, on both sides of what a buffer holds.
    let lengths = [1, 50_000, 37, 192, 36_544, 5, 120_000, 3_777];
    for turn in 0.. {
        let end = data.len().min(sent + lengths[turn % 8]);
        match world.unix_write(one, &data[sent..end]).unwrap() {
            Some(accepted) => sent += accepted,
            None => {
                assert!(!read.is_empty() || sent > 0, "there is room at first");
            }
        }
        let part = world.unix_read(other, lengths[turn % 7 + 1]).unwrap();
        read.extend(part.unwrap_or_default());
        if read.len() == data.len() {
            break;
        }
    }
    assert!(read == data);
    assert_eq!(world.unix_read(other, 1).unwrap(), None);
    world.net.unix_close(&mut world.fx, one);
    world.net.unix_close(&mut world.fx, other);
    world.assert_clean();
}

#[test]
fn a_full_queue_has_its_senders_wait() {
    let mut world = World::new();
    let receiver = world.unix_bind(PATH).unwrap();
    let sender = world.net.unix_datagram(&mut world.fx, A);
    let peer = world.net.unix_datagram(&mut world.fx, A);
    let (net, fx) = (&mut world.net, &mut world.fx);
    net.unix_datagram_connect(fx, peer, name(PATH)).unwrap();
    for n in 0..11 {
        let sent = world.unix_send(sender, &[n], PATH).unwrap();
        assert_eq!(sent, Some(1));
    }
    let (net, fx) = (&mut world.net, &mut world.fx);
    let by_name = Some(name(PATH));
    let sends = token(&net.unix_send(fx, sender, b"x", by_name.as_ref()).unwrap());
    let peer_sends = token(&net.unix_send(fx, peer, b"x", None).unwrap());
    assert_eq!(token(&net.unix_send_ready(peer).unwrap()), peer_sends);
    assert_eq!(net.unix_send_ready(sender).unwrap(), Answer::Done(()));
    assert_eq!(world.unix_recv(receiver).unwrap().unwrap(), [0]);
    assert!(world.was_woken(sends) && world.was_woken(peer_sends));
    assert_eq!(world.unix_send(sender, b"x", PATH).unwrap(), Some(1));
    assert_eq!(world.unix_send(sender, b"x", PATH).unwrap(), None);
    world.net.unix_datagram_close(&mut world.fx, receiver);
    assert!(world.was_woken(sends));
    assert_eq!(
        code(world.unix_send(sender, b"x", PATH)),
        libc::ECONNREFUSED
    );
    world.die(A, Death::Kill);
    world.assert_clean();
}

#[test]
fn a_socket_that_receives_no_more_wakes_who_waits() {
    let mut world = World::new();
    let socket = world.unix_bind(PATH).unwrap();
    let waits = token(&world.net.unix_recv_ready(socket).unwrap());
    let (net, fx) = (&mut world.net, &mut world.fx);
    net.unix_datagram_shutdown(fx, socket, Shutdown::Read)
        .unwrap();
    assert!(world.was_woken(waits));
    assert_eq!(code(world.unix_send(socket, b"x", PATH)), libc::EPIPE);
    assert_eq!(world.unix_recv(socket).unwrap(), None);
}

#[test]
fn calls_leave_records() {
    let mut world = World::new();
    let listener = world.unix_listen(A).unwrap();
    let client = world.unix_connect(A).unwrap();
    let server = world.unix_accept(listener).unwrap();
    world.unix_write(client, b"hello").unwrap();
    world.net.unix_shutdown(&mut world.fx, client).unwrap();
    world.net.unix_close(&mut world.fx, server);
    world.unix_remove(A).unwrap();
    let kinds: Vec<_> = world.fx.records.iter().map(|record| record.1).collect();
    let expected = [
        Kind::UnixBound,
        Kind::UnixConnected,
        Kind::UnixSent,
        Kind::UnixFinished,
        Kind::UnixReset,
        Kind::UnixRemoved,
    ];
    assert_eq!(kinds, expected);
}
