//! The network driven by a queue and nothing else.

mod bytes;
mod faults;
mod filter;
mod handshake;
mod instant;
mod links;
mod listeners;
mod mangle;
mod many;
mod nagle;
mod names;
mod processes;
mod quiet;
mod recovery;
mod replay;
mod resets;
mod socket;
mod stream;
mod udp;
mod unix;
mod window;

use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use super::udp::Take;
use super::{
    Answer, Death, Effects, EndId, Fabric, IpFamily, LinkConfig, LinkFault, LinkFaultId, NetEvent,
    Options, Pair, SocketId, Token, topology,
};
use crate::kernel::{
    Choices, Distribution, EventKey, Family, FaultCounter, Kind, NodeId, Probability, Queue,
    SimTime, Step,
};
use crate::model::Surroundings;

const A: NodeId = NodeId::new(1);
const B: NodeId = NodeId::new(2);
const C: NodeId = NodeId::new(3);
const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// The effects, kept so that tests can look at them.
struct Outside {
    queue: Queue<NetEvent>,
    now: SimTime,
    choices: Choices,
    tokens: u32,
    in_use: BTreeSet<Token>,
    woken: BTreeSet<Token>,
    records: Vec<(SimTime, Kind, NodeId, u64, u64)>,
    keeps_records: bool,
}

impl Effects for Outside {
    fn schedule(&mut self, at: SimTime, event: NetEvent) -> EventKey {
        self.queue.push(at, event)
    }
}

impl Surroundings for Outside {
    fn now(&self) -> SimTime {
        self.now
    }

    fn choices(&mut self) -> &mut Choices {
        &mut self.choices
    }

    fn cancel(&mut self, key: EventKey) {
        assert!(
            self.queue.cancel(key).is_some(),
            "only what is still to come is cancelled"
        );
    }

    fn wake(&mut self, token: Token) {
        assert!(self.in_use.contains(&token), "only a token in use is woken");
        self.woken.insert(token);
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        self.in_use.insert(Token(self.tokens));
        Token(self.tokens)
    }

    fn free_token(&mut self, token: Token) {
        assert!(self.in_use.remove(&token), "a token is given back once");
    }

    fn record(&mut self, kind: Kind, node: NodeId, subject: u64, value: u64, _: &[u8]) -> Step {
        if self.keeps_records {
            self.records.push((self.now, kind, node, subject, value));
        }
        Step::new(0)
    }
}

/// Three hosts, `a` to `c`, one millisecond apart.
struct World {
    net: Fabric,
    fx: Outside,
    handled: u64,
}

impl World {
    fn new() -> Self {
        Self::with(constant(MS), 7)
    }

    fn with(link: LinkConfig, seed: u64) -> Self {
        let mut net = Fabric::new(link);
        for (node, name) in [(A, "a"), (B, "b"), (C, "c")] {
            let ip = Ipv4Addr::new(10, 0, 0, u8::try_from(node.number()).unwrap());
            net.add_host(node, name, &[ip.into()]);
        }
        let fx = Outside {
            queue: Queue::new(),
            now: SimTime::ZERO,
            choices: Choices::new(seed),
            tokens: 0,
            in_use: BTreeSet::new(),
            woken: BTreeSet::new(),
            records: Vec::new(),
            keeps_records: true,
        };
        Self {
            net,
            fx,
            handled: 0,
        }
    }

    /// Lets everything happen until then.
    fn run_until(&mut self, at: SimTime) {
        while self.fx.queue.next_at().is_some_and(|next| next <= at) {
            self.step();
        }
        self.fx.now = at;
    }

    fn run(&mut self, duration: Duration) {
        self.run_until(self.fx.now.saturating_add(duration));
    }

    /// Lets everything happen that still will.
    fn run_out(&mut self) {
        let end = self.handled + 100_000;
        while self.step() {
            assert!(self.handled < end, "the network never rests");
        }
    }

    fn step(&mut self) -> bool {
        let Some((at, event)) = self.fx.queue.pop() else {
            return false;
        };
        assert!(at >= self.fx.now, "time goes forward");
        self.fx.now = at;
        self.handled += 1;
        self.net.handle(&mut self.fx, event);
        true
    }

    /// The times, in milliseconds, of the records of a kind.
    fn times(&self, kind: Kind) -> Vec<u128> {
        let records = self.fx.records.iter().filter(|record| record.1 == kind);
        records
            .map(|record| record.0.as_duration().as_millis())
            .collect()
    }

    fn count(&self, kind: Kind) -> usize {
        self.times(kind).len()
    }

    fn now_ms(&self) -> u128 {
        self.fx.now.as_duration().as_millis()
    }

    fn counter(&self, family: Family) -> FaultCounter {
        self.net.counters().get(family)
    }

    fn cut(&mut self, from: NodeId, to: NodeId) {
        self.begin(LinkFault::Cut, &[(from, to)]);
    }

    fn begin(&mut self, fault: LinkFault, links: &[Pair]) -> LinkFaultId {
        self.net.begin_fault(&mut self.fx, fault, links.to_vec())
    }

    fn end(&mut self, fault: LinkFaultId) {
        self.net.end_fault(&mut self.fx, fault);
    }

    fn heal(&mut self, from: NodeId, to: NodeId) {
        self.net.heal(&mut self.fx, from, to);
    }

    fn die(&mut self, node: NodeId, how: Death) {
        self.net.process_died(&mut self.fx, node, how);
    }

    fn restart(&mut self, node: NodeId) {
        self.net.host_up(node);
    }

    // Datagrams.

    fn bind(&mut self, node: NodeId, text: &str) -> SocketId {
        self.try_bind(node, text).unwrap()
    }

    fn try_bind(&mut self, node: NodeId, text: &str) -> io::Result<SocketId> {
        self.net.udp_bind(&mut self.fx, node, address(text))
    }

    fn send_to(&mut self, socket: SocketId, payload: &[u8], to: &str) -> io::Result<usize> {
        self.net
            .udp_send_to(&mut self.fx, socket, payload, address(to))
    }

    /// The next datagram, if one is there: its bytes and its sender.
    fn receive(&mut self, socket: SocketId) -> io::Result<Option<(Vec<u8>, SocketAddr)>> {
        let mut buffer = vec![0; 65_536];
        let answer = self.net.udp_recv_from(socket, &mut buffer, Take::Remove)?;
        Ok(done(answer).map(|(length, from)| {
            buffer.truncate(length);
            (buffer, from)
        }))
    }

    fn receive_all(&mut self, socket: SocketId) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| self.receive(socket).unwrap())
            .map(|(bytes, _)| bytes)
            .collect()
    }

    // Streams.

    fn listen(&mut self, node: NodeId, text: &str) -> SocketId {
        self.try_listen(node, text).unwrap()
    }

    fn try_listen(&mut self, node: NodeId, text: &str) -> io::Result<SocketId> {
        self.net.listen(&mut self.fx, node, address(text), 128)
    }

    fn connect(&mut self, node: NodeId, text: &str) -> EndId {
        self.net.connect(&mut self.fx, node, address(text)).unwrap()
    }

    fn accept(&mut self, listener: SocketId) -> Option<EndId> {
        done(self.net.accept(&mut self.fx, listener).unwrap()).map(|(end, _)| end)
    }

    /// A connection from `a` to `b`, made, and the listener.
    fn pair(&mut self) -> (EndId, EndId, SocketId) {
        self.pair_with(|_| ())
    }

    /// A connection whose client has options.
    fn pair_with(&mut self, set: impl FnOnce(&mut Options)) -> (EndId, EndId, SocketId) {
        let listener = self.listen(B, "0.0.0.0:80");
        let socket = self.net.open(A, IpFamily::V4);
        set(self.net.socket_options(socket).unwrap());
        let client = (self.net)
            .connect_from(&mut self.fx, socket, address("10.0.0.2:80"))
            .unwrap();
        while done(self.net.connected(client).unwrap()).is_none() {
            assert!(self.step(), "the handshake ends");
        }
        let server = loop {
            match self.accept(listener) {
                Some(server) => break server,
                None => assert!(self.step(), "the handshake ends"),
            }
        };
        (client, server, listener)
    }

    fn write(&mut self, end: EndId, data: &[u8]) -> io::Result<Option<usize>> {
        Ok(done(self.net.write(&mut self.fx, end, data)?))
    }

    /// Reads what is there, up to a length: `None` if one has to wait.
    fn read_up_to(&mut self, end: EndId, length: usize) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; length];
        let answer = self.net.read(&mut self.fx, end, &mut buffer)?;
        Ok(done(answer).map(|length| {
            buffer.truncate(length);
            buffer
        }))
    }

    fn read(&mut self, end: EndId) -> io::Result<Option<Vec<u8>>> {
        self.read_up_to(end, 1 << 20)
    }

    fn close(&mut self, end: EndId) {
        self.net.close(&mut self.fx, end);
    }

    fn shutdown(&mut self, end: EndId) {
        self.net.shutdown(&mut self.fx, end).unwrap();
    }

    /// Nothing is left of any socket, in the network or outside.
    fn assert_clean(&mut self) {
        self.run_out();
        assert_eq!(self.net.connections.len(), 0, "connections");
        assert_eq!(self.net.listeners.len(), 0, "listeners");
        assert_eq!(self.net.sockets.len(), 0, "sockets");
        assert_eq!(self.net.unconnected.len(), 0, "unconnected sockets");
        assert_eq!(self.net.packets.counts().0, 0, "datagrams");
        assert_eq!(self.net.names.under_way(), 0, "lookups");
        assert_eq!(self.net.unix.len(), 0, "Unix sockets");
        assert!(self.fx.in_use.is_empty(), "tokens: {:?}", self.fx.in_use);
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn done<T>(answer: Answer<T>) -> Option<T> {
    match answer {
        Answer::Done(value) => Some(value),
        Answer::Wait(_) => None,
    }
}

/// The number of an operating system's error.
fn code<T: core::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

fn constant(latency: Duration) -> LinkConfig {
    LinkConfig {
        latency: Distribution::Constant(latency),
        ..LinkConfig::default()
    }
}

fn lossy(percent: u32) -> LinkConfig {
    LinkConfig {
        loss: Probability::percent(percent),
        ..constant(MS)
    }
}

fn jittery() -> LinkConfig {
    let latency = Distribution::Uniform {
        min: MS,
        max: 20 * MS,
    };
    LinkConfig {
        latency,
        ..LinkConfig::default()
    }
}
