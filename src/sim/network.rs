//! The network between nodes, for the test that cuts and slows it.

use core::time::Duration;

use super::Node;
use super::fault::Fault;
use super::links::{Links, ids};
use super::owner::Owner;
use super::packet::Packet;
use crate::exec::{World, context};
use crate::kernel::{Distribution, NodeId, Probability};
use crate::model::net::{LinkConfig, LinkFault, LinkFaultId, PacketFilter, topology};
use crate::time;

/// The network between the nodes of a simulation.
///
/// Its faults add up: links that two of them cut are whole again when both have ended. Each lasts
/// until [`Fault::end`], or until the guard that [`Fault::scoped`] gives is dropped, or until
/// [`heal`](Self::heal) or [`heal_all`](Self::heal_all). All methods panic if this thread runs
/// another simulation than theirs, and do nothing if called by code of a node that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    owner: Owner,
}

impl Network {
    pub(super) const fn new(owner: Owner) -> Self {
        Self { owner }
    }

    /// Cuts the link from one node to another: from now on nothing sent on it arrives, and
    /// whoever sends is told nothing. What is in flight is lost if the link is still cut when it
    /// arrives. The opposite direction is not touched.
    ///
    /// # Panics
    /// If the nodes are the same.
    #[track_caller]
    pub fn cut(&self, from: Node, to: Node) -> Fault {
        self.begin(LinkFault::Cut, Links::pairs(vec![(from.id(), to.id())]))
    }

    /// Cuts links.
    #[track_caller]
    pub fn cut_links(&self, links: Links) -> Fault {
        self.begin(LinkFault::Cut, links)
    }

    /// Cuts every link between nodes of different groups, in both directions. Nodes in no group
    /// keep all their links.
    ///
    /// ```
    /// # use stormglass::sim::Builder;
    /// # let outcome = Builder::new().run(|sim| async move {
    /// # let nodes = sim.group("db", 5..=5).run(|_| std::future::pending::<()>());
    /// let partition = sim.network().partition(&[&nodes[..2], &nodes[2..]]);
    /// assert!(sim.network().is_cut(nodes[0], nodes[4]));
    /// partition.end();
    /// # });
    /// # outcome.unwrap();
    /// ```
    ///
    /// # Panics
    /// If a node is in two groups.
    #[track_caller]
    pub fn partition(&self, groups: &[&[Node]]) -> Fault {
        let ids: Vec<Vec<NodeId>> = groups.iter().map(|group| ids(group)).collect();
        for (i, group) in ids.iter().enumerate() {
            let twice = group
                .iter()
                .find(|node| ids[..i].iter().any(|other| other.contains(node)));
            if let Some(node) = twice {
                panic!("{node} is in two groups of the partition: name each node once");
            }
        }
        let ids: Vec<&[NodeId]> = ids.iter().map(Vec::as_slice).collect();
        self.begin(LinkFault::Cut, Links::pairs(topology::groups(&ids)))
    }

    /// Cuts a node off from all others, in both directions.
    #[track_caller]
    pub fn isolate(&self, node: Node) -> Fault {
        self.begin(LinkFault::Cut, Links::of(node))
    }

    /// Cuts the other nodes into two halves, in the order given, that only `bridge` still reaches:
    /// nodes that all see the bridge disagree on whom else they see.
    ///
    /// # Panics
    /// If there are fewer than two others.
    #[track_caller]
    pub fn bridge(&self, nodes: &[Node], bridge: Node) -> Fault {
        let others = nodes.iter().copied().filter(|node| *node != bridge);
        let others: Vec<Node> = others.collect();
        assert!(
            others.len() >= 2,
            "a bridge leads from one side to another: name at least two nodes besides it"
        );
        let (left, right) = others.split_at(others.len() / 2);
        self.partition(&[left, right])
    }

    /// Cuts all links among these nodes but those to the neighbours, in the order given, the last
    /// being a neighbour of the first: each sees a majority of five, and no two the same.
    ///
    /// # Panics
    /// If there are fewer than four nodes, which are a ring as they are.
    #[track_caller]
    pub fn ring(&self, nodes: &[Node]) -> Fault {
        assert!(
            nodes.len() >= 4,
            "fewer than four nodes are a ring as they are: name four or more"
        );
        let links = topology::all_but_ring(&ids(nodes));
        self.begin(LinkFault::Cut, Links::pairs(links))
    }

    /// Cuts links and heals them by turns, beginning with a cut, all at the same times. Each time
    /// lasts as drawn from `down` and `up`.
    ///
    /// # Panics
    /// If a distribution makes no sense, or both may be zero.
    #[track_caller]
    pub fn flap(&self, links: Links, down: Distribution, up: Distribution) -> Fault {
        check("down", &down);
        check("up", &up);
        assert!(
            down.min().max(up.min()) > Duration::ZERO,
            "links that flap without end at one instant: give `down` or `up` a minimum above zero"
        );
        self.begin(LinkFault::Flap { down, up }, links)
    }

    /// Makes links lose packets with a chance: neither whole nor cut, as gray failures are.
    #[track_caller]
    pub fn gray(&self, links: Links, chance: Probability) -> Fault {
        self.begin(LinkFault::Gray(chance), links)
    }

    /// Makes links lose packets that `what` means with a chance, and let all others pass.
    ///
    /// ```
    /// use stormglass::kernel::Probability;
    /// use stormglass::sim::{Links, PacketFilter, PacketKind};
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// # let db = sim.node("db").idle();
    /// // Connections live on, and no new one is made.
    /// let syn = PacketFilter::kind(PacketKind::Syn);
    /// let guard = sim.network().filter(Links::into(db), syn, Probability::ALWAYS).scoped();
    /// # drop(guard);
    /// # });
    /// # outcome.unwrap();
    /// ```
    #[track_caller]
    pub fn filter(&self, links: Links, what: PacketFilter, chance: Probability) -> Fault {
        self.begin(LinkFault::Filter { what, chance }, links)
    }

    /// Makes packets take longer on links, each as drawn from `by`.
    ///
    /// # Panics
    /// If the distribution makes no sense.
    #[track_caller]
    pub fn delay(&self, links: Links, by: Distribution) -> Fault {
        check("by", &by);
        self.begin(LinkFault::Delay(by), links)
    }

    /// Has datagrams of links come once more, each with a chance and so long after the first time
    /// as drawn from `after`: old packets, which may find another incarnation of their receiver, or
    /// of their sender, than the one for which they were sent. Copies on their way come after the
    /// fault has ended too.
    ///
    /// A stream has no need of this: bytes that come once more are known by their place in it, and
    /// those of a connection that is forgotten are answered with a reset.
    ///
    /// # Panics
    /// If the distribution makes no sense.
    #[track_caller]
    pub fn replay(&self, links: Links, chance: Probability, after: Distribution) -> Fault {
        check("after", &after);
        self.begin(LinkFault::Replay { chance, after }, links)
    }

    /// Has who asks for a connection on links be refused with a chance, though somebody listens at
    /// the port: it gets `ConnectionRefused`, as from a host whose queues are full and that says so
    /// (`net.ipv4.tcp_abort_on_overflow`). Drawn for each asking that comes to a listener.
    #[track_caller]
    pub fn refuse(&self, links: Links, chance: Probability) -> Fault {
        self.begin(LinkFault::Refuse(chance), links)
    }

    /// Has connections asked for on links wait longer to be accepted, each as drawn from `by`, as
    /// at a server that is busy. They are made as ever: who asked may write at once, and hears
    /// nothing. What is behind one that waits waits too. A wait that has begun outlasts the fault.
    ///
    /// # Panics
    /// If the distribution makes no sense.
    #[track_caller]
    pub fn slow_accept(&self, links: Links, by: Distribution) -> Fault {
        check("by", &by);
        self.begin(LinkFault::SlowAccept(by), links)
    }

    /// Flips bits of streams, as a broken host or switch does that computes the checksum of what it
    /// has broken: bytes reach the program changed. With a chance, drawn for each packet that
    /// brings bytes, one or two bits. What [`LinkConfig::corrupt`] flips is noticed and lost
    /// instead.
    #[track_caller]
    pub fn corrupt_streams(&self, links: Links, chance: Probability) -> Fault {
        self.begin(LinkFault::CorruptStream(chance), links)
    }

    /// Has writes of streams that send on links accept, with a chance, only a part of the bytes for
    /// which there is room: at least one, and fewer than all.
    #[track_caller]
    pub fn short_writes(&self, links: Links, chance: Probability) -> Fault {
        self.begin(LinkFault::ShortWrite(chance), links)
    }

    /// Has reads of streams that receive on links give, with a chance, only a part of the bytes
    /// that are there: at least one, and fewer than all. Looking at them (`peek`) shows all.
    #[track_caller]
    pub fn short_reads(&self, links: Links, chance: Probability) -> Fault {
        self.begin(LinkFault::ShortRead(chance), links)
    }

    /// Clogs links: packets are kept where they would have arrived, and go on in order when the
    /// fault ends.
    #[track_caller]
    pub fn clog(&self, links: Links) -> Fault {
        self.begin(LinkFault::Clog, links)
    }

    /// Holds the packets of links, for the test to look at with [`in_flight`](Self::in_flight) and
    /// to decide on with [`deliver`](Self::deliver) and [`discard`](Self::discard). What is still
    /// held when the fault ends goes on in order.
    ///
    /// ```
    /// use stormglass::net::UdpSocket;
    /// use stormglass::sim::Links;
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// let node = sim.node("b").idle();
    /// let here = sim.find("test").unwrap();
    /// let hold = sim.network().hold(Links::one_way(&[here], &[node]));
    /// let socket = UdpSocket::bind("0.0.0.0:0").await?;
    /// for text in ["one", "two"] {
    ///     socket.send_to(text.as_bytes(), "b:9").await?;
    /// }
    /// stormglass::time::sleep(std::time::Duration::from_millis(10)).await;
    /// let held = sim.network().in_flight();
    /// assert_eq!(held.len(), 2);
    /// let one = held.iter().find(|packet| packet.payload == b"one").unwrap();
    /// assert!(sim.network().discard(one));
    /// hold.end();
    /// # std::io::Result::Ok(())
    /// # });
    /// # outcome.unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn hold(&self, links: Links) -> Fault {
        self.begin(LinkFault::Hold, links)
    }

    /// The packets that clogged and held links keep, in the order in which they came.
    ///
    /// Acknowledgements of streams are kept too, and go on with the rest, yet are not listed.
    #[must_use]
    #[track_caller]
    pub fn in_flight(&self) -> Vec<Packet> {
        let packets = self.act(|world| world.net.in_flight()).unwrap_or_default();
        let packets = packets.into_iter();
        packets
            .map(|packet| Packet::new(self.owner, packet))
            .collect()
    }

    /// Lets a kept packet go on, past all that came before it. False if it is not kept any more.
    #[track_caller]
    pub fn deliver(&self, packet: &Packet) -> bool {
        let act = |world: &mut World| world.net.deliver_kept(&mut world.base, packet.number());
        self.act(act).unwrap_or(false)
    }

    /// Throws a kept packet away. What it carried of a stream is sent again. False if it is not
    /// kept any more.
    #[track_caller]
    pub fn discard(&self, packet: &Packet) -> bool {
        let act = |world: &mut World| world.net.discard_kept(&mut world.base, packet.number());
        self.act(act).unwrap_or(false)
    }

    /// Clogs a random half of these nodes at random times within `spread`, and lets them go at
    /// random times within another `spread`, in another order (`FoundationDB`'s swizzle-clogging).
    /// Returns when all are free.
    ///
    /// # Panics
    /// If there is no node.
    pub async fn swizzle(&self, nodes: &[Node], spread: Duration) {
        assert!(!nodes.is_empty(), "nothing to swizzle: name the nodes");
        let mut steps = self.draw_swizzle(nodes, spread);
        let begin = time::Instant::now();
        steps.sort_by_key(|step| step.0);
        let mut clogs = Vec::new();
        for (at, node) in steps {
            time::sleep_until(begin + at).await;
            let same = |(clogged, _): &(Node, _)| *clogged == node;
            match clogs.iter().position(same) {
                None => clogs.push((node, self.clog(Links::of(node)).scoped())),
                Some(place) => drop(clogs.remove(place)),
            }
        }
    }

    /// When which node is clogged, and when let go.
    #[track_caller]
    fn draw_swizzle(&self, nodes: &[Node], spread: Duration) -> Vec<(Duration, Node)> {
        let spread_ns = u64::try_from(spread.as_nanos())
            .unwrap_or(u64::MAX / 2)
            .max(1);
        let draw = |world: &mut World| {
            let mut point = world.net.swizzle_point(&ids(nodes), world.base.now);
            let choices = &mut world.base.choices;
            let mut chosen = nodes.to_vec();
            choices.shuffle(&mut point, &mut chosen);
            chosen.truncate(nodes.len().div_ceil(2));
            let mut steps = Vec::new();
            for node in chosen {
                let from = choices.below(&mut point, spread_ns);
                let until = spread_ns + choices.below(&mut point, spread_ns);
                steps.push((Duration::from_nanos(from), node));
                steps.push((Duration::from_nanos(until), node));
            }
            steps
        };
        self.act(draw).unwrap_or_default()
    }

    /// Resets all connections between two nodes, as a middlebox does that lost its memory: every
    /// open end gets `ConnectionReset` at once, behind what had arrived. Of what was on its way to
    /// it a first part arrives too, of a length drawn from nothing to all.
    #[track_caller]
    pub fn reset(&self, a: Node, b: Node) {
        self.act(|world| world.net.reset_between(&mut world.base, a.id(), b.id()));
    }

    /// Resets, at `node` alone, its connections with `peer`, which learns of it only when it sends:
    /// until then they are half-open. What was on its way to `node` arrives in part, as by
    /// [`reset`](Self::reset).
    #[track_caller]
    pub fn reset_at(&self, node: Node, peer: Node) {
        self.act(|world| world.net.reset_at(&mut world.base, node.id(), peer.id()));
    }

    /// Takes the link from one node to another out of all faults.
    ///
    /// # Panics
    /// If the nodes are the same.
    #[track_caller]
    pub fn heal(&self, from: Node, to: Node) {
        self.act(|world| world.net.heal(&mut world.base, from.id(), to.id()));
    }

    /// Ends all faults of the network. Settings of links stay.
    #[track_caller]
    pub fn heal_all(&self) {
        self.act(|world| world.net.heal_all(&mut world.base));
    }

    /// Whether the link from one node to another is cut.
    #[must_use]
    #[track_caller]
    pub fn is_cut(&self, from: Node, to: Node) -> bool {
        from.read(|world| world.net.is_cut(from.id(), to.id()))
    }

    /// Changes all links for which nothing else is set, for packets sent from now on.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub fn set_default_link(&self, config: LinkConfig) {
        self.act(|world| world.net.set_default_link(config));
    }

    /// Gives the links from nodes whose label `key` is `from` to nodes where it is `to` settings,
    /// for packets sent from now on; `None` takes them away. Of several that hold for a link the
    /// latest wins, and those of a node or of a link go before.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stormglass::kernel::Distribution;
    /// use stormglass::net::LinkConfig;
    ///
    /// # let outcome = stormglass::sim::Builder::new().run(|sim| async move {
    /// let ocean = LinkConfig {
    ///     latency: Distribution::Constant(Duration::from_millis(45)),
    ///     ..LinkConfig::default()
    /// };
    /// sim.network().set_zone_links("zone", "eu", "us", ocean.clone());
    /// sim.network().set_zone_links("zone", "us", "eu", ocean);
    /// # });
    /// # outcome.unwrap();
    /// ```
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub fn set_zone_links(
        &self,
        key: &str,
        from: &str,
        to: &str,
        config: impl Into<Option<LinkConfig>>,
    ) {
        let config = config.into();
        self.act(|world| world.net.set_zone_links(key, (from, to), config));
    }

    /// Gives the links from and to a node settings, for packets sent from now on: a slow machine;
    /// `None` takes them away. The sender's go before the receiver's, and those of a link before
    /// both.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[track_caller]
    pub fn set_node_links(&self, node: Node, config: impl Into<Option<LinkConfig>>) {
        let config = config.into();
        self.act(|world| world.net.set_node_links(node.id(), config));
    }

    /// Gives the link from one node to another settings of its own, for packets sent from now on;
    /// `None` takes them away. The opposite direction is not touched.
    ///
    /// # Panics
    /// If the settings make no sense, or the nodes are the same.
    #[track_caller]
    pub fn set_link(&self, from: Node, to: Node, config: impl Into<Option<LinkConfig>>) {
        let config = config.into();
        self.act(|world| world.net.set_link(from.id(), to.id(), config));
    }

    pub(super) const fn owner(&self) -> Owner {
        self.owner
    }

    #[track_caller]
    fn begin(&self, fault: LinkFault, links: Links) -> Fault {
        let begin = |world: &mut World| {
            let links = links.resolve(world);
            world.net.begin_fault(&mut world.base, fault, links)
        };
        Fault {
            network: *self,
            id: self.act(begin).unwrap_or(LinkFaultId::NEVER_BEGUN),
        }
    }

    #[track_caller]
    pub(super) fn end(&self, id: LinkFaultId) {
        self.act(|world| world.net.end_fault(&mut world.base, id));
    }

    /// Does something to the network, unless the calling code belongs to an incarnation that has
    /// ended.
    #[track_caller]
    fn act<T>(&self, f: impl FnOnce(&mut World) -> T) -> Option<T> {
        self.owner.check();
        context::alive(|context| context.world(f))
    }
}

#[track_caller]
fn check(name: &str, distribution: &Distribution) {
    if let Err(error) = distribution.validate() {
        panic!("`{name}` makes no sense: {error}");
    }
}
