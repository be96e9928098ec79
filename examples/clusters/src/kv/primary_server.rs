//! The programs of the nodes: sockets and timers around the state machines.
//!
//! They contain no rule of the protocol. A task for each connection turns messages into events;
//! one task owns the state machine and does what it says.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use stormglass::net::{TcpListener, TcpStream};
use stormglass::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use stormglass::time::{Instant, sleep, timeout, timeout_at};
use stormglass::{select, task};

use super::bug::Bug;
use super::frame::{FrameReader, write_frame};
use super::log::Log;
use super::message::{FromReplica, Reply, Request, ToReplica};
use super::nvram::{Nvram, Write};
use super::primary::{Output, Peer, Primary, Ticket};

/// Where the primary listens for clients.
pub const CLIENT_PORT: u16 = 7000;
/// Where a replica listens for the primary.
pub const REPLICA_PORT: u16 = 7001;

/// How often the primary gives a sign of life.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(50);
/// A peer that says nothing for so long is taken for dead: ten heartbeats.
const SILENCE_MAX: Duration = Duration::from_millis(500);
/// Pause between attempts to connect.
const RECONNECT_AFTER: Duration = Duration::from_millis(50);
/// A client's connection that is idle for so long is closed, so that clients that vanished leave
/// nothing behind.
const CLIENT_IDLE_MAX: Duration = Duration::from_secs(5);

/// What the primary's tasks tell the one that owns the state machine.
enum Event {
    Joined {
        peer: Peer,
        log: Log,
        outbox: UnboundedSender<ToReplica>,
    },
    Left {
        peer: Peer,
    },
    Appended {
        peer: Peer,
        round: u64,
        matched: usize,
    },
    Persisted {
        entries: usize,
    },
    Request {
        request: Request,
        outbox: UnboundedSender<Reply>,
    },
    Heartbeat,
}

/// Runs the primary. `replicas` are the host names of the others.
///
/// # Errors
/// If it cannot listen.
pub async fn serve_primary(
    replicas: Vec<String>,
    nvram: Nvram,
    bug: Option<Bug>,
) -> io::Result<()> {
    // The epoch is kept before anyone hears of it, so that no two incarnations share one.
    let epoch = nvram.read().epoch + 1;
    nvram.write(Write::Epoch(epoch)).await;
    tracing::info!(epoch, "starts");
    let listener = TcpListener::bind(("0.0.0.0", CLIENT_PORT)).await?;
    let (events, inbox) = mpsc::unbounded_channel();
    let (writes, to_write) = mpsc::unbounded_channel();
    let members = replicas.len() + 1;
    for (peer, replica) in replicas.into_iter().enumerate() {
        task::spawn(follow_up(peer, replica, epoch, events.clone()));
    }
    task::spawn(accept_clients(listener, events.clone()));
    task::spawn(keep(nvram.clone(), to_write, events.clone()));
    task::spawn(async move {
        while events.send(Event::Heartbeat).is_ok() {
            sleep(HEARTBEAT_EVERY).await;
        }
    });
    Shell {
        primary: Primary::new(nvram.read(), members, bug),
        writes,
        peers: BTreeMap::new(),
        clients: BTreeMap::new(),
        next: 0,
    }
    .run(inbox)
    .await;
    Ok(())
}

/// The state machine and the channels to those who act for it.
struct Shell {
    primary: Primary,
    writes: UnboundedSender<Write>,
    peers: BTreeMap<Peer, UnboundedSender<ToReplica>>,
    /// Requests that have no answer yet.
    clients: BTreeMap<Ticket, UnboundedSender<Reply>>,
    next: Ticket,
}

impl Shell {
    async fn run(mut self, mut inbox: UnboundedReceiver<Event>) {
        while let Some(event) = inbox.recv().await {
            self.handle(event);
            for output in self.primary.take_outputs() {
                self.act(output);
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Joined { peer, log, outbox } => {
                tracing::debug!(peer, entries = log.len(), "joined");
                self.peers.insert(peer, outbox);
                self.primary.joined(peer, log);
            }
            Event::Left { peer } => {
                self.peers.remove(&peer);
                self.primary.left(peer);
            }
            Event::Appended {
                peer,
                round,
                matched,
            } => self.primary.appended(peer, round, matched),
            Event::Persisted { entries } => self.primary.persisted(entries),
            Event::Request { request, outbox } => {
                let ticket = self.next;
                self.next += 1;
                self.clients.insert(ticket, outbox);
                self.primary.request(ticket, request, time_of_day_ns());
            }
            Event::Heartbeat => self.primary.broadcast(),
        }
    }

    /// Sending to a task that has ended does nothing: it says so by an event of its own.
    fn act(&mut self, output: Output) {
        match output {
            Output::Send(peer, message) => {
                if let Some(outbox) = self.peers.get(&peer) {
                    let _ = outbox.send(message);
                }
            }
            Output::Persist(write) => {
                let _ = self.writes.send(write);
            }
            Output::Reply(ticket, reply) => {
                if let Some(outbox) = self.clients.remove(&ticket) {
                    let _ = outbox.send(reply);
                }
            }
        }
    }
}

/// Makes the primary's writes survive, one after the other.
async fn keep(nvram: Nvram, mut writes: UnboundedReceiver<Write>, events: UnboundedSender<Event>) {
    while let Some(write) = writes.recv().await {
        nvram.write(write).await;
        let _ = events.send(Event::Persisted {
            entries: nvram.read().log.len(),
        });
    }
}

/// Keeps up a connection to one replica.
async fn follow_up(peer: Peer, replica: String, epoch: u64, events: UnboundedSender<Event>) {
    loop {
        let Err(error) = converse(peer, &replica, epoch, &events).await;
        tracing::debug!(replica, %error, "no connection");
        let _ = events.send(Event::Left { peer });
        sleep(RECONNECT_AFTER).await;
    }
}

/// One connection to one replica, until it fails.
async fn converse(
    peer: Peer,
    replica: &str,
    epoch: u64,
    events: &UnboundedSender<Event>,
) -> io::Result<std::convert::Infallible> {
    let connect = TcpStream::connect((replica, REPLICA_PORT));
    let (reader, mut writer) = timeout(SILENCE_MAX, connect).await??.into_split();
    let mut reader = FrameReader::new(reader);
    write_frame(&mut writer, &ToReplica::Join { epoch }).await?;
    let (outbox, mut messages) = mpsc::unbounded_channel();
    let FromReplica::Joined { log } = timeout(SILENCE_MAX, reader.next()).await?? else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no answer to Join",
        ));
    };
    let _ = events.send(Event::Joined { peer, log, outbox });
    let mut heard = Instant::now();
    loop {
        select! {
            Some(message) = messages.recv() => {
                timeout(SILENCE_MAX, write_frame(&mut writer, &message)).await??;
            }
            answer = timeout_at(heard + SILENCE_MAX, reader.next()) => {
                let FromReplica::Appended { round, matched } = answer?? else {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "joined twice"));
                };
                heard = Instant::now();
                let _ = events.send(Event::Appended { peer, round, matched });
            }
        }
    }
}

async fn accept_clients(listener: TcpListener, events: UnboundedSender<Event>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        task::spawn(serve_client(stream, events.clone()));
    }
}

/// One client's connection, until it fails or is idle for too long.
async fn serve_client(stream: TcpStream, events: UnboundedSender<Event>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = FrameReader::new(reader);
    let (outbox, mut replies) = mpsc::unbounded_channel();
    loop {
        select! {
            Some(reply) = replies.recv() => {
                timeout(SILENCE_MAX, write_frame(&mut writer, &reply)).await??;
            }
            request = timeout(CLIENT_IDLE_MAX, reader.next()) => {
                let _ = events.send(Event::Request { request: request??, outbox: outbox.clone() });
            }
        }
    }
}

/// Time since 1970, as the node's wall clock has it.
#[expect(
    clippy::disallowed_types,
    reason = "the cluster is a program like any other"
)]
fn time_of_day_ns() -> u64 {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
