//! The way between two hosts: how long a packet takes, whether it is lost, whether there is one.
//!
//! Owns the settings and choice points of links, the set of cuts and the counters of both faults.
//! It must never know what a packet carries.
//!
//! Packet `k` of a link always meets draw `k` of the link's points, whether or not it is lost or
//! the link is cut: so that a fault taken out of a plan leaves the other packets as they were.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Effects;
use super::addr::NOWHERE;
use super::map::NumberMap;
use crate::kernel::{
    Choices, Distribution, DistributionError, EntityKey, Family, FaultCounters, NodeId, Point,
    Probability, SimTime, Site,
};

const LATENCY: Site = Site::new("net.latency");
const LOSS: Site = Site::new("net.loss");

/// How long a packet takes within one host. About what Linux needs; constant, since a host's own
/// packets meet no network.
pub(super) const LOOPBACK_LATENCY: Duration = Duration::from_micros(10);

/// The behaviour of a directed link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The time from sending to arrival, drawn for each packet.
    ///
    /// Datagrams may overtake each other; the packets of a connection never do.
    pub latency: Distribution,
    /// The chance that a packet is lost. A write to a stream is one packet, and a lost one is
    /// sent again: to a program it is only late.
    pub loss: Probability,
}

impl Default for LinkConfig {
    /// Half a millisecond to two milliseconds, so that messages of different nodes do not march in
    /// step; no loss.
    fn default() -> Self {
        Self {
            latency: Distribution::Uniform {
                min: Duration::from_micros(500),
                max: Duration::from_millis(2),
            },
            loss: Probability::NEVER,
        }
    }
}

impl LinkConfig {
    /// Checks that the latency makes sense.
    ///
    /// # Errors
    /// The first parameter of the latency that makes none.
    pub fn validate(&self) -> Result<(), DistributionError> {
        self.latency.validate()
    }
}

/// What becomes of a packet, as far as it is known when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It arrives then, unless the link is cut meanwhile.
    Arrives(SimTime),
    /// A fault of this family takes it.
    Lost(Family),
    /// It goes to an address that nobody has.
    Nowhere,
}

/// All links, cuts, and the counters of the faults that act on packets.
#[derive(Debug)]
pub(super) struct Wire {
    links: Links,
    cuts: Cuts,
    counters: FaultCounters,
}

impl Wire {
    pub(super) fn new(default: LinkConfig) -> Self {
        Self {
            links: Links::new(default),
            cuts: Cuts::default(),
            counters: FaultCounters::default(),
        }
    }

    /// Names a node; its links' choice points are keyed by it.
    pub(super) fn add(&mut self, node: NodeId, name: EntityKey) {
        let names = &mut self.links.names;
        if names.len() <= node.index() {
            names.resize(node.index() + 1, None);
        }
        names[node.index()] = Some(name);
    }

    pub(super) const fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    pub(super) const fn cuts_mut(&mut self) -> &mut Cuts {
        &mut self.cuts
    }

    pub(super) const fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    pub(super) const fn counters(&self) -> &FaultCounters {
        &self.counters
    }

    /// Sends a packet.
    #[inline]
    pub(super) fn send<F: Effects>(&mut self, fx: &mut F, from: NodeId, to: NodeId) -> Passage {
        let now = fx.now();
        if from == to {
            return Passage::Arrives(now.saturating_add(LOOPBACK_LATENCY));
        }
        if to == NOWHERE {
            return Passage::Nowhere;
        }
        let crossing = self.links.cross(fx.choices(), from, to);
        if self.blocks(from, to) {
            return Passage::Lost(Family::Partition);
        }
        if let Some(lost) = crossing.loss {
            self.counters.offered(Family::Loss);
            if lost {
                self.counters.fired(Family::Loss);
                return Passage::Lost(Family::Loss);
            }
        }
        Passage::Arrives(now.saturating_add(crossing.latency))
    }

    /// Whether a cut stops a packet here and now: asked when it is sent and when it arrives.
    #[inline]
    pub(super) fn blocks(&mut self, from: NodeId, to: NodeId) -> bool {
        if self.cuts.count == 0 || from == to {
            return false;
        }
        self.counters.offered(Family::Partition);
        let cut = self.cuts.contains(from, to);
        if cut {
            self.counters.fired(Family::Partition);
        }
        cut
    }

    /// Counts that the loss of a packet made a difference.
    pub(super) fn effective(&mut self, family: Family) {
        self.counters.effective(family);
    }
}

/// The settings of links, and the choice points of those that draw.
#[derive(Debug)]
pub(super) struct Links {
    default: LinkConfig,
    /// The latency of all links, if none draws anything or differs: the common case, in which no
    /// link is looked up.
    plain: Option<Duration>,
    names: Vec<Option<EntityKey>>,
    by_pair: NumberMap,
    table: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    /// The link's own settings, if it has any.
    config: Option<LinkConfig>,
    latency: Point,
    loss: Point,
}

/// One packet's draws.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    latency: Duration,
    /// Whether the packet is lost; `None` if no packet of the link can be.
    loss: Option<bool>,
}

impl Links {
    fn new(default: LinkConfig) -> Self {
        let mut links = Self {
            default: LinkConfig::default(),
            plain: None,
            names: Vec::new(),
            by_pair: NumberMap::default(),
            table: Vec::new(),
        };
        links.set_default(default);
        links
    }

    /// Changes all links that have no settings of their own.
    ///
    /// # Panics
    /// If the latency makes no sense.
    #[track_caller]
    pub(super) fn set_default(&mut self, config: LinkConfig) {
        check(&config);
        self.default = config;
        self.update_plain();
    }

    /// Gives one link settings of its own, or takes them away.
    ///
    /// # Panics
    /// If the latency makes no sense.
    #[track_caller]
    pub(super) fn set(&mut self, from: NodeId, to: NodeId, config: Option<LinkConfig>) {
        if let Some(config) = &config {
            check(config);
        }
        let index = self.find_or_add(from, to);
        self.table[index].config = config;
        self.update_plain();
    }

    fn update_plain(&mut self) {
        let uniform = self.table.iter().all(|link| link.config.is_none());
        self.plain = self
            .default
            .latency
            .constant()
            .filter(|_| uniform && self.default.loss.is_never());
    }

    #[inline]
    fn cross(&mut self, choices: &mut Choices, from: NodeId, to: NodeId) -> Crossing {
        match self.plain {
            Some(latency) => Crossing {
                latency,
                loss: None,
            },
            None => self.draw(choices, from, to),
        }
    }

    fn draw(&mut self, choices: &mut Choices, from: NodeId, to: NodeId) -> Crossing {
        let index = self.find_or_add(from, to);
        let Link {
            config,
            latency,
            loss,
        } = &mut self.table[index];
        let config = config.as_ref().unwrap_or(&self.default);
        Crossing {
            latency: config.latency.sample(choices, latency),
            loss: (!config.loss.is_never()).then(|| choices.chance(loss, config.loss)),
        }
    }

    fn find_or_add(&mut self, from: NodeId, to: NodeId) -> usize {
        let pair = u128::from(from.number()) << 32 | u128::from(to.number());
        if let Some(index) = self.by_pair.get(pair) {
            return index as usize;
        }
        let name = |node: NodeId| self.names.get(node.index()).copied().flatten();
        let entity = name(from)
            .zip(name(to))
            .map(|(from, to)| EntityKey::pair(from, to))
            .expect("only hosts send, and a route leads to a host");
        let index = self.table.len();
        let number = u32::try_from(index).expect("memory ends before 2^32 links");
        self.by_pair.insert(pair, number);
        self.table.push(Link {
            config: None,
            latency: Choices::point(LATENCY, entity),
            loss: Choices::point(LOSS, entity),
        });
        index
    }
}

/// The directed links that are cut: a set, so that cutting twice is healed once.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// For each sending node the receivers that are cut off from it, as bits.
    rows: Vec<Vec<u64>>,
    count: usize,
}

impl Cuts {
    /// Cuts a link; says whether it was whole.
    pub(super) fn insert(&mut self, from: NodeId, to: NodeId) -> bool {
        if self.contains(from, to) {
            return false;
        }
        let (word, bit) = place(to);
        if self.rows.len() <= from.index() {
            self.rows.resize(from.index() + 1, Vec::new());
        }
        let row = &mut self.rows[from.index()];
        if row.len() <= word {
            row.resize(word + 1, 0);
        }
        row[word] |= bit;
        self.count += 1;
        true
    }

    /// Heals a link; says whether it was cut.
    pub(super) fn remove(&mut self, from: NodeId, to: NodeId) -> bool {
        if !self.contains(from, to) {
            return false;
        }
        let (word, bit) = place(to);
        self.rows[from.index()][word] &= !bit;
        self.count -= 1;
        true
    }

    #[inline]
    pub(super) fn contains(&self, from: NodeId, to: NodeId) -> bool {
        let (word, bit) = place(to);
        let row = self.rows.get(from.index());
        row.and_then(|row| row.get(word))
            .is_some_and(|word| word & bit != 0)
    }

    /// All that is cut, in order.
    pub(super) fn pairs(&self) -> Vec<(NodeId, NodeId)> {
        let mut pairs = Vec::with_capacity(self.count);
        for (from, row) in (0..).zip(&self.rows) {
            for (base, word) in (0..).step_by(64).zip(row) {
                let set = (0..64).filter(|bit| word >> bit & 1 == 1);
                pairs.extend(set.map(|bit| (NodeId::new(from), NodeId::new(base + bit))));
            }
        }
        pairs
    }

    /// Whether nothing is cut.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

const fn place(node: NodeId) -> (usize, u64) {
    (node.index() / 64, 1 << (node.index() % 64))
}

#[track_caller]
fn check(config: &LinkConfig) {
    if let Err(error) = config.validate() {
        panic!("the latency of a link makes no sense: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_a_directed_set() {
        let node = NodeId::new;
        let mut cuts = Cuts::default();
        assert!(cuts.insert(node(3), node(200)));
        assert!(!cuts.insert(node(3), node(200)));
        assert!(cuts.contains(node(3), node(200)));
        assert!(!cuts.contains(node(200), node(3)));
        assert!(!cuts.contains(node(3), node(199)));
        assert!(cuts.insert(node(3), node(0)));
        assert!(cuts.insert(node(1), node(64)));
        let pairs = [(1, 64), (3, 0), (3, 200)];
        assert_eq!(cuts.pairs(), pairs.map(|(from, to)| (node(from), node(to))));
        assert!(cuts.remove(node(3), node(0)));
        assert!(cuts.remove(node(1), node(64)));
        assert!(cuts.remove(node(3), node(200)));
        assert!(!cuts.remove(node(3), node(200)));
        assert!(cuts.is_empty());
    }

    #[test]
    #[should_panic(expected = "the latency of a link makes no sense")]
    fn a_latency_that_makes_no_sense_is_refused() {
        let latency = Distribution::Uniform {
            min: Duration::from_millis(2),
            max: Duration::from_millis(1),
        };
        Links::new(LinkConfig {
            latency,
            loss: Probability::NEVER,
        });
    }

    #[test]
    fn links_that_draw_nothing_keep_nothing() {
        let latency = Distribution::Constant(Duration::from_millis(1));
        let mut links = Links::new(LinkConfig {
            latency,
            loss: Probability::NEVER,
        });
        let mut choices = Choices::new(1);
        let crossing = links.cross(&mut choices, NodeId::new(1), NodeId::new(2));
        assert_eq!(
            (crossing.latency, crossing.loss),
            (Duration::from_millis(1), None)
        );
        assert!(links.table.is_empty());
    }

    #[test]
    fn settings_read_well_and_refuse_what_they_do_not_know() {
        let text = r#"{"latency":{"constant_ns":5},"loss":{"num":1,"den":4}}"#;
        let config: LinkConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.loss, Probability::percent(25));
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
        let part: LinkConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(part, LinkConfig::default());
        assert!(serde_json::from_str::<LinkConfig>(r#"{"lost":1}"#).is_err());
    }
}
