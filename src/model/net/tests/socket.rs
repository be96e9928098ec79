//! Sockets before they listen or connect, and the ports that connections keep.

use super::super::flows::TIME_WAIT;
use super::super::host::Reuse;
use super::super::options::Options;
use super::super::socket::IpFamily;
use super::*;

impl World {
    /// A socket of IPv4 on a node, shared or not.
    fn open(&mut self, node: NodeId, reuse: Reuse) -> SocketId {
        let id = self.net.open(node, IpFamily::V4);
        self.net.socket_options(id).unwrap().reuse = reuse;
        id
    }

    fn bind_stream(&mut self, socket: SocketId, text: &str) -> io::Result<()> {
        self.net.bind(&mut self.fx, socket, address(text))
    }

    fn connect_from(&mut self, socket: SocketId, text: &str) -> io::Result<EndId> {
        self.net.connect_from(&mut self.fx, socket, address(text))
    }

    /// Tries to bind a new socket; it is closed again.
    fn try_stream(&mut self, node: NodeId, text: &str, reuse: Reuse) -> io::Result<()> {
        let socket = self.open(node, reuse);
        let bound = self.bind_stream(socket, text);
        self.net.close_socket(socket);
        bound
    }
}

const PORT: &str = "0.0.0.0:80";

/// Which end closes first decides who waits.
#[test]
fn the_port_of_who_closed_first_rests_for_a_minute() {
    for server_first in [true, false] {
        let mut world = World::new();
        let (client, server, listener) = world.pair();
        world.net.close_listener(&mut world.fx, listener);
        let client_address = world.net.local(client).unwrap().to_string();
        let order = if server_first {
            [server, client]
        } else {
            [client, server]
        };
        for end in order {
            world.close(end);
            world.run(10 * MS);
        }
        let server_port = world.try_stream(B, PORT, Reuse::No);
        let client_port = world.try_stream(A, &client_address, Reuse::No);
        let (resting, free) = if server_first {
            (server_port, client_port)
        } else {
            (client_port, server_port)
        };
        assert_eq!(code(resting), libc::EADDRINUSE);
        free.unwrap();
        // A listener shares, and its accepted connections do; a connection to elsewhere does not.
        world.try_stream(B, PORT, Reuse::Yes).unwrap();
        let shared = world.try_stream(A, &client_address, Reuse::Yes);
        assert_eq!(shared.is_ok(), server_first);
        world.run(TIME_WAIT);
        world.try_stream(A, &client_address, Reuse::No).unwrap();
        world.try_stream(B, PORT, Reuse::No).unwrap();
        world.assert_clean();
    }
}

#[test]
fn a_reset_leaves_the_port_free() {
    let mut world = World::new();
    let (client, server, listener) = world.pair();
    world.net.close_listener(&mut world.fx, listener);
    world.net.options(server).unwrap().linger = Some(Duration::ZERO);
    world.close(server);
    world.try_stream(B, PORT, Reuse::No).unwrap();
    world.run(10 * MS);
    world.close(client);
    world.assert_clean();
}

#[test]
fn two_may_share_an_address_until_one_listens() {
    let mut world = World::new();
    let (one, two) = (world.open(B, Reuse::Yes), world.open(B, Reuse::Yes));
    world.bind_stream(one, PORT).unwrap();
    world.bind_stream(two, PORT).unwrap();
    assert_eq!(code(world.bind_stream(two, PORT)), libc::EINVAL);
    assert_eq!(code(world.try_stream(B, PORT, Reuse::No)), libc::EADDRINUSE);
    let listener = world.net.listen_at(&mut world.fx, one, 1).unwrap();
    assert_eq!(world.net.listener_local(listener).unwrap(), address(PORT));
    let second = world.net.listen_at(&mut world.fx, two, 1);
    assert_eq!(code(second), libc::EADDRINUSE);
    world.net.close_socket(two);
    assert_eq!(
        code(world.try_stream(B, PORT, Reuse::Yes)),
        libc::EADDRINUSE
    );
    world.net.close_listener(&mut world.fx, listener);
    world.try_stream(B, PORT, Reuse::No).unwrap();
    world.assert_clean();
}

#[test]
fn a_connection_keeps_the_address_that_its_socket_asked_for() {
    let mut world = World::new();
    let listener = world.listen(B, PORT);
    let socket = world.open(A, Reuse::No);
    world.bind_stream(socket, "0.0.0.0:4000").unwrap();
    let client = world.connect_from(socket, "10.0.0.2:80").unwrap();
    world.run(10 * MS);
    let server = world.accept(listener).unwrap();
    assert_eq!(
        world.net.peer(&world.fx, server).unwrap(),
        address("10.0.0.1:4000")
    );
    let again = world.open(A, Reuse::No);
    assert_eq!(
        code(world.bind_stream(again, "0.0.0.0:4000")),
        libc::EADDRINUSE
    );
    world.close(server);
    world.run(10 * MS);
    world.close(client);
    world.run(10 * MS);
    // The server closed first: the client's address is free, and the server takes it again.
    world.bind_stream(again, "0.0.0.0:4000").unwrap();
    let client = world.connect_from(again, "10.0.0.2:80").unwrap();
    world.run(10 * MS);
    let server = world.accept(listener).unwrap();
    world.close(client);
    world.run(10 * MS);
    world.close(server);
    world.run(10 * MS);
    // Now the client did, and may not ask the same peer again for a minute.
    let socket = world.open(A, Reuse::Yes);
    assert_eq!(
        code(world.bind_stream(socket, "0.0.0.0:4000")),
        libc::EADDRINUSE
    );
    world.run(TIME_WAIT);
    world.bind_stream(socket, "0.0.0.0:4000").unwrap();
    world.net.close_socket(socket);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

#[test]
fn one_pair_of_addresses_is_one_connection() {
    let mut world = World::new();
    let listener = world.listen(B, PORT);
    let sockets = [world.open(A, Reuse::Yes), world.open(A, Reuse::Yes)];
    for socket in sockets {
        world.bind_stream(socket, "0.0.0.0:4000").unwrap();
    }
    let client = world.connect_from(sockets[0], "10.0.0.2:80").unwrap();
    let second = world.connect_from(sockets[1], "10.0.0.2:80");
    assert_eq!(code(second), libc::EADDRNOTAVAIL);
    let elsewhere = world.connect_from(sockets[1], "10.0.0.2:81").unwrap();
    world.run(10 * MS);
    assert_eq!(code(world.net.connected(elsewhere)), libc::ECONNREFUSED);
    world.close(elsewhere);
    world.close(client);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

/// Each peer has all ephemeral ports to itself.
#[test]
fn ephemeral_ports_run_out_for_one_peer_at_a_time() {
    let mut world = World::new();
    world.fx.keeps_records = false;
    let count = 60_999 - 32_768 + 1;
    let ends: Vec<_> = (0..count)
        .map(|_| world.connect(A, "10.0.0.2:80"))
        .collect();
    let refused = world.net.connect(&mut world.fx, A, address("10.0.0.2:80"));
    assert_eq!(code(refused), libc::EADDRNOTAVAIL);
    let other = world.connect(A, "10.0.0.3:80");
    assert_eq!(
        code(world.try_stream(A, "0.0.0.0:0", Reuse::No)),
        libc::EADDRINUSE
    );
    world.close(ends[7]);
    let again = world.connect(A, "10.0.0.2:80");
    for end in ends.into_iter().chain([other, again]) {
        world.close(end);
    }
    world.assert_clean();
}

#[test]
fn families_do_not_mix() {
    let mut world = World::new();
    let (four, six) = (world.open(A, Reuse::No), world.net.open(A, IpFamily::V6));
    assert_eq!(code(world.bind_stream(four, "[::]:80")), libc::EAFNOSUPPORT);
    assert_eq!(code(world.bind_stream(six, "0.0.0.0:80")), libc::EINVAL);
    assert_eq!(
        code(world.connect_from(four, "[::1]:80")),
        libc::EAFNOSUPPORT
    );
    assert_eq!(code(world.connect_from(six, "127.0.0.1:80")), libc::EINVAL);
    assert_eq!(world.net.socket_local(six).unwrap(), address("[::]:0"));
    world.net.close_socket(four);
    world.net.close_socket(six);
    assert_eq!(code(world.net.socket_local(four)), libc::EBADF);
    world.assert_clean();
}

#[test]
fn accepted_sockets_have_the_options_of_their_listener() {
    let mut world = World::new();
    let socket = world.open(B, Reuse::No);
    world.net.socket_options(socket).unwrap().nodelay = true;
    world
        .net
        .socket_options(socket)
        .unwrap()
        .set_receive_buffer(10_000);
    world.bind_stream(socket, PORT).unwrap();
    let listener = world.net.listen_at(&mut world.fx, socket, 128).unwrap();
    let client = world.connect(A, "10.0.0.2:80");
    world.run(10 * MS);
    let server = world.accept(listener).unwrap();
    let options = *world.net.options(server).unwrap();
    assert!(options.nodelay);
    assert_eq!(options.receive_buffer(), 20_000);
    assert_eq!(*world.net.options(client).unwrap(), Options::default());
    // The buffer limits what arrives before it is read.
    world.write(client, &[7; 50_000]).unwrap();
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 10_000);
    world.run(S);
    assert_eq!(world.read(server).unwrap().unwrap().len(), 10_000);
    world.close(client);
    world.close(server);
    world.net.close_listener(&mut world.fx, listener);
    world.assert_clean();
}

/// A process that dies leaves no port taken but those that rest.
#[test]
fn a_dead_process_keeps_no_address() {
    for how in [Death::Kill, Death::Crash] {
        let mut world = World::new();
        let socket = world.open(A, Reuse::No);
        world.bind_stream(socket, PORT).unwrap();
        world.die(A, how);
        world.restart(A);
        world.try_stream(A, PORT, Reuse::No).unwrap();
        world.assert_clean();
    }
}

/// A socket that is bound to port 5000 of `a` and connects to it.
fn connected_to_itself(world: &mut World) -> EndId {
    let socket = world.net.open(A, IpFamily::V4);
    let own = address("10.0.0.1:5000");
    world.net.bind(&mut world.fx, socket, own).unwrap();
    let end = world.net.connect_from(&mut world.fx, socket, own).unwrap();
    assert_eq!(done(world.net.connected(end).unwrap()), None);
    world.run(MS);
    assert_eq!(done(world.net.connected(end).unwrap()), Some(()));
    end
}

#[test]
fn a_socket_that_connects_to_itself_hears_itself() {
    let mut world = World::new();
    let end = connected_to_itself(&mut world);
    let own = address("10.0.0.1:5000");
    assert_eq!(world.net.local(end).unwrap(), own);
    assert_eq!(world.net.peer(&world.fx, end).unwrap(), own);
    world.write(end, b"echo").unwrap();
    world.run(MS);
    assert_eq!(world.read(end).unwrap().unwrap(), b"echo");
    world.shutdown(end);
    world.run(MS);
    assert_eq!(world.read(end).unwrap().unwrap(), b"");
    world.close(end);
    world.assert_clean();
}

#[test]
fn a_socket_that_hears_itself_ends_in_any_way() {
    for how in 0..4 {
        let mut world = World::new();
        let end = connected_to_itself(&mut world);
        world.write(end, b"unread").unwrap();
        match how {
            0 => world.close(end),
            1 => {
                world.run(MS);
                world.close(end);
            }
            2 => world.die(A, Death::Kill),
            _ => world.die(A, Death::Crash),
        }
        world.assert_clean();
    }
}
