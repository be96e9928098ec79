//! Requests under way: when they happen, and what becomes of those that nobody waits for.

use core::time::Duration;
use std::collections::BTreeSet;
use std::io;

use super::super::call::{Call, Fd, OpenFlags, Reply};
use super::super::config::{DiskConfig, DiskFaults};
use super::super::latency::DiskLatency;
use super::super::queue::{DiskEvent, Disks, Effects, Persistence, RequestId};
use super::super::{Around, Disk};
use super::{CREATE, READ, bytes};
use crate::kernel::{
    Choices, Distribution, EntityKey, EventKey, Family, Kind, NodeId, Probability, Queue, SimTime,
    Step,
};
use crate::model::surroundings::{Answer, Surroundings, Token};

const NODE: NodeId = NodeId::new(0);
const OTHER: NodeId = NodeId::new(1);
const US: Duration = Duration::from_micros(1);
const AROUND: Around = Around {
    wall_ns: 7,
    place: None,
};

struct Outside {
    queue: Queue<DiskEvent>,
    now: SimTime,
    choices: Choices,
    tokens: u32,
    in_use: BTreeSet<Token>,
    woken: BTreeSet<Token>,
    records: Vec<(Kind, u64, u64)>,
}

impl Effects for Outside {
    fn schedule(&mut self, at: SimTime, event: DiskEvent) -> EventKey {
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
        assert!(self.queue.cancel(key).is_some(), "it is still to come");
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

    fn record(&mut self, kind: Kind, _: NodeId, subject: u64, value: u64, _: &[u8]) -> Step {
        self.records.push((kind, subject, value));
        Step::new(0)
    }
}

struct World {
    disks: Disks,
    fx: Outside,
}

impl World {
    fn new(latency: DiskLatency) -> Self {
        Self::with(DiskConfig::default(), latency)
    }

    fn with(config: DiskConfig, latency: DiskLatency) -> Self {
        let mut disks = Disks::new(config, latency);
        disks.add_node(EntityKey::of("a"));
        disks.add_node(EntityKey::of("b"));
        Self {
            disks,
            fx: Outside {
                queue: Queue::new(),
                now: SimTime::ZERO,
                choices: Choices::new(7),
                tokens: 0,
                in_use: BTreeSet::new(),
                woken: BTreeSet::new(),
                records: Vec::new(),
            },
        }
    }

    fn ask_with(&mut self, call: Call, persistence: Persistence) -> RequestId {
        let (disks, fx) = (&mut self.disks, &mut self.fx);
        disks.submit(fx, NODE, AROUND, call, persistence)
    }

    fn ask(&mut self, call: Call) -> RequestId {
        self.ask_with(call, Persistence::Once)
    }

    fn at_once(&mut self, call: Call) -> io::Result<Reply> {
        self.disks.perform(&mut self.fx, NODE, &AROUND, call)
    }

    fn make(&mut self, path: &str) -> Fd {
        let opened = self.at_once(open(path, CREATE)).unwrap();
        let Reply::Opened(fd) = opened else {
            panic!("{opened:?}")
        };
        fd
    }

    /// Lets the next request happen, and gives which and when.
    fn step(&mut self) -> Option<(u64, RequestId)> {
        let (at, event) = self.fx.queue.pop()?;
        self.fx.now = at;
        self.disks.handle(&mut self.fx, event, |_| AROUND.wall_ns);
        Some((at.as_nanos() / 1_000, event.request))
    }

    fn run(&mut self) -> Vec<(u64, RequestId)> {
        std::iter::from_fn(|| self.step()).collect()
    }

    fn take(&mut self, id: RequestId) -> io::Result<Reply> {
        match self.disks.poll(&mut self.fx, id) {
            Answer::Done(reply) => reply,
            Answer::Wait(_) => panic!("it has not happened"),
        }
    }

    fn waits(&mut self, id: RequestId) -> Token {
        match self.disks.poll(&mut self.fx, id) {
            Answer::Wait(token) => token,
            Answer::Done(reply) => panic!("it happened: {reply:?}"),
        }
    }

    fn disk(&mut self) -> &mut Disk {
        &mut self.disks.device(NODE, 0).fs
    }

    fn content(&mut self, path: &str) -> String {
        let opened = self.at_once(open(path, READ)).unwrap();
        let Reply::Opened(fd) = opened else {
            panic!("{opened:?}")
        };
        let length = 1_000;
        let at = None;
        let read = self.at_once(Call::Read { fd, at, length }).unwrap();
        let Reply::Bytes(read) = read else {
            panic!("{read:?}")
        };
        self.disk().close(fd).unwrap();
        String::from_utf8(read).unwrap()
    }
}

fn constant() -> DiskLatency {
    let constant = |us| Distribution::Constant(us * US);
    DiskLatency {
        read: constant(1),
        write: constant(2),
        sync: constant(100),
        metadata: constant(10),
        stall: constant(1_000_000),
        queue_depth: 32,
    }
}

fn open(path: &str, flags: OpenFlags) -> Call {
    let path = bytes(path);
    Call::Open { path, flags }
}

fn write(fd: Fd, text: &str) -> Call {
    let bytes = text.as_bytes().to_vec();
    let at = None;
    Call::Write { fd, at, bytes }
}

const fn sync(fd: Fd) -> Call {
    let content_only = false;
    Call::Sync { fd, content_only }
}

fn directory(path: &str) -> Call {
    let (path, mode) = (bytes(path), 0o777);
    Call::MakeDirectory { path, mode }
}

#[test]
fn a_call_takes_the_time_of_its_class() {
    let mut world = World::new(constant());
    let fd = world.make("/file");
    let ids = [
        world.ask(sync(fd)),
        world.ask(directory("/a")),
        world.ask(write(fd, "x")),
        world.ask(Call::Read {
            fd,
            at: Some(0),
            length: 1,
        }),
    ];
    let ended = world.run();
    let expected = [(1, ids[3]), (2, ids[2]), (10, ids[1]), (100, ids[0])];
    assert_eq!(ended, expected);
}

#[test]
fn a_write_that_is_durable_takes_the_time_of_a_sync_too() {
    let mut world = World::new(constant());
    let flags = OpenFlags {
        sync: super::super::call::WriteSync::Content,
        ..CREATE
    };
    let Ok(Reply::Opened(fd)) = world.at_once(open("/file", flags)) else {
        panic!("it is made")
    };
    let id = world.ask(write(fd, "x"));
    assert_eq!(world.run(), [(102, id)]);
}

#[test]
fn no_more_than_the_depth_are_served_at_once_in_order_of_arrival() {
    let mut world = World::new(DiskLatency {
        queue_depth: 2,
        ..constant()
    });
    let paths = ["/a", "/b", "/c", "/d", "/e"];
    let ids = paths.map(|path| world.ask(directory(path)));
    let ended = world.run();
    let at = [10, 10, 20, 20, 30];
    let expected: Vec<_> = at.into_iter().zip(ids).collect();
    assert_eq!(ended, expected);
}

#[test]
fn requests_finish_as_their_latencies_fall() {
    let mut world = World::new(DiskLatency::default());
    let ids: Vec<_> = (0..20)
        .map(|n| world.ask(directory(&format!("/{n}"))))
        .collect();
    let ended: Vec<_> = world.run().into_iter().map(|(_, id)| id).collect();
    assert_ne!(ended, ids, "all in order of asking");
    assert!(ids.iter().all(|id| ended.contains(id)));
}

#[test]
fn a_constant_latency_draws_nothing() {
    let first_sample = |constants: usize| {
        let mut world = World::new(constant());
        for n in 0..constants {
            world.ask(directory(&format!("/{n}")));
        }
        world.run();
        let begin = world.fx.now;
        world
            .disks
            .set_latency(NODE, 0, Some(DiskLatency::default()));
        world.ask(directory("/x"));
        world.run();
        world.fx.now.saturating_since(begin)
    };
    assert_eq!(first_sample(0), first_sample(5));
}

#[test]
fn disks_draw_at_points_of_their_own() {
    let first_sample = |others: usize| {
        let mut world = World::new(DiskLatency::default());
        for n in 0..others {
            let call = directory(&format!("/{n}"));
            let once = Persistence::Once;
            world.disks.submit(&mut world.fx, OTHER, AROUND, call, once);
        }
        let id = world.ask(directory("/x"));
        let ended = world.run();
        ended.into_iter().find(|(_, other)| *other == id).unwrap().0
    };
    assert_eq!(first_sample(0), first_sample(5));
}

#[test]
fn whoever_waits_is_woken_at_the_end_and_asks_once() {
    let mut world = World::new(constant());
    let id = world.ask(directory("/a"));
    let token = world.waits(id);
    assert!(world.fx.woken.is_empty());
    world.run();
    assert!(world.fx.woken.contains(&token));
    assert_eq!(world.take(id).unwrap(), Reply::Nothing);
    assert!(world.fx.in_use.is_empty());
    let again = world.take(id).unwrap_err();
    assert_eq!(again.raw_os_error(), Some(libc::EIO));
}

#[test]
fn what_nobody_waits_for_happens_all_the_same() {
    let mut world = World::new(constant());
    let fd = world.make("/file");
    let id = world.ask(write(fd, "text"));
    world.disks.abandon(&mut world.fx, id);
    world.run();
    assert!(world.fx.in_use.is_empty());
    assert_eq!(world.content("/file"), "text");
}

#[test]
fn what_is_opened_for_nobody_is_closed() {
    let mut world = World::new(constant());
    let before = world.ask(open("/a", CREATE));
    let after = world.ask(open("/b", CREATE));
    world.disks.abandon(&mut world.fx, before);
    world.run();
    assert_eq!(world.disk().open_files(), 1);
    world.disks.abandon(&mut world.fx, after);
    assert_eq!(world.disk().open_files(), 0);
    assert!(world.fx.in_use.is_empty());
}

#[test]
fn a_descriptor_is_closed_when_nothing_under_way_uses_it() {
    let mut world = World::new(constant());
    let fd = world.make("/file");
    let id = world.ask(write(fd, "text"));
    world.disks.abandon(&mut world.fx, id);
    world.disks.close(NODE, fd);
    assert_eq!(world.disk().open_files(), 1);
    world.run();
    assert_eq!(world.disk().open_files(), 0);
    assert_eq!(world.content("/file"), "text");
}

#[test]
fn requests_of_a_dead_process_do_not_happen() {
    for power in [false, true] {
        let mut world = World::new(DiskLatency {
            queue_depth: 1,
            ..constant()
        });
        let fd = world.make("/file");
        let served = world.ask(write(fd, "text"));
        let waiting = world.ask(directory("/a"));
        world.waits(waiting);
        if power {
            world.disks.power_lost(&mut world.fx, NODE);
        } else {
            world.disks.process_died(&mut world.fx, NODE);
        }
        assert_eq!(world.disks.process(NODE), 1);
        assert_eq!(world.disk().open_files(), 0);
        assert!(world.fx.in_use.is_empty());
        assert!(world.run().is_empty());
        for id in [served, waiting] {
            let error = world.take(id).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
        }
        assert!(world.at_once(directory("/a")).is_ok(), "it was not made");
        if !power {
            assert_eq!(world.content("/file"), "");
        }
        // The next process has the whole disk to itself.
        let id = world.ask(directory("/b"));
        world.run();
        assert!(world.take(id).is_ok());
    }
}

#[test]
fn a_process_that_dies_leaves_other_nodes_alone() {
    let mut world = World::new(constant());
    let (call, once) = (directory("/a"), Persistence::Once);
    let id = world.disks.submit(&mut world.fx, OTHER, AROUND, call, once);
    world.disks.process_died(&mut world.fx, NODE);
    world.run();
    assert!(world.take(id).is_ok());
}

#[test]
fn a_sync_is_about_what_came_before_it_was_asked_for() {
    let mut world = World::new(constant());
    let fd = world.make("/file");
    let root = world.at_once(open("/", READ)).unwrap();
    let Reply::Opened(root) = root else {
        panic!("{root:?}")
    };
    world.at_once(sync(root)).unwrap();
    world.at_once(write(fd, "before")).unwrap();
    let id = world.ask(sync(fd));
    world.at_once(write(fd, "after")).unwrap();
    world.run();
    world.take(id).unwrap();
    assert_eq!(world.content("/file"), "beforeafter");
    let durable = world.disk().durable();
    world.disk().remount(durable);
    assert_eq!(world.content("/file"), "before");
}

#[test]
fn a_write_that_falls_short_goes_on_if_it_is_to() {
    let faults = DiskFaults {
        short_write: Probability::percent(100),
        ..DiskFaults::NONE
    };
    let config = DiskConfig {
        faults,
        ..DiskConfig::default()
    };
    for persistence in [Persistence::Once, Persistence::UntilDone] {
        let mut world = World::with(config.clone(), constant());
        let fd = world.make("/file");
        let text = "many words that are written in parts";
        let id = world.ask_with(write(fd, text), persistence);
        let steps = world.run().len();
        world.take(id).unwrap();
        let content = world.content("/file");
        match persistence {
            Persistence::Once => {
                assert_eq!(steps, 1);
                assert!(content.len() < text.len() && text.starts_with(&content));
            }
            Persistence::UntilDone => {
                assert!(steps > 1);
                assert_eq!(content, text);
            }
        }
    }
}

#[test]
fn what_is_open_on_a_disk_that_is_replaced_meets_errors() {
    let mut world = World::new(constant());
    let fd = world.make("/file");
    let kept = world.ask(write(fd, "text"));
    let abandoned = world.ask(directory("/a"));
    world.disks.abandon(&mut world.fx, abandoned);
    let token = world.waits(kept);
    world.disks.wipe(&mut world.fx, NODE, 0);
    assert!(world.fx.woken.contains(&token));
    assert!(world.run().is_empty());
    let error = world.take(kept).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    assert_eq!(world.disks.process(NODE), 1);
    assert!(world.fx.in_use.is_empty());
    let error = world.at_once(open("/file", READ)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn calls_and_their_errors_are_in_the_trace() {
    let mut world = World::new(constant());
    let fd = world.make("/file");
    world.fx.records.clear();
    world.at_once(write(fd, "text")).unwrap();
    world.at_once(directory("/file")).unwrap_err();
    let failed = u64::from(libc::EEXIST.unsigned_abs());
    let [(Kind::DiskCall, subject, 4), (Kind::CallFailed, _, code)] = world.fx.records[..] else {
        panic!("{:?}", world.fx.records)
    };
    assert_eq!((subject, code), (u64::from(fd.0), failed));
}

#[test]
fn a_sync_that_stalls_takes_longer_and_is_counted() {
    let config = DiskConfig {
        faults: DiskFaults {
            stall: Probability::ALWAYS,
            ..DiskFaults::NONE
        },
        ..DiskConfig::default()
    };
    let mut world = World::with(config, constant());
    let fd = world.make("/file");
    let ids = [world.ask(sync(fd)), world.ask(write(fd, "x"))];
    assert_eq!(world.run(), [(2, ids[1]), (1_000_100, ids[0])]);
    let counter = world.disks.counters().get(Family::DiskStall);
    assert_eq!(
        (counter.offered, counter.fired, counter.effective),
        (1, 1, 1)
    );
}
