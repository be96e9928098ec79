//! The disks of a world, and the requests under way to them: when each is carried out, and who
//! waits for it.
//!
//! Owns the table of nodes' disks, each made at its first use, and every request from its asking
//! to its answer. A request takes a time drawn for it; a disk serves so many at once, and what is
//! asked of it beyond waits in order. A call happens at the end of its time, at one instant. It
//! must never know what a call does.

use core::mem;
use core::panic::Location;
use core::time::Duration;
use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::atlas::Atlas;
use super::call::{Call, Fd, Reply};
use super::config::DiskConfig;
use super::device::Device;
use super::latency::{Class, DiskLatency};
use super::moment::Moment;
use super::{Around, Disk, Image, os_error};
use crate::kernel::{
    Choices, EntityKey, EventKey, Family, FaultCounters, NodeId, Point, SimTime, Site,
};
use crate::model::slab::{Slab, SlotId};
use crate::model::surroundings::{Answer, Signal, Surroundings};

/// How long each request takes.
const LATENCY: Site = Site::new("disk.latency");

/// What the disks ask of the world around them.
pub(crate) trait Effects: Surroundings {
    /// Has `event` given to [`Disks::handle`] at that time.
    fn schedule(&mut self, at: SimTime, event: DiskEvent) -> EventKey;
}

/// A request has had its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskEvent {
    pub(crate) request: RequestId,
}

/// Names a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(SlotId);

/// What a request does when its call was interrupted or wrote less than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Says so.
    Once,
    /// Goes on until everything is done or something else goes wrong, as std's `write_all` does.
    UntilDone,
}

/// The disks of all nodes of a world.
#[derive(Debug)]
pub(crate) struct Disks {
    config: DiskConfig,
    latency: DiskLatency,
    atlas: Atlas,
    places: Vec<Place>,
    requests: Slab<Request>,
}

/// A node's place in the table.
#[derive(Debug)]
struct Place {
    key: EntityKey,
    /// Counts the processes that used the disk. What an earlier one opened means nothing now.
    process: u32,
    station: Option<Box<Station>>,
}

const _: () = assert!(
    size_of::<Place>() <= 24,
    "a node that never uses its disk costs next to nothing"
);

/// A disk and what is under way to it.
#[derive(Debug)]
struct Station {
    device: Device,
    /// Settings of its own.
    latency: Option<DiskLatency>,
    draws: Point,
    serving: u32,
    waiting: VecDeque<RequestId>,
    /// By descriptor, how many requests under way use it.
    users: Vec<u32>,
    /// Descriptors that are closed as soon as nobody uses them.
    closing: Vec<Fd>,
}

#[derive(Debug)]
struct Request {
    node: NodeId,
    state: State,
    place: Option<&'static Location<'static>>,
    /// Where it was asked for, in a run that is made to know that.
    stack: Option<Arc<Backtrace>>,
    /// The number of the first change that came after the asking: a sync is not about it.
    before: u64,
    persistence: Persistence,
    signal: Signal,
    /// Nobody waits for the answer any more.
    abandoned: bool,
}

#[derive(Debug)]
enum State {
    /// Waits for its turn, or is served, until then.
    Asked {
        call: Call,
        takes: Duration,
        served: Option<EventKey>,
    },
    Answered(io::Result<Reply>),
}

impl Disks {
    /// No disks; those to come have these settings, unless they get some of their own.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn new(config: DiskConfig, latency: DiskLatency) -> Self {
        check(&latency);
        Self {
            config,
            latency,
            atlas: Atlas::default(),
            places: Vec::new(),
            requests: Slab::new(),
        }
    }

    /// Adds the next node, whose disk is empty.
    pub(crate) fn add_node(&mut self, key: EntityKey) {
        self.places.push(Place {
            key,
            process: 0,
            station: None,
        });
    }

    /// Changes the speed of one node's disk, for calls from now on; `None` gives it that of all.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(crate) fn set_latency(&mut self, node: NodeId, wall_ns: u64, latency: Option<DiskLatency>) {
        if let Some(latency) = &latency {
            check(latency);
        }
        self.station(node, wall_ns).latency = latency;
    }

    /// The speed that one node's disk has of its own.
    pub(crate) fn latency(&mut self, node: NodeId, wall_ns: u64) -> Option<&DiskLatency> {
        self.station(node, wall_ns).latency.as_ref()
    }

    /// Which process of a node uses its disk; what is opened belongs to it.
    pub(crate) fn process(&self, node: NodeId) -> u32 {
        self.places[node.index()].process
    }

    /// A node's disk; it is made if it was never used.
    pub(crate) fn device(&mut self, node: NodeId, wall_ns: u64) -> &mut Device {
        &mut self.station(node, wall_ns).device
    }

    /// Which copies of what may be damaged.
    pub(crate) const fn atlas_mut(&mut self) -> &mut Atlas {
        &mut self.atlas
    }

    /// What the faults of all disks did.
    pub(crate) fn counters(&self) -> FaultCounters {
        let mut counters = FaultCounters::default();
        for station in self
            .places
            .iter()
            .filter_map(|place| place.station.as_ref())
        {
            counters.add(station.device.faults.counters());
        }
        counters
    }

    /// Asks for a call, which happens when its time has come.
    pub(crate) fn submit<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        around: Around,
        call: Call,
        persistence: Persistence,
    ) -> RequestId {
        let signal = Signal::new(fx);
        let takes = self.takes(fx, node, around.wall_ns, &call);
        let station = self.existing(node);
        let before = station.device.fs.store().next_op();
        let stack = station.device.fs.stack_of_asking();
        if let Some(fd) = call.descriptor() {
            station.uses(fd);
        }
        let id = RequestId(self.requests.insert(Request {
            node,
            state: State::Asked {
                call,
                takes,
                served: None,
            },
            place: around.place,
            stack,
            before,
            persistence,
            signal,
            abandoned: false,
        }));
        let station = self.existing(node);
        station.waiting.push_back(id);
        self.serve(fx, node);
        id
    }

    /// The answer to a request, once. One whose process died is never answered.
    pub(crate) fn poll<F: Effects>(
        &mut self,
        fx: &mut F,
        id: RequestId,
    ) -> Answer<io::Result<Reply>> {
        let Some(request) = self.requests.get_mut(id.0) else {
            return Answer::Done(Err(gone()));
        };
        if matches!(request.state, State::Asked { .. }) {
            return request.signal.wait();
        }
        let request = self.requests.remove(id.0).expect("it was found");
        fx.free_token(request.signal.token);
        match request.state {
            State::Answered(answer) => Answer::Done(answer),
            State::Asked { .. } => unreachable!("it was answered"),
        }
    }

    /// Nobody waits for a request any more. Its call happens all the same, as one does that was
    /// given to a thread; what it opens is closed.
    pub(crate) fn abandon<F: Effects>(&mut self, fx: &mut F, id: RequestId) {
        let Some(request) = self.requests.get_mut(id.0) else {
            return;
        };
        request.abandoned = true;
        if matches!(request.state, State::Answered(_)) {
            self.drop_answer(fx, id);
        }
    }

    /// Carries out a call now, beside all that is under way, and gives how long it takes.
    pub(crate) fn at_once<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        around: &Around,
        call: Call,
    ) -> (io::Result<Reply>, Duration) {
        let takes = self.takes(fx, node, around.wall_ns, &call);
        (self.perform(fx, node, around, call), takes)
    }

    /// Carries out a call now, as one that takes no time.
    pub(crate) fn perform<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        around: &Around,
        call: Call,
    ) -> io::Result<Reply> {
        self.station(node, around.wall_ns);
        let place = &mut self.places[node.index()];
        let station = place.station.as_mut().expect("it was made");
        let before = station.device.fs.store().next_op();
        let mut at = Moment {
            fx,
            node,
            around: *around,
            before,
            atlas: &mut self.atlas,
        };
        at.perform(&mut station.device, call)
    }

    /// A node's disk, if it was ever used.
    pub(crate) fn used(&mut self, node: NodeId) -> Option<&mut Device> {
        let station = self.places[node.index()].station.as_mut()?;
        Some(&mut station.device)
    }

    /// Another descriptor of what one leads to.
    pub(crate) fn duplicate(&mut self, node: NodeId, fd: Fd) -> io::Result<Fd> {
        self.existing(node).device.duplicate(fd)
    }

    /// Closes a descriptor when nothing under way uses it any more.
    pub(crate) fn close(&mut self, node: NodeId, fd: Fd) {
        let station = self.existing(node);
        if station.is_used(fd) {
            station.closing.push(fd);
        } else {
            station.close(fd);
        }
    }

    /// A node's process ended: its requests do not happen, and what it had open is closed.
    pub(crate) fn process_died<F: Effects>(&mut self, fx: &mut F, node: NodeId) {
        let place = &mut self.places[node.index()];
        place.process += 1;
        let Some(station) = &mut place.station else {
            return;
        };
        station.device.fs.process_died();
        station.forget_all();
        for id in self.requests.ids_where(|request| request.node == node) {
            let request = self.requests.remove(id).expect("it was listed");
            if let State::Asked {
                served: Some(key), ..
            } = request.state
            {
                fx.cancel(key);
            }
            fx.free_token(request.signal.token);
        }
    }

    /// A node lost its power, and with it its process and the page cache.
    pub(crate) fn power_lost<F: Effects>(&mut self, fx: &mut F, node: NodeId) {
        self.process_died(fx, node);
        if let Some(station) = &mut self.places[node.index()].station {
            station.device.power_lost(fx.choices());
        }
    }

    /// Makes a node's disk hold something else, which must be settled. What was open on it, and
    /// what is under way to it, meets an error of the device.
    pub(crate) fn replace<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        wall_ns: u64,
        image: Image,
        family: Family,
    ) {
        let wanted = |request: &Request| request.node == node;
        for id in self.requests.ids_where(wanted) {
            let request = self.requests.get_mut(id).expect("it was listed");
            let asked = mem::replace(&mut request.state, State::Answered(Err(gone())));
            match asked {
                State::Asked { served, .. } => {
                    if let Some(key) = served {
                        fx.cancel(key);
                    }
                    request.signal.wake(fx);
                }
                answered @ State::Answered(_) => request.state = answered,
            }
            if request.abandoned {
                let request = self.requests.remove(id).expect("it was listed");
                fx.free_token(request.signal.token);
            }
        }
        self.places[node.index()].process += 1;
        let station = self.station(node, wall_ns);
        station.forget_all();
        station.device.replace(image, family);
        if family == Family::Wipe {
            self.atlas.repaired(node);
        }
    }

    /// As [`replace`](Self::replace), with an empty disk.
    pub(crate) fn wipe<F: Effects>(&mut self, fx: &mut F, node: NodeId, wall_ns: u64) {
        let profile = self.device(node, wall_ns).fs.store().profile();
        let empty = Disk::new(profile, wall_ns).durable();
        self.replace(fx, node, wall_ns, empty, Family::Wipe);
    }

    /// A request has had its time: its call happens. `wall_ns` is what a node's wall clock shows.
    pub(crate) fn handle<F: Effects>(
        &mut self,
        fx: &mut F,
        event: DiskEvent,
        wall_ns: impl FnOnce(NodeId) -> u64,
    ) {
        let id = event.request;
        let request = self
            .requests
            .get_mut(id.0)
            .expect("its event was not cancelled");
        let nothing = State::Answered(Ok(Reply::Nothing));
        let State::Asked { call, takes, .. } = mem::replace(&mut request.state, nothing) else {
            unreachable!("a request is answered once");
        };
        let node = request.node;
        let mut at = Moment {
            node,
            around: Around {
                wall_ns: wall_ns(node),
                place: request.place,
            },
            before: request.before,
            atlas: &mut self.atlas,
            fx,
        };
        let place = &mut self.places[node.index()];
        let station = place.station.as_mut().expect("it was asked");
        station.serving -= 1;
        station.device.fs.set_asked(request.stack.clone());
        let fd = call.descriptor();
        let again = match request.persistence {
            Persistence::UntilDone => {
                let (answer, again) = at.perform_again(&mut station.device, call);
                request.state = State::Answered(answer);
                again
            }
            Persistence::Once => {
                let answer = at.perform(&mut station.device, call);
                request.state = State::Answered(answer);
                None
            }
        };
        station.device.fs.set_asked(None);
        if let Some(call) = again {
            // What is left takes as long again.
            request.state = State::Asked {
                call,
                takes,
                served: None,
            };
            station.waiting.push_front(id);
        } else {
            if let Some(fd) = fd {
                station.used(fd);
            }
            request.signal.wake(fx);
            if request.abandoned {
                self.drop_answer(fx, id);
            }
        }
        self.serve(fx, node);
    }

    /// Lets as many of a disk's requests begin as it serves at once.
    fn serve<F: Effects>(&mut self, fx: &mut F, node: NodeId) {
        let station = self.places[node.index()].station.as_mut();
        let station = station.expect("it was asked");
        let depth = station
            .latency
            .as_ref()
            .unwrap_or(&self.latency)
            .queue_depth;
        while station.serving < depth
            && let Some(id) = station.waiting.pop_front()
        {
            let request = self.requests.get_mut(id.0).expect("it waits");
            if let State::Asked { takes, served, .. } = &mut request.state {
                let at = fx.now().saturating_add(*takes);
                *served = Some(fx.schedule(at, DiskEvent { request: id }));
                station.serving += 1;
            }
        }
    }

    /// Draws how long a call takes.
    fn takes<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        wall_ns: u64,
        call: &Call,
    ) -> Duration {
        self.station(node, wall_ns);
        let station = self.places[node.index()].station.as_mut();
        let station = station.expect("it was made");
        let class = Class::of(call, &station.device);
        let latency = station.latency.as_ref().unwrap_or(&self.latency);
        let (first, second) = latency.parts(class);
        let draws = &mut station.draws;
        let mut takes = first.sample(fx.choices(), draws);
        if let Some(second) = second {
            takes = takes.saturating_add(second.sample(fx.choices(), draws));
        }
        if station.latency.is_some() {
            let usual = self.latency.slowest(class);
            station.device.faults.took(takes, usual);
        }
        if let Some(fd) = call.descriptor()
            && matches!(class, Class::Sync | Class::SyncWrite)
            && station.device.stalls(fx.choices(), fd)
        {
            takes = takes.saturating_add(latency.stall.sample(fx.choices(), draws));
        }
        takes
    }

    /// An answer that nobody takes: what was opened is closed.
    fn drop_answer<F: Effects>(&mut self, fx: &mut F, id: RequestId) {
        let request = self.requests.remove(id.0).expect("it was answered");
        fx.free_token(request.signal.token);
        if let State::Answered(Ok(Reply::Opened(fd))) = request.state {
            self.close(request.node, fd);
        }
    }

    fn station(&mut self, node: NodeId, wall_ns: u64) -> &mut Station {
        let place = &mut self.places[node.index()];
        let (key, config) = (place.key, &self.config);
        let make = || Box::new(Station::new(key, Device::new(key, config, wall_ns)));
        place.station.get_or_insert_with(make)
    }

    fn existing(&mut self, node: NodeId) -> &mut Station {
        let station = self.places[node.index()].station.as_mut();
        station.expect("what is open was opened on it")
    }
}

impl Station {
    fn new(key: EntityKey, device: Device) -> Self {
        Self {
            device,
            latency: None,
            draws: Choices::point(LATENCY, key),
            serving: 0,
            waiting: VecDeque::new(),
            users: Vec::new(),
            closing: Vec::new(),
        }
    }

    /// Nothing is under way.
    fn forget_all(&mut self) {
        self.serving = 0;
        self.waiting.clear();
        self.users.clear();
        self.closing.clear();
    }

    fn uses(&mut self, fd: Fd) {
        let index = fd.0 as usize;
        if self.users.len() <= index {
            self.users.resize(index + 1, 0);
        }
        self.users[index] += 1;
    }

    fn is_used(&self, fd: Fd) -> bool {
        self.users
            .get(fd.0 as usize)
            .is_some_and(|count| *count > 0)
    }

    /// One user fewer; the last closes the descriptor if that was asked for.
    fn used(&mut self, fd: Fd) {
        self.users[fd.0 as usize] -= 1;
        if self.users[fd.0 as usize] == 0
            && let Some(index) = self.closing.iter().position(|closing| *closing == fd)
        {
            self.closing.swap_remove(index);
            self.close(fd);
        }
    }

    fn close(&mut self, fd: Fd) {
        self.device.fs.close(fd).expect("it is closed once");
    }
}

#[track_caller]
fn check(latency: &DiskLatency) {
    if let Err(error) = latency.validate() {
        panic!("the latency of a disk makes no sense: {error}");
    }
}

/// The error of a disk that is not there any more.
pub(crate) fn gone() -> io::Error {
    os_error(libc::EIO)
}
