//! What can be wrong with links for a while, as plain data.

use core::time::Duration;

use super::filter::PacketFilter;
use crate::kernel::{Distribution, NodeId, Probability, Site};

/// A directed link, by its ends.
pub(crate) type Pair = (NodeId, NodeId);

/// What a fault does to its links, from when it begins until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkFault {
    /// Nothing passes, and the sender is told nothing.
    Cut,
    /// Cut and healed by turns, beginning with a cut; each time lasts as drawn.
    Flap {
        down: Distribution,
        up: Distribution,
    },
    /// Packets are kept where they arrive, and go on in order when it ends.
    Clog,
    /// As [`Clog`](Self::Clog), and the test may look at each packet and decide on it.
    Hold,
    /// Packets are lost with a chance.
    Gray(Probability),
    /// Packets take longer.
    Delay(Distribution),
    /// Datagrams that pass come once more with a chance, so much after the first time.
    Replay {
        chance: Probability,
        after: Distribution,
    },
    /// Packets that `what` means are lost with a chance.
    Filter {
        what: PacketFilter,
        chance: Probability,
    },
    /// Who asks for a connection at a port where somebody listens is refused with a chance.
    Refuse(Probability),
    /// A connection that is made waits so much longer to be accepted.
    SlowAccept(Distribution),
    /// Bits of a packet of a stream are flipped with a chance, and no checksum notices.
    CorruptStream(Probability),
    /// A write of a stream accepts with a chance only a part of what it could.
    ShortWrite(Probability),
    /// A read of a stream gives with a chance only a part of what is there.
    ShortRead(Probability),
}

impl LinkFault {
    /// Where it draws for each packet of a link; `None` if it draws nothing of packets.
    pub(super) const fn site(&self) -> Option<Site> {
        match self {
            Self::Cut | Self::Flap { .. } | Self::Clog | Self::Hold => None,
            Self::Gray(_) => Some(GRAY),
            Self::Delay(_) => Some(DELAY),
            Self::Replay { .. } => Some(REPLAY),
            Self::Filter { .. } => Some(FILTER),
            Self::Refuse(_) => Some(REFUSE),
            Self::SlowAccept(_) => Some(SLOW_ACCEPT),
            Self::CorruptStream(_) => Some(CORRUPT_STREAM),
            Self::ShortWrite(_) => Some(SHORT_WRITE),
            Self::ShortRead(_) => Some(SHORT_READ),
        }
    }

    /// Whether it never does anything to a packet.
    pub(super) fn is_never(&self) -> bool {
        match self {
            Self::Cut | Self::Flap { .. } | Self::Clog | Self::Hold => false,
            Self::Gray(chance)
            | Self::Replay { chance, .. }
            | Self::Refuse(chance)
            | Self::CorruptStream(chance)
            | Self::ShortWrite(chance)
            | Self::ShortRead(chance) => chance.is_never(),
            Self::Filter { what, chance } => chance.is_never() || what.is_of_none(),
            Self::Delay(by) | Self::SlowAccept(by) => by.constant() == Some(Duration::ZERO),
        }
    }
}

const GRAY: Site = Site::new("net.gray");
const DELAY: Site = Site::new("net.delay");
const REPLAY: Site = Site::new("net.replay");
const FILTER: Site = Site::new("net.filter");
const REFUSE: Site = Site::new("net.refuse");
const SLOW_ACCEPT: Site = Site::new("net.slow_accept");
const CORRUPT_STREAM: Site = Site::new("net.corrupt_stream");
const SHORT_WRITE: Site = Site::new("net.short_write");
const SHORT_READ: Site = Site::new("net.short_read");
