//! Names of hosts and what they resolve to: static entries, and a name server that may be slow,
//! fail, or answer with what was true before.
//!
//! Owns the records, the static entries, the lookups under way and the counters of the three
//! faults. It must never know who waits for an answer.
//!
//! Lookup `k` of a name by a node always meets draw `k` of that pair's points, whether or not it
//! fails: so that a fault taken out of a plan leaves the other lookups as they were.
//!
//! # Fidelity
//! The name server is no host: it has no address, and no cut keeps a node from it. Addresses are
//! not sorted by preference, and nothing is cached by the one who asks; a stale answer stands for
//! a cache on the way.

mod config;

use core::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use config::{AddressOrder, DnsConfig};

use super::slab::Slab;
use super::{Answer, Effects, Fabric, NetEvent, Signal, SocketId, os_error};
use crate::kernel::{
    Choices, EntityKey, EventKey, Family, FaultCounters, Kind, NodeId, Point, Site,
};

const DELAY: Site = Site::new("dns.delay");
const FAILURE: Site = Site::new("dns.failure");
const STALE: Site = Site::new("dns.stale");
const ORDER: Site = Site::new("dns.order");

/// Whose lookups fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Everybody's, of this name.
    Name(String),
    /// This node's, of any name.
    Node(NodeId),
}

/// What becomes of a question.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// It is answered.
    Answered(Vec<IpAddr>),
    /// The answer is on its way.
    Asked(SocketId),
}

/// All names. Case does not matter, nor does one dot at the end.
#[derive(Debug)]
pub(super) struct Names {
    config: DnsConfig,
    by_name: BTreeMap<String, Name>,
    /// The keys of nodes' own names, by their numbers.
    nodes: Vec<Option<EntityKey>>,
    /// Lookups that fail whatever is drawn, by the numbers of their faults.
    failing: Vec<(u64, Failing)>,
    next_fault: u64,
    under_way: Slab<UnderWay>,
    counters: FaultCounters,
}

#[derive(Debug, Default)]
struct Name {
    /// What the name server knows now; nothing if there is no such name.
    addresses: Vec<IpAddr>,
    /// What it knew before the last change, if there was one.
    before: Option<Vec<IpAddr>>,
    /// The static entry of all nodes.
    everywhere: Option<Vec<IpAddr>>,
    /// Static entries of single nodes.
    here: Vec<(NodeId, Vec<IpAddr>)>,
    /// The choice points of the nodes that asked, in order of the nodes.
    points: Vec<(NodeId, Points)>,
}

#[derive(Debug)]
struct Points {
    delay: Point,
    failure: Point,
    stale: Point,
    order: Point,
}

/// A lookup whose answer is on its way.
#[derive(Debug)]
struct UnderWay {
    node: NodeId,
    /// What the answer will be; it was true, or not, when the question was asked.
    reply: Reply,
    /// When it arrives; none once it has.
    arrives: Option<EventKey>,
    arrival: Signal,
}

/// The answer to a question, and what made it so.
#[derive(Debug)]
struct Reply {
    name: EntityKey,
    /// No addresses if there is no such name.
    addresses: Vec<IpAddr>,
    failed: bool,
    /// It is not what the name server would have said.
    differs: bool,
    late: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            config: DnsConfig::default(),
            by_name: BTreeMap::new(),
            nodes: Vec::new(),
            failing: Vec::new(),
            next_fault: 0,
            under_way: Slab::new(),
            counters: FaultCounters::default(),
        }
    }
}

impl Names {
    /// Adds the name of a node, which is the key of its choice points too.
    pub(super) fn add_node(&mut self, node: NodeId, name: &str, addresses: Vec<IpAddr>) {
        if self.nodes.len() <= node.index() {
            self.nodes.resize(node.index() + 1, None);
        }
        self.nodes[node.index()] = Some(EntityKey::of(name));
        // What no name server knew before has not changed.
        let name = find_or_add(&mut self.by_name, &normal(name));
        if name.before.is_none() && name.addresses.is_empty() {
            name.addresses = addresses;
        } else {
            name.change(addresses);
        }
    }

    pub(super) const fn counters(&self) -> &FaultCounters {
        &self.counters
    }

    /// How many lookups are under way.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// How many names are kept.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.by_name.len()
    }

    /// What needs no name server: an address as text, a static entry, `localhost`.
    fn known_here(&self, node: NodeId, name: &str, normal: &str) -> Option<Vec<IpAddr>> {
        if let Ok(address) = name.parse() {
            return Some(vec![address]);
        }
        if let Some(entry) = self
            .by_name
            .get(normal)
            .and_then(|name| name.entry_of(node))
        {
            return Some(entry.clone());
        }
        (normal == "localhost")
            .then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
    }

    /// What the name server makes of a question, and how long it takes.
    fn ask(&mut self, choices: &mut Choices, node: NodeId, normal: &str) -> (Reply, Duration) {
        let drawn = self.draw(choices, node, normal);
        let told_to_fail = self.failing.iter().any(|(_, failing)| match failing {
            Failing::Name(name) => name == normal,
            Failing::Node(failing) => *failing == node,
        });
        let failed = told_to_fail || drawn.failed;
        self.count(
            Family::DnsFailure,
            !self.config.failure.is_never() || !self.failing.is_empty(),
            failed,
        );
        let may_be_late = self.config.delay.constant() != Some(Duration::ZERO);
        self.count(Family::DnsDelay, may_be_late, !drawn.delay.is_zero());
        let known = self.by_name.get(normal);
        let current = known.map_or(&[][..], |name| &name.addresses);
        let told = known
            .and_then(|name| name.before.as_deref())
            .filter(|_| drawn.stale)
            .unwrap_or(current);
        let differs = told != current && !failed;
        let mut addresses = told.to_vec();
        if let Some(first) = drawn.first.checked_rem(addresses.len() as u64) {
            addresses.rotate_left(usize::try_from(first).expect("it is below a length"));
        }
        self.count(Family::DnsStale, !self.config.stale.is_never(), differs);
        let reply = Reply {
            name: EntityKey::of(normal),
            differs,
            addresses,
            failed,
            late: !drawn.delay.is_zero(),
        };
        (reply, drawn.delay)
    }

    fn draw(&mut self, choices: &mut Choices, node: NodeId, normal: &str) -> Drawn {
        let DnsConfig {
            delay,
            failure,
            stale,
            order,
        } = &self.config;
        let rotated = *order == AddressOrder::Rotated;
        if let Some(delay) = delay
            .constant()
            .filter(|_| failure.is_never() && stale.is_never() && !rotated)
        {
            return Drawn {
                delay,
                ..Drawn::default()
            };
        }
        let asker = self.nodes.get(node.index()).copied().flatten();
        let asker = asker.expect("only hosts ask");
        let entity = EntityKey::pair(asker, EntityKey::of(normal));
        let points = find_or_add(&mut self.by_name, normal).points_of(node, entity);
        Drawn {
            delay: delay.sample(choices, &mut points.delay),
            failed: choices.chance(&mut points.failure, *failure),
            stale: choices.chance(&mut points.stale, *stale),
            first: if rotated {
                choices.draw(&mut points.order)
            } else {
                0
            },
        }
    }

    fn count(&mut self, family: Family, on: bool, fired: bool) {
        if on {
            self.counters.offered(family);
            if fired {
                self.counters.fired(family);
            }
        }
    }

    /// Gives a reply to the program, and counts what it thereby sees of the faults.
    fn tell(&mut self, reply: Reply) -> io::Result<Vec<IpAddr>> {
        for (seen, family) in [
            (reply.failed, Family::DnsFailure),
            (reply.differs, Family::DnsStale),
            (reply.late, Family::DnsDelay),
        ] {
            if seen {
                self.counters.effective(family);
            }
        }
        match reply.error() {
            Some(code) => Err(lookup_error(code)),
            None => Ok(reply.addresses),
        }
    }
}

/// One lookup's draws.
#[derive(Clone, Copy, Debug, Default)]
struct Drawn {
    delay: Duration,
    failed: bool,
    stale: bool,
    /// Which address comes first, modulo their number.
    first: u64,
}

impl Name {
    fn change(&mut self, addresses: Vec<IpAddr>) {
        if self.addresses != addresses {
            self.before = Some(core::mem::replace(&mut self.addresses, addresses));
        }
    }

    fn entry_of(&self, node: NodeId) -> Option<&Vec<IpAddr>> {
        let here = self.here.iter().find(|(other, _)| *other == node);
        here.map(|(_, addresses)| addresses)
            .or(self.everywhere.as_ref())
    }

    fn points_of(&mut self, node: NodeId, entity: EntityKey) -> &mut Points {
        let at = self.points.partition_point(|(other, _)| *other < node);
        if self.points.get(at).is_none_or(|(other, _)| *other != node) {
            let points = Points {
                delay: Choices::point(DELAY, entity),
                failure: Choices::point(FAILURE, entity),
                stale: Choices::point(STALE, entity),
                order: Choices::point(ORDER, entity),
            };
            self.points.insert(at, (node, points));
        }
        &mut self.points[at].1
    }
}

impl Reply {
    /// What `getaddrinfo` returns instead of addresses.
    fn error(&self) -> Option<i32> {
        if self.failed {
            Some(libc::EAI_AGAIN)
        } else {
            self.addresses.is_empty().then_some(libc::EAI_NONAME)
        }
    }
}

impl Fabric {
    /// Changes how the name server behaves, for questions asked from now on.
    ///
    /// # Panics
    /// If the delay makes no sense.
    #[track_caller]
    pub(crate) fn set_dns(&mut self, config: DnsConfig) {
        if let Err(error) = config.validate() {
            panic!("the delay of lookups makes no sense: {error}");
        }
        self.names.config = config;
    }

    /// How the name server behaves.
    pub(crate) const fn dns(&self) -> &DnsConfig {
        &self.names.config
    }

    /// Gives a name its addresses, in the order in which an answer lists them; none take the name
    /// away.
    ///
    /// # Panics
    /// If it cannot be the name of a host.
    #[track_caller]
    pub(crate) fn set_name<F: Effects>(&mut self, fx: &mut F, name: &str, addresses: Vec<IpAddr>) {
        let name = checked(name);
        record_addresses(
            fx,
            Kind::NameChanged,
            NodeId::TEST,
            EntityKey::of(&name),
            &addresses,
        );
        find_or_add(&mut self.names.by_name, &name).change(addresses);
    }

    /// What the name server knows of a name.
    pub(crate) fn name(&self, name: &str) -> &[IpAddr] {
        let known = self.names.by_name.get(&*normal(name));
        known.map_or(&[], |name| &name.addresses)
    }

    /// Gives a name a static entry, at one node or at all: it is asked first, and never fails. An
    /// entry of the node itself comes before one of all nodes.
    ///
    /// # Panics
    /// If it cannot be the name of a host, or there are no addresses.
    #[track_caller]
    pub(crate) fn set_hosts_entry(
        &mut self,
        node: Option<NodeId>,
        name: &str,
        addresses: Vec<IpAddr>,
    ) {
        let normal = checked(name);
        assert!(
            !addresses.is_empty(),
            "an entry of hosts has addresses: give `{name}` at least one"
        );
        let name = find_or_add(&mut self.names.by_name, &normal);
        match node {
            None => name.everywhere = Some(addresses),
            Some(node) => {
                name.here.retain(|(other, _)| *other != node);
                name.here.push((node, addresses));
            }
        }
    }

    /// Lets lookups fail until the fault of the number given back is ended.
    ///
    /// # Panics
    /// If it cannot be the name of a host.
    #[track_caller]
    pub(crate) fn fail_lookups<F: Effects>(&mut self, fx: &mut F, failing: Failing) -> u64 {
        let failing = match failing {
            Failing::Name(name) => Failing::Name(checked(&name).into_owned()),
            Failing::Node(node) => Failing::Node(node),
        };
        let fault = self.names.next_fault;
        self.names.next_fault += 1;
        record_failing(fx, &failing, 1);
        self.names.failing.push((fault, failing));
        fault
    }

    /// Ends a fault that lets lookups fail.
    pub(crate) fn end_failing_lookups<F: Effects>(&mut self, fx: &mut F, fault: u64) {
        let at = self.names.failing.iter().position(|(n, _)| *n == fault);
        if let Some(at) = at {
            let (_, failing) = self.names.failing.remove(at);
            record_failing(fx, &failing, 0);
        }
    }

    /// Asks for the addresses of a name, of an address written as text, or of `localhost`.
    ///
    /// # Errors
    /// Those of [`lookup_answer`](Self::lookup_answer), if there is one at once.
    pub(crate) fn look_up<F: Effects>(
        &mut self,
        fx: &mut F,
        node: NodeId,
        name: &str,
    ) -> io::Result<Lookup> {
        if name.contains('\0') {
            // std finds it before the system is asked, and calls every text a file name.
            let text = "file name contained an unexpected NUL byte";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let normal = normal(name);
        if let Some(addresses) = self.names.known_here(node, name, &normal) {
            return Ok(Lookup::Answered(addresses));
        }
        let (reply, delay) = self.names.ask(fx.choices(), node, &normal);
        if delay.is_zero() {
            record_reply(fx, node, &reply);
            return self.names.tell(reply).map(Lookup::Answered);
        }
        let at = fx.now().saturating_add(delay);
        fx.record(
            Kind::NameAsked,
            node,
            reply.name.number(),
            at.as_nanos(),
            &[],
        );
        let arrival = Signal::new(fx);
        let lookup = self.names.under_way.insert(UnderWay {
            node,
            reply,
            arrives: None,
            arrival,
        });
        let event = fx.schedule(at, NetEvent::NameAnswered { lookup });
        if let Some(entry) = self.names.under_way.get_mut(lookup) {
            entry.arrives = Some(event);
        }
        Ok(Lookup::Asked(lookup))
    }

    /// The answer to a question that was asked; waits for it. It is given once.
    ///
    /// # Errors
    /// As `getaddrinfo` puts it: the name is not known, or the lookup failed for now. `EBADF`.
    pub(crate) fn lookup_answer<F: Effects>(
        &mut self,
        fx: &mut F,
        lookup: SocketId,
    ) -> io::Result<Answer<Vec<IpAddr>>> {
        let entry = self.names.under_way.get_mut(lookup);
        let entry = entry.ok_or_else(|| os_error(libc::EBADF))?;
        if entry.arrives.is_some() {
            return Ok(entry.arrival.wait());
        }
        let entry = self.names.under_way.remove(lookup);
        let entry = entry.expect("it was there a moment ago");
        fx.free_token(entry.arrival.token);
        self.names.tell(entry.reply).map(Answer::Done)
    }

    /// Nobody waits for the answer to a question any more.
    pub(crate) fn give_up_lookup<F: Effects>(&mut self, fx: &mut F, lookup: SocketId) {
        let Some(entry) = self.names.under_way.remove(lookup) else {
            return;
        };
        if let Some(event) = entry.arrives {
            fx.cancel(event);
        }
        fx.free_token(entry.arrival.token);
    }

    pub(super) fn on_name_answered<F: Effects>(&mut self, fx: &mut F, lookup: SocketId) {
        let entry = self.names.under_way.get_mut(lookup);
        let entry = entry.expect("a lookup that is given up takes its event back");
        entry.arrives = None;
        record_reply(fx, entry.node, &entry.reply);
        entry.arrival.wake(fx);
    }

    pub(super) fn give_up_lookups_of<F: Effects>(&mut self, fx: &mut F, node: NodeId) {
        for lookup in self.names.under_way.ids_where(|entry| entry.node == node) {
            self.give_up_lookup(fx, lookup);
        }
    }
}

fn find_or_add<'a>(by_name: &'a mut BTreeMap<String, Name>, normal: &str) -> &'a mut Name {
    // Not `entry`, which would need a name of its own for each question.
    if !by_name.contains_key(normal) {
        by_name.insert(normal.to_owned(), Name::default());
    }
    by_name.get_mut(normal).expect("it is there now")
}

/// What std makes of an error of `getaddrinfo`. Its kind has no name, but one number leads to it.
fn lookup_error(code: i32) -> io::Error {
    let what = match code {
        libc::EAI_AGAIN => "Temporary failure in name resolution",
        _ => "Name or service not known",
    };
    let text = format!("failed to lookup address information: {what}");
    io::Error::new(os_error(NO_ERROR_OF_LINUX).kind(), text)
}

/// Beyond Linux's largest, so that std has no kind for it.
const NO_ERROR_OF_LINUX: i32 = 4_096;

fn record_reply<F: Effects>(fx: &mut F, node: NodeId, reply: &Reply) {
    match reply.error() {
        Some(code) => {
            let code = u64::from(code.unsigned_abs());
            fx.record(Kind::NameFailed, node, reply.name.number(), code, &[]);
        }
        None => record_addresses(fx, Kind::NameAnswered, node, reply.name, &reply.addresses),
    }
}

fn record_addresses<F: Effects>(
    fx: &mut F,
    kind: Kind,
    node: NodeId,
    name: EntityKey,
    addresses: &[IpAddr],
) {
    let payload: Vec<u8> = addresses
        .iter()
        .flat_map(|address| match address {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        })
        .collect();
    let count = addresses.len() as u64;
    fx.record(kind, node, name.number(), count, &payload);
}

fn record_failing<F: Effects>(fx: &mut F, failing: &Failing, on: u64) {
    let (node, subject) = match failing {
        Failing::Name(name) => (NodeId::TEST, EntityKey::of(name).number()),
        Failing::Node(node) => (*node, 0),
    };
    fx.record(Kind::LookupsFailing, node, subject, on, &[]);
}

/// A name as it is kept.
fn normal(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// A name that a test gives, as it is kept.
#[track_caller]
fn checked(name: &str) -> Cow<'_, str> {
    let normal = normal(name);
    let is_name = (1..=NAME_MAX_BYTES).contains(&normal.len())
        && !normal.contains(|letter: char| {
            letter.is_whitespace() || letter.is_control() || letter == ':'
        });
    assert!(
        is_name,
        "`{name}` cannot be the name of a host: give 1 to {NAME_MAX_BYTES} letters, without spaces \
         and colons"
    );
    assert!(
        normal != "localhost" && name.parse::<IpAddr>().is_err(),
        "`{name}` is never looked up: give a name that is neither `localhost` nor an address"
    );
    normal
}

/// Of a domain name as text. Source: RFC 1035, 2.3.4.
const NAME_MAX_BYTES: usize = 253;
