//! Which packets a fault means: by what they are, where they go and how large they are.
//!
//! Owns what a link sees of a packet. It must never know what one carries.

use serde::{Deserialize, Serialize};

use super::NetEvent;
use super::pipe::Segment;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PacketKind {
    /// A datagram.
    Datagram,
    /// Word that nobody listens to a datagram (ICMP port unreachable).
    Unreachable,
    /// The asking for a connection (SYN).
    Syn,
    /// The answer to it (SYN and ACK).
    SynAck,
    /// Bytes of a stream, maybe with its end.
    Data,
    /// The end of a stream (FIN), maybe with its last bytes.
    Fin,
    /// Word of what arrived, or of a wider window, without bytes; also what asks for such word.
    Ack,
    /// A reset of a connection (RST).
    Reset,
}

/// Which packets a fault means: those for which all of this holds. By default it means all.
///
/// ```
/// use stormglass::sim::{PacketFilter, PacketKind};
///
/// let large_requests = PacketFilter {
///     port: Some(7_000),
///     size_min_bytes: 1_000,
///     ..PacketFilter::kind(PacketKind::Data)
/// };
/// assert_eq!(large_requests.size_max_bytes, u32::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacketFilter {
    /// What they are; `None` means anything. Bytes with the end of their stream are both
    /// [`Data`](PacketKind::Data) and [`Fin`](PacketKind::Fin).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<PacketKind>,
    /// The port to which they go; `None` means any. [`Unreachable`](PacketKind::Unreachable) goes
    /// to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Their least size, with all headers, in bytes.
    pub size_min_bytes: u32,
    /// Their largest size, with all headers, in bytes. A datagram in fragments counts as a whole.
    pub size_max_bytes: u32,
}

/// What a link sees of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) kinds: Kinds,
    /// Where it goes.
    pub(super) port: Option<u16>,
    /// Its size with all headers.
    pub(super) bytes: u64,
}

/// All that a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Default for PacketFilter {
    fn default() -> Self {
        Self {
            kind: None,
            port: None,
            size_min_bytes: 0,
            size_max_bytes: u32::MAX,
        }
    }
}

impl PacketFilter {
    /// All packets of a kind.
    #[must_use]
    pub fn kind(kind: PacketKind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// Whether it means a packet.
    pub(super) fn means(&self, label: &Label) -> bool {
        let sizes = u64::from(self.size_min_bytes)..=u64::from(self.size_max_bytes);
        self.kind.is_none_or(|kind| label.kinds.contain(kind))
            && self.port.is_none_or(|port| label.port == Some(port))
            && sizes.contains(&label.bytes)
    }

    /// Whether it means no packet, whatever that is.
    pub(super) const fn is_of_none(&self) -> bool {
        self.size_min_bytes > self.size_max_bytes
    }
}

impl Kinds {
    pub(super) const fn of(kind: PacketKind) -> Self {
        Self(1 << kind as u8)
    }

    /// Those of a packet that carries this of a stream.
    #[inline]
    pub(super) const fn of_segment(segment: Segment) -> Self {
        let (data, fin) = (segment.length() > 0, segment.has_fin());
        match (data, fin) {
            (true, true) => Self(Self::of(PacketKind::Data).0 | Self::of(PacketKind::Fin).0),
            (true, false) => Self::of(PacketKind::Data),
            (false, true) => Self::of(PacketKind::Fin),
            (false, false) => Self::of(PacketKind::Ack),
        }
    }

    /// Those of a packet that carries nothing of a stream.
    pub(super) const fn of_event(event: NetEvent) -> Self {
        Self::of(match event {
            NetEvent::Datagram { .. } => PacketKind::Datagram,
            NetEvent::Unreachable { .. } => PacketKind::Unreachable,
            NetEvent::Syn { .. } => PacketKind::Syn,
            NetEvent::SynAck { .. } => PacketKind::SynAck,
            NetEvent::Reset { .. } => PacketKind::Reset,
            _ => PacketKind::Ack,
        })
    }

    pub(super) const fn contain(self, kind: PacketKind) -> bool {
        self.0 & Self::of(kind).0 != 0
    }

    /// What a packet is above all.
    pub(super) fn main(self) -> PacketKind {
        let all = ALL.iter().copied();
        let mut own = all.filter(|kind| self.contain(*kind));
        own.next().expect("a packet is something")
    }
}

const ALL: [PacketKind; 8] = [
    PacketKind::Datagram,
    PacketKind::Unreachable,
    PacketKind::Syn,
    PacketKind::SynAck,
    PacketKind::Data,
    PacketKind::Fin,
    PacketKind::Ack,
    PacketKind::Reset,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_means_what_it_says_and_no_more() {
        let label = |kind, port, bytes| Label {
            kinds: Kinds::of(kind),
            port,
            bytes,
        };
        let syn = label(PacketKind::Syn, Some(80), 40);
        let filter = PacketFilter::kind(PacketKind::Syn);
        assert!(PacketFilter::default().means(&syn) && filter.means(&syn));
        assert!(!filter.means(&label(PacketKind::SynAck, Some(80), 40)));
        let filter = PacketFilter {
            port: Some(80),
            size_min_bytes: 40,
            size_max_bytes: 41,
            kind: None,
        };
        let means = |port, bytes| filter.means(&label(PacketKind::Data, port, bytes));
        let cases = [
            (Some(80), 40),
            (Some(80), 41),
            (Some(80), 39),
            (Some(80), 42),
        ];
        assert_eq!(
            cases.map(|(port, bytes)| means(port, bytes)),
            [true, true, false, false]
        );
        assert!(!means(Some(81), 40) && !means(None, 40));
        assert!(!filter.is_of_none() && !PacketFilter::default().is_of_none());
        let none = PacketFilter {
            size_min_bytes: 2,
            size_max_bytes: 1,
            ..PacketFilter::default()
        };
        assert!(none.is_of_none() && !none.means(&label(PacketKind::Data, None, 1)));
    }

    #[test]
    fn a_filter_reads_well() {
        let text = r#"{"kind":"syn_ack","size_max_bytes":100}"#;
        let filter: PacketFilter = serde_json::from_str(text).unwrap();
        let expected = PacketFilter {
            size_max_bytes: 100,
            ..PacketFilter::kind(PacketKind::SynAck)
        };
        assert_eq!(filter, expected);
    }

    #[test]
    fn each_kind_has_a_bit() {
        for (n, kind) in ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, n);
            assert_eq!(Kinds::of(kind).main(), kind);
        }
    }
}
