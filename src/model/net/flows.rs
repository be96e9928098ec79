//! The connections of one host by their addresses: which ports they keep from others.
//!
//! Owns the pairs of addresses in use, and `TIME_WAIT`: the minute in which the end that closed
//! first keeps its pair, so that a late packet of the old connection cannot reach a new one
//! (RFC 9293, 3.6). It must never know what a connection carries.
//!
//! Nothing happens when the minute is over: what has expired is forgotten when somebody next asks.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::addr::overlap;
use super::host::Reuse;
use crate::kernel::SimTime;

/// How long the end that closed first keeps its pair of addresses. Linux: TCP_TIMEWAIT_LEN.
pub(super) const TIME_WAIT: Duration = Duration::from_secs(60);

/// Pairs of addresses in use, ordered by the port on this host.
#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: BTreeMap<Key, Flow>,
    /// Pairs that wait, in the order in which they will have waited: all wait for the same time.
    waiting: VecDeque<(SimTime, Key)>,
}

/// Port and address on this host, and the peer's.
type Key = (u16, IpAddr, SocketAddr);

#[derive(Clone, Copy, Debug)]
struct Flow {
    reuse: Reuse,
    /// When a pair in `TIME_WAIT` is free.
    free_at: Option<SimTime>,
}

/// How a connection ends for its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// The pair is free at once.
    AtOnce,
    /// The end closed first, and its pair waits.
    TimeWait,
}

impl Flows {
    /// Takes a pair; one in `TIME_WAIT` is taken over, as a listener does with a new connection.
    pub(super) fn take(&mut self, local: SocketAddr, peer: SocketAddr, reuse: Reuse) {
        let flow = Flow {
            reuse,
            free_at: None,
        };
        self.flows.insert(key(local, peer), flow);
    }

    /// Gives a pair back; nothing if it was given back before.
    pub(super) fn part(&mut self, now: SimTime, local: SocketAddr, peer: SocketAddr, how: Parting) {
        let key = key(local, peer);
        let Some(flow) = self.flows.get_mut(&key) else {
            return;
        };
        match how {
            Parting::AtOnce if flow.free_at.is_none() => {
                self.flows.remove(&key);
            }
            Parting::TimeWait if flow.free_at.is_none() => {
                let free_at = now.saturating_add(TIME_WAIT);
                flow.free_at = Some(free_at);
                self.waiting.push_back((free_at, key));
            }
            Parting::AtOnce | Parting::TimeWait => {}
        }
    }

    /// Whether this pair is in use.
    pub(super) fn contains(&mut self, now: SimTime, local: SocketAddr, peer: SocketAddr) -> bool {
        self.expire(now);
        self.flows.contains_key(&key(local, peer))
    }

    /// Whether a connection keeps a socket that would share its port from being bound.
    pub(super) fn prevents(&mut self, now: SimTime, address: SocketAddr, reuse: Reuse) -> bool {
        self.expire(now);
        let first = (address.port(), LOWEST_IP, LOWEST);
        self.flows
            .range(first..)
            .take_while(|((port, ..), _)| *port == address.port())
            .any(|((_, ip, _), flow)| {
                overlap(*ip, address.ip()) && !(reuse.allowed() && flow.reuse.allowed())
            })
    }

    /// Power is lost, and nothing is remembered.
    pub(super) fn clear(&mut self) {
        self.flows.clear();
        self.waiting.clear();
    }

    fn expire(&mut self, now: SimTime) {
        while let Some((free_at, key)) = self.waiting.front().copied().filter(|(at, _)| *at <= now)
        {
            self.waiting.pop_front();
            // It may have been taken over, and wait once more since.
            if self
                .flows
                .get(&key)
                .is_some_and(|flow| flow.free_at == Some(free_at))
            {
                self.flows.remove(&key);
            }
        }
    }
}

const LOWEST_IP: IpAddr = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
const LOWEST: SocketAddr = SocketAddr::new(LOWEST_IP, 0);

fn key(local: SocketAddr, peer: SocketAddr) -> Key {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    (local.port(), local.ip().to_canonical(), peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn who_closed_first_waits_a_minute() {
        let (local, peer) = (address("10.0.0.1:80"), address("10.0.0.2:4000"));
        let mut flows = Flows::default();
        flows.take(local, peer, Reuse::No);
        assert!(flows.contains(at(1), local, peer));
        flows.part(at(1), local, peer, Parting::TimeWait);
        flows.part(at(2), local, peer, Parting::AtOnce);
        assert!(flows.contains(at(60), local, peer), "parting once is final");
        assert!(!flows.contains(at(61), local, peer));
        assert!(flows.waiting.is_empty());
    }

    #[test]
    fn a_pair_taken_over_waits_anew() {
        let (local, peer) = (address("10.0.0.1:80"), address("[::ffff:10.0.0.2]:4000"));
        let mut flows = Flows::default();
        flows.take(local, peer, Reuse::Yes);
        flows.part(at(0), local, peer, Parting::TimeWait);
        flows.take(local, address("10.0.0.2:4000"), Reuse::Yes);
        assert!(flows.contains(at(100), local, peer), "it is in use again");
        flows.part(at(100), local, peer, Parting::AtOnce);
        assert!(!flows.contains(at(100), local, peer));
    }

    #[test]
    fn a_port_is_kept_from_those_who_would_not_share_it() {
        let mut flows = Flows::default();
        flows.take(address("10.0.0.1:80"), address("10.0.0.2:4000"), Reuse::Yes);
        flows.take(address("10.0.0.1:81"), address("10.0.0.2:4000"), Reuse::No);
        for (wanted, reuse, prevented) in [
            ("0.0.0.0:80", Reuse::No, true),
            ("0.0.0.0:80", Reuse::Yes, false),
            ("10.0.0.1:81", Reuse::Yes, true),
            ("127.0.0.1:81", Reuse::Yes, false),
            ("[::]:81", Reuse::Yes, true),
            ("0.0.0.0:79", Reuse::No, false),
            ("0.0.0.0:82", Reuse::No, false),
        ] {
            assert_eq!(
                flows.prevents(at(0), address(wanted), reuse),
                prevented,
                "{wanted}"
            );
        }
    }
}
