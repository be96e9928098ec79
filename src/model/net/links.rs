//! The settings of all links, for whom they hold, and the draws of those that are used.
//!
//! Owns one entry for each link that had to be looked at, made when it first is: a thousand nodes
//! that talk to their neighbours need a few thousand entries, not a million.
//!
//! Packet `k` of a link always meets draw `k` of the link's points, whether or not it is lost or
//! the link is cut: so that a fault taken out of a plan leaves the other packets as they were.

use core::time::Duration;

use super::connection::HEADER_BYTES;
use super::link::{LinkConfig, QueueDrop};
use super::map::NumberMap;
use crate::kernel::{Choices, EntityKey, NodeId, Point, SimTime, Site};

const LATENCY: Site = Site::new("net.latency");
const BASE: Site = Site::new("net.base");
const LOSS: Site = Site::new("net.loss");
const DUPLICATE: Site = Site::new("net.duplicate");
const REORDER: Site = Site::new("net.reorder");
const CORRUPT: Site = Site::new("net.corrupt");
const QUEUE: Site = Site::new("net.queue");
const SEGMENT: Site = Site::new("net.segment");

/// The number of the default settings.
const DEFAULT: u32 = 0;
/// How much of its queue's time a stream fills. Linux: TCP small queues, about a millisecond.
const SMALL_QUEUE: Duration = Duration::from_millis(1);
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// All links.
#[derive(Debug)]
pub(super) struct Links {
    /// Settings by number; number 0 is the default.
    configs: Vec<LinkConfig>,
    /// Numbers of settings that no longer hold for anybody.
    free: Vec<u32>,
    /// The latency of all links, if none draws anything or differs: the common case, in which no
    /// link is looked up.
    plain: Option<Duration>,
    /// Goes up whenever a link may have got other settings.
    generation: u32,
    nodes: Vec<Node>,
    zones: Vec<Zone>,
    by_pair: NumberMap,
    table: Vec<Link>,
}

/// What is known of a host.
#[derive(Debug, Default)]
struct Node {
    name: Option<EntityKey>,
    labels: Vec<(String, String)>,
    config: Option<u32>,
}

/// Settings for the links from nodes with one value of a label to nodes with another.
#[derive(Debug)]
struct Zone {
    key: String,
    from: String,
    to: String,
    config: u32,
}

/// A directed link that is used.
#[derive(Debug)]
pub(super) struct Link {
    entity: EntityKey,
    /// The link's own settings, if it has any.
    own: Option<u32>,
    /// The settings that hold, found out in the generation.
    config: u32,
    generation: u32,
    /// What every packet takes on top of its latency.
    base: Duration,
    /// When the last byte of what was sent leaves the queue.
    busy_until: SimTime,
    latency: Point,
    /// Points that only some links need, made at the first need.
    rare: Option<Box<Rare>>,
}

#[derive(Debug)]
struct Rare {
    loss: Point,
    duplicate: Point,
    reorder: Point,
    corrupt: Point,
    queue: Point,
    segment: Point,
}

/// One packet's draws and its place in the link's queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing {
    /// From sending to arrival, with the time in the queue.
    pub(super) latency: Duration,
    /// Whether the packet is lost; `None` if no packet of the link can be.
    pub(super) loss: Option<bool>,
    /// Whether bits are flipped, and which: a number that decides it.
    pub(super) corrupt: Option<Option<u64>>,
    /// Whether the queue loses it; `None` if there is no queue.
    pub(super) dropped: Option<bool>,
    /// Whether it had to wait in the queue.
    pub(super) waited: bool,
    /// Whether a datagram may meet more: [`Links::mischief`].
    pub(super) mischief: bool,
}

impl Crossing {
    /// Whether nothing can have gone wrong.
    #[inline]
    pub(super) const fn is_clean(&self) -> bool {
        self.loss.is_none() && self.corrupt.is_none() && self.dropped.is_none()
    }
}

/// What only datagrams meet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mischief {
    /// The latency of a second copy; `None` if the link makes none.
    pub(super) copy: Option<Option<Duration>>,
    /// How much longer it takes; `None` if the link holds nothing up.
    pub(super) held_up: Option<Option<Duration>>,
}

/// How a stream may send on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// The largest packet, with its headers.
    pub(super) mtu_bytes: u32,
    /// Whether packets are never lost and never wait.
    pub(super) smooth: bool,
}

impl Links {
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(super) fn new(default: LinkConfig) -> Self {
        let mut links = Self {
            configs: vec![LinkConfig::default()],
            free: Vec::new(),
            plain: None,
            generation: 0,
            nodes: Vec::new(),
            zones: Vec::new(),
            by_pair: NumberMap::default(),
            table: Vec::new(),
        };
        links.set_default(default);
        links
    }

    /// Names a node; its links' choice points are keyed by it.
    pub(super) fn add(&mut self, node: NodeId, name: EntityKey) {
        self.node_mut(node).name = Some(name);
    }

    /// Labels a node, instead of all labels that it had.
    pub(super) fn set_labels(&mut self, node: NodeId, labels: Vec<(String, String)>) {
        self.node_mut(node).labels = labels;
        self.generation += 1;
    }

    /// Changes all links for which nothing else is set.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(super) fn set_default(&mut self, config: LinkConfig) {
        check(&config);
        self.configs[DEFAULT as usize] = config;
        self.changed();
    }

    /// Sets, or unsets, what holds for one link before anything else.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(super) fn set(&mut self, from: NodeId, to: NodeId, config: Option<LinkConfig>) {
        let index = self.find_or_add(from, to);
        let own = self.replace(self.table[index].own, config);
        self.table[index].own = own;
    }

    /// The settings that a link has of its own, if it has any, and those that hold for it.
    pub(super) fn settings(
        &mut self,
        choices: &mut Choices,
        from: NodeId,
        to: NodeId,
    ) -> (Option<LinkConfig>, LinkConfig) {
        let index = self.settle(choices, from, to);
        let link = &self.table[index];
        let config = |number: u32| self.configs[number as usize].clone();
        (link.own.map(config), config(link.config))
    }

    /// Sets, or unsets, what holds for the links from and to a node that have no settings of their
    /// own. The sender's goes before the receiver's.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(super) fn set_node(&mut self, node: NodeId, config: Option<LinkConfig>) {
        let own = self.node_mut(node).config;
        let own = self.replace(own, config);
        self.node_mut(node).config = own;
    }

    /// Sets, or unsets, what holds for the links from nodes with one value of a label to nodes with
    /// another, if no more special settings do. Of several that hold the latest wins.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub(super) fn set_zone(
        &mut self,
        key: &str,
        (from, to): (&str, &str),
        config: Option<LinkConfig>,
    ) {
        let same = |zone: &Zone| zone.key == key && zone.from == from && zone.to == to;
        let place = self.zones.iter().position(same);
        let old = place.map(|place| self.zones.remove(place).config);
        if let Some(config) = self.replace(old, config) {
            self.zones.push(Zone {
                key: key.to_owned(),
                from: from.to_owned(),
                to: to.to_owned(),
                config,
            });
        }
    }

    /// Puts settings in the place of others, or of none.
    #[track_caller]
    fn replace(&mut self, old: Option<u32>, config: Option<LinkConfig>) -> Option<u32> {
        config.iter().for_each(check);
        self.free.extend(old);
        let new = config.map(|config| {
            if let Some(number) = self.free.pop() {
                self.configs[number as usize] = config;
                return number;
            }
            self.configs.push(config);
            u32::try_from(self.configs.len() - 1).expect("memory ends before 2^32 settings")
        });
        self.changed();
        new
    }

    fn changed(&mut self) {
        self.generation += 1;
        self.plain = self.configs[DEFAULT as usize]
            .plain()
            .filter(|_| !self.is_special());
    }

    /// Whether anything is set besides the default.
    const fn is_special(&self) -> bool {
        self.configs.len() > self.free.len() + 1
    }

    /// The latency of all links, if they are all alike and draw nothing.
    #[inline]
    pub(super) const fn plain(&self) -> Option<Duration> {
        self.plain
    }

    /// Whether a link may have a queue.
    #[inline]
    pub(super) fn has_queues(&self) -> bool {
        self.is_special() || self.configs[DEFAULT as usize].bandwidth.is_some()
    }

    /// How a stream may send on a link.
    #[inline]
    pub(super) fn manner(&mut self, choices: &mut Choices, from: NodeId, to: NodeId) -> Manner {
        if !self.is_special() {
            return Manner::of(&self.configs[DEFAULT as usize]);
        }
        let index = self.settle(choices, from, to);
        Manner::of(&self.configs[self.table[index].config as usize])
    }

    /// A packet of that many bytes, in that many fragments, crosses a link.
    pub(super) fn cross(
        &mut self,
        choices: &mut Choices,
        (from, to): (NodeId, NodeId),
        bytes: u64,
        fragments: u32,
        now: SimTime,
    ) -> Crossing {
        let index = self.settle(choices, from, to);
        let (config, link) = self.config_and_link(index);
        let mut crossing = Crossing {
            latency: config.latency.sample(choices, &mut link.latency),
            loss: None,
            corrupt: None,
            dropped: None,
            waited: false,
            mischief: !config.duplicate.is_never() || !config.reorder.is_never(),
        };
        crossing.latency = crossing.latency.saturating_add(link.base);
        if !config.loss.is_never() {
            let point = &mut link.rare().loss;
            crossing.loss = Some(any(fragments, || choices.chance(point, config.loss)));
        }
        if !config.corrupt.is_never() {
            let point = &mut link.rare().corrupt;
            let corrupt = any(fragments, || choices.chance(point, config.corrupt));
            let how = choices.draw(point);
            crossing.corrupt = Some(corrupt.then_some(how));
        }
        if let Some(bandwidth) = config.bandwidth {
            let wait = link.busy_until.saturating_since(now);
            let waiting = bytes_in(wait, bandwidth.bytes_per_second);
            let mut dropped = waiting.saturating_add(bytes) > bandwidth.queue_bytes;
            if bandwidth.drop == QueueDrop::Early {
                let half = bandwidth.queue_bytes / 2;
                let limit = half + choices.below(&mut link.rare().queue, half);
                dropped |= waiting > limit;
            }
            crossing.dropped = Some(dropped);
            if !dropped {
                let takes = time_of(bytes, bandwidth.bytes_per_second);
                let way = wait.saturating_add(takes);
                link.busy_until = now.saturating_add(way);
                crossing.waited = wait > Duration::ZERO;
                crossing.latency = crossing.latency.saturating_add(way);
            }
        }
        crossing
    }

    /// The draws that only a datagram meets, after [`cross`](Self::cross).
    pub(super) fn mischief(&mut self, choices: &mut Choices, from: NodeId, to: NodeId) -> Mischief {
        let index = self.settle(choices, from, to);
        let (config, link) = self.config_and_link(index);
        let mut mischief = Mischief::default();
        if !config.duplicate.is_never() {
            let point = &mut link.rare().duplicate;
            let twice = choices.chance(point, config.duplicate);
            let latency = config.latency.sample(choices, point);
            let latency = latency.saturating_add(link.base);
            mischief.copy = Some(twice.then_some(latency));
        }
        if !config.reorder.is_never() {
            let point = &mut link.rare().reorder;
            let held_up = choices.chance(point, config.reorder);
            let delay = config.reorder_delay.sample(choices, point);
            mischief.held_up = Some(held_up.then_some(delay));
        }
        mischief
    }

    /// When the queue of a link is short enough for a stream to send: `None` at once.
    pub(super) fn turn(
        &mut self,
        choices: &mut Choices,
        (from, to): (NodeId, NodeId),
        now: SimTime,
    ) -> Option<SimTime> {
        let index = self.settle(choices, from, to);
        let (config, link) = self.config_and_link(index);
        let bandwidth = config.bandwidth?;
        let packet = burst_of(config) + HEADER_BYTES;
        let room = bandwidth.queue_bytes.saturating_sub(packet);
        let short = time_within(room, bandwidth.bytes_per_second).min(SMALL_QUEUE);
        let wait = link.busy_until.saturating_since(now);
        (wait > short).then(|| now.saturating_add(wait.saturating_sub(short)))
    }

    /// Bytes that a stream sends in one packet on a link that is not smooth: a full segment, or
    /// what passes in the time that a stream keeps in the queue.
    pub(super) fn burst(&mut self, choices: &mut Choices, (from, to): (NodeId, NodeId)) -> u64 {
        let index = self.settle(choices, from, to);
        let (config, _) = self.config_and_link(index);
        burst_of(config)
    }

    /// At which of `count` - 1 places between segments the packets of a stream part, counted from
    /// 1.
    pub(super) fn parting(
        &mut self,
        choices: &mut Choices,
        (from, to): (NodeId, NodeId),
        count: u64,
    ) -> u64 {
        let index = self.find_or_add(from, to);
        let point = &mut self.table[index].rare().segment;
        1 + choices.below(point, count - 1)
    }

    /// The name of a link, for choice points of others that concern it.
    pub(super) fn entity(&self, from: NodeId, to: NodeId) -> EntityKey {
        EntityKey::pair(self.name(from), self.name(to))
    }

    /// The name of a node.
    pub(super) fn name(&self, node: NodeId) -> EntityKey {
        let known = self.nodes.get(node.index()).and_then(|node| node.name);
        known.expect("only hosts send, and a route leads to a host")
    }

    fn node_mut(&mut self, node: NodeId) -> &mut Node {
        if self.nodes.len() <= node.index() {
            self.nodes.resize_with(node.index() + 1, Node::default);
        }
        &mut self.nodes[node.index()]
    }

    /// Finds a link and sees to it that its settings are those of now.
    #[inline]
    fn settle(&mut self, choices: &mut Choices, from: NodeId, to: NodeId) -> usize {
        let index = self.find_or_add(from, to);
        if self.table[index].generation != self.generation {
            self.settle_anew(choices, index, from, to);
        }
        index
    }

    #[cold]
    fn settle_anew(&mut self, choices: &mut Choices, index: usize, from: NodeId, to: NodeId) {
        let own = self.table[index].own;
        self.table[index].config = own.unwrap_or_else(|| self.find_config(from, to));
        let generation = self.generation;
        let (config, link) = self.config_and_link(index);
        let mut point = Choices::point(BASE, link.entity);
        link.base = config.base_latency.sample(choices, &mut point);
        link.generation = generation;
    }

    /// The settings that hold for a link without any of its own.
    fn find_config(&self, from: NodeId, to: NodeId) -> u32 {
        let [from, to] = [from, to].map(|node| &self.nodes[node.index()]);
        if let Some(config) = from.config.or(to.config) {
            return config;
        }
        let has = |node: &Node, key: &str, value: &str| {
            let mut labels = node.labels.iter();
            labels.any(|label| label.0 == key && label.1 == value)
        };
        let holds = |zone: &&Zone| has(from, &zone.key, &zone.from) && has(to, &zone.key, &zone.to);
        let zone = self.zones.iter().rev().find(holds);
        zone.map_or(DEFAULT, |zone| zone.config)
    }

    fn config_and_link(&mut self, index: usize) -> (&LinkConfig, &mut Link) {
        let link = &mut self.table[index];
        (&self.configs[link.config as usize], link)
    }

    fn find_or_add(&mut self, from: NodeId, to: NodeId) -> usize {
        let pair = u128::from(from.number()) << 32 | u128::from(to.number());
        if let Some(index) = self.by_pair.get(pair) {
            return index as usize;
        }
        let entity = self.entity(from, to);
        let index = self.table.len();
        let number = u32::try_from(index).expect("memory ends before 2^32 links");
        self.by_pair.insert(pair, number);
        self.table.push(Link {
            entity,
            own: None,
            config: DEFAULT,
            generation: self.generation.wrapping_sub(1),
            base: Duration::ZERO,
            busy_until: SimTime::ZERO,
            latency: Choices::point(LATENCY, entity),
            rare: None,
        });
        index
    }
}

impl Link {
    fn rare(&mut self) -> &mut Rare {
        let entity = self.entity;
        self.rare.get_or_insert_with(|| {
            Box::new(Rare {
                loss: Choices::point(LOSS, entity),
                duplicate: Choices::point(DUPLICATE, entity),
                reorder: Choices::point(REORDER, entity),
                corrupt: Choices::point(CORRUPT, entity),
                queue: Choices::point(QUEUE, entity),
                segment: Choices::point(SEGMENT, entity),
            })
        })
    }
}

impl Manner {
    /// The data of a stream that fits a packet.
    pub(super) const fn segment_bytes(self) -> u64 {
        self.mtu_bytes as u64 - HEADER_BYTES
    }

    const fn of(config: &LinkConfig) -> Self {
        Self {
            mtu_bytes: config.mtu_bytes,
            smooth: config.is_smooth(),
        }
    }
}

/// Whether one of so many says yes; all are asked.
fn any(count: u32, mut ask: impl FnMut() -> bool) -> bool {
    (0..count).fold(false, |yes, _| ask() | yes)
}

/// Bytes that a stream sends in one packet.
fn burst_of(config: &LinkConfig) -> u64 {
    let segment = Manner::of(config).segment_bytes();
    match config.bandwidth {
        Some(bandwidth)
            if config.loss.is_never()
                && config.corrupt.is_never()
                && bandwidth.drop == QueueDrop::Tail =>
        {
            let room = bytes_in(SMALL_QUEUE, bandwidth.bytes_per_second);
            room.min(bandwidth.queue_bytes / 2).max(segment) / segment * segment
        }
        _ => segment,
    }
}

/// The time within which a link carries at most so many bytes.
fn time_within(bytes: u64, bytes_per_second: u64) -> Duration {
    let nanos = u128::from(bytes) * NANOS_PER_SECOND / u128::from(bytes_per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How long a link needs for so many bytes, rounded up.
fn time_of(bytes: u64, bytes_per_second: u64) -> Duration {
    let nanos = (u128::from(bytes) * NANOS_PER_SECOND).div_ceil(u128::from(bytes_per_second));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many bytes a link carries in a time, rounded up.
fn bytes_in(time: Duration, bytes_per_second: u64) -> u64 {
    let bytes = (time.as_nanos() * u128::from(bytes_per_second)).div_ceil(NANOS_PER_SECOND);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[track_caller]
fn check(config: &LinkConfig) {
    if let Err(error) = config.validate() {
        panic!("the settings of a link make no sense: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Distribution, Probability};

    const A: NodeId = NodeId::new(1);
    const B: NodeId = NodeId::new(2);
    const C: NodeId = NodeId::new(3);

    fn config(ms: u64) -> LinkConfig {
        LinkConfig {
            latency: Distribution::Constant(Duration::from_millis(ms)),
            ..LinkConfig::default()
        }
    }

    fn links(default: LinkConfig) -> (Links, Choices) {
        let mut links = Links::new(default);
        for (node, name) in [(A, "a"), (B, "b"), (C, "c")] {
            links.add(node, EntityKey::of(name));
        }
        (links, Choices::new(1))
    }

    fn latency_ms(links: &mut Links, choices: &mut Choices, from: NodeId, to: NodeId) -> u128 {
        let crossing = links.cross(choices, (from, to), 100, 1, SimTime::ZERO);
        crossing.latency.as_millis()
    }

    #[test]
    fn the_most_special_settings_hold() {
        let (mut links, mut choices) = links(config(1));
        for (node, zone) in [(A, "eu"), (B, "us"), (C, "us")] {
            links.set_labels(node, vec![("zone".to_owned(), zone.to_owned())]);
        }
        let mut latencies = |links: &mut Links| {
            [(A, B), (B, A), (A, C), (B, C)]
                .map(|(from, to)| latency_ms(links, &mut choices, from, to))
        };
        assert_eq!(latencies(&mut links), [1, 1, 1, 1]);
        links.set_zone("zone", ("eu", "us"), Some(config(2)));
        assert_eq!(latencies(&mut links), [2, 1, 2, 1]);
        links.set_node(C, Some(config(3)));
        assert_eq!(latencies(&mut links), [2, 1, 3, 3]);
        links.set_node(B, Some(config(4)));
        assert_eq!(
            latencies(&mut links),
            [4, 4, 3, 4],
            "the sender's goes first"
        );
        links.set(A, B, Some(config(5)));
        assert_eq!(latencies(&mut links), [5, 4, 3, 4]);
        links.set_zone("zone", ("eu", "us"), Some(config(6)));
        links.set(A, B, None);
        links.set_node(B, None);
        links.set_node(C, None);
        assert_eq!(latencies(&mut links), [6, 1, 6, 1]);
        links.set_labels(C, Vec::new());
        assert_eq!(latencies(&mut links), [6, 1, 1, 1]);
        links.set_zone("zone", ("eu", "us"), None);
        links.set_default(config(7));
        assert_eq!(latencies(&mut links), [7, 7, 7, 7]);
        assert_eq!(links.plain(), Some(Duration::from_millis(7)));
        assert!(links.configs.len() <= 5, "numbers are used again");
    }

    #[test]
    fn links_that_draw_nothing_keep_nothing() {
        let (mut links, mut choices) = links(config(1));
        assert_eq!(links.plain(), Some(Duration::from_millis(1)));
        assert!(links.manner(&mut choices, A, B).smooth);
        assert!(links.table.is_empty());
    }

    #[test]
    fn a_base_latency_is_drawn_once_for_each_link() {
        let base_latency = Distribution::Uniform {
            min: Duration::ZERO,
            max: Duration::from_secs(1),
        };
        let (mut links, mut choices) = links(LinkConfig {
            base_latency,
            ..config(1)
        });
        assert_eq!(links.plain(), None);
        let first = latency_ms(&mut links, &mut choices, A, B);
        let other = latency_ms(&mut links, &mut choices, B, A);
        assert_ne!(first, other);
        links.set_node(C, Some(config(1)));
        for _ in 0..5 {
            assert_eq!(latency_ms(&mut links, &mut choices, A, B), first);
        }
    }

    #[test]
    fn a_link_carries_what_its_bandwidth_allows_and_drops_what_does_not_fit() {
        let (mut links, mut choices) = links(LinkConfig {
            bandwidth: Some(super::super::link::Bandwidth {
                bytes_per_second: 1_000_000,
                queue_bytes: 3_000,
                drop: QueueDrop::Tail,
            }),
            ..config(10)
        });
        let mut send = |links: &mut Links, at: u64| {
            let at = SimTime::from_nanos(at * 1_000);
            let crossing = links.cross(&mut choices, (A, B), 1_000, 1, at);
            let lost = crossing.dropped.unwrap();
            (!lost).then_some((crossing.latency.as_micros(), crossing.waited))
        };
        assert_eq!(send(&mut links, 0), Some((11_000, false)));
        assert_eq!(send(&mut links, 0), Some((12_000, true)));
        assert_eq!(send(&mut links, 0), Some((13_000, true)));
        assert_eq!(send(&mut links, 0), None, "the queue is full");
        assert_eq!(send(&mut links, 999), None);
        assert_eq!(send(&mut links, 1_000), Some((13_000, true)));
        assert_eq!(send(&mut links, 9_000), Some((11_000, false)));
    }

    #[test]
    fn a_queue_that_drops_early_loses_more_the_longer_it_is() {
        let (mut links, mut choices) = links(LinkConfig {
            bandwidth: Some(super::super::link::Bandwidth {
                bytes_per_second: 1_000_000,
                queue_bytes: 100_000,
                drop: QueueDrop::Early,
            }),
            ..config(10)
        });
        let mut share = |links: &mut Links, level: u64| {
            let mut lost = 0;
            for _ in 0..1_000 {
                links.table.iter_mut().for_each(|link| {
                    link.busy_until = SimTime::from_nanos(level * 1_000);
                });
                let crossing = links.cross(&mut choices, (A, B), 100, 1, SimTime::ZERO);
                lost += u32::from(crossing.dropped == Some(true));
            }
            lost
        };
        share(&mut links, 0);
        assert_eq!(share(&mut links, 0), 0);
        assert_eq!(share(&mut links, 49_900), 0, "half full");
        let quarter = share(&mut links, 62_500);
        assert!((200..300).contains(&quarter), "{quarter} of 1000");
        let three = share(&mut links, 87_500);
        assert!((700..800).contains(&three), "{three} of 1000");
        assert!(share(&mut links, 99_850) > 980);
        assert_eq!(share(&mut links, 99_950), 1_000, "it does not fit");
    }

    #[test]
    fn a_datagram_in_fragments_is_lost_with_any_of_them() {
        let (mut links, mut choices) = links(LinkConfig {
            loss: Probability::percent(10),
            ..config(1)
        });
        let mut lost = |fragments| {
            let mut lost = || links.cross(&mut choices, (A, B), 1, fragments, SimTime::ZERO);
            (0..1_000).filter(|_| lost().loss == Some(true)).count()
        };
        let one = lost(1);
        assert!((70..130).contains(&one), "{one}");
        let many = lost(45);
        // 1 - 0.9^45 = 0.991.
        assert!(many > 970, "{many}");
    }

    #[test]
    fn a_thousand_nodes_cost_the_links_that_are_used() {
        const NODES: u32 = 1_000;
        let mut links = Links::new(config(1));
        for node in 0..NODES {
            links.add(NodeId::new(node), EntityKey::of(&format!("n-{node}")));
        }
        links.set_zone("zone", ("a", "b"), Some(config(2)));
        links.set_node(A, Some(config(3)));
        assert_eq!(links.table.len(), 0, "settings make no links");
        let mut choices = Choices::new(1);
        for node in 0..NODES {
            let next = NodeId::new((node + 1) % NODES);
            latency_ms(&mut links, &mut choices, NodeId::new(node), next);
            latency_ms(&mut links, &mut choices, NodeId::new(node), next);
        }
        assert_eq!(links.table.len(), 1_000);
    }

    #[test]
    #[should_panic(expected = "the settings of a link make no sense: its mtu_bytes are 5")]
    fn settings_that_make_no_sense_are_refused() {
        let (mut links, _) = links(config(1));
        links.set_node(
            A,
            Some(LinkConfig {
                mtu_bytes: 5,
                ..config(1)
            }),
        );
    }
}
