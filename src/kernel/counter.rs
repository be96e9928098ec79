//! Counters that prove a fault did something: offered, fired, effective.
//!
//! A campaign in which a declared fault never bit has tested less than it claims; these counters
//! are how that is noticed. Models count; judges read.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often a fault family could have acted, acted, and changed something.
///
/// `offered >= fired >= effective` always holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCounter {
    /// Chances to act: the operation came by while the family was switched on.
    pub offered: u64,
    /// Times it acted.
    pub fired: u64,
    /// Times the act changed something that the system could observe; what that is depends on
    /// the family: [`Family::effective_means`].
    pub effective: u64,
}

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $effective:literal;)*) => {
        /// A kind of fault, as counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Family {
            $(
                $(#[$doc])*
                ///
                #[doc = concat!("Effective: ", $effective, ".")]
                $variant,
            )*
        }

        impl Family {
            /// All families, in the order in which reports list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that plans, reports and traces use, such as `net.partition`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What makes an act of this family count as effective.
            #[must_use]
            pub const fn effective_means(self) -> &'static str {
                match self { $(Self::$variant => $effective,)* }
            }
        }
    };
}

families! {
    /// A directed link is cut.
    ///
    /// Offered: a packet was sent to another host, or arrived from one, while any link was cut.
    /// Fired: that link was cut, and the packet is lost.
    Partition = "net.partition",
        "a socket missed what was lost, or a stream or a sender that waits came on later";
    /// A packet is lost with some probability.
    ///
    /// Offered: a packet was sent on a link that may lose some. Fired: it was lost.
    Loss = "net.loss",
        "a socket missed what was lost, or a stream or a sender that waits came on later";
    /// A link loses packets for a while (a gray failure).
    ///
    /// Offered: a packet was sent on a gray link. Fired: it was lost.
    Gray = "net.gray",
        "a socket missed what was lost, or a stream or a sender that waits came on later";
    /// A link loses packets of a kind for a while.
    ///
    /// Offered: a packet that is meant was sent on such a link. Fired: it was lost.
    Filter = "net.filter",
        "a socket missed what was lost, or a stream or a sender that waits came on later";
    /// Bits of a packet are flipped.
    ///
    /// Offered: a packet was sent on a link that may flip bits. Fired: bits were flipped; a packet
    /// of a stream is lost to its checksum.
    Corrupt = "net.corrupt",
        "a program received a byte with flipped bits, or as for a loss if it was of a stream";
    /// Bits of a stream are flipped, and no checksum notices.
    ///
    /// Offered: bytes that had not arrived came on a link that may flip bits of streams. Fired:
    /// bits of them were flipped.
    StreamCorrupt = "net.stream_corrupt", "a program read a byte with flipped bits";
    /// A datagram arrives twice.
    ///
    /// Offered: a datagram was sent on a link that may double some. Fired: there is a second copy.
    Duplicate = "net.duplicate", "a program received the second copy";
    /// A datagram is held up, so that later ones overtake it.
    ///
    /// Offered: a datagram was sent on a link that may hold some up. Fired: it was held up.
    Reorder = "net.reorder", "a program received a datagram that came later than it would have";
    /// A datagram comes once more, long after the first time.
    ///
    /// Offered: a datagram that arrives was sent on a link that replays some. Fired: it will come
    /// once more.
    Replay = "net.replay", "a program received it once more";
    /// A link takes longer for a while.
    ///
    /// Offered: a packet was sent on a link with a delay. Fired: the delay drawn is above zero.
    Delay = "net.delay",
        "what a live program or stream received came later than it would have, for this packet";
    /// A link carries no more than its bandwidth.
    ///
    /// Offered: a packet was sent on a link with a bandwidth. Fired: it waited for its turn, at its
    /// host or in the queue, which counts once; or the queue lost it.
    Bandwidth = "net.bandwidth",
        "a packet that was received had waited, or one that the queue lost was missed";
    /// A link keeps its packets until the clog ends.
    ///
    /// Offered and fired: a packet came to a clogged link and is kept; so are acknowledgements,
    /// and copies of what is kept already.
    Clog = "net.clog",
        "a packet that was kept was received later than it came, or its sender gave up";
    /// A link keeps its packets until the test decides on them.
    ///
    /// Offered and fired: as for a clog.
    Hold = "net.hold",
        "a packet that was kept was received later than it came, was missed, or its sender gave up";
    /// Who asks for a connection is refused, though somebody listens.
    ///
    /// Offered: the asking came to a listener, on a link on which some are refused. Fired: it is
    /// refused.
    Refuse = "net.refuse", "a program was told that it is refused";
    /// A connection waits longer to be accepted.
    ///
    /// Offered: a connection was made on a link on which some wait. Fired: the wait drawn is above
    /// zero.
    SlowAccept = "net.slow_accept", "a program accepted it later than it would have";
    /// A write of a stream accepts less than it could.
    ///
    /// Offered: a write for which there was room for two bytes or more, on a link of such writes.
    /// Fired: it accepted a part.
    StreamShortWrite = "net.short_write", "a program was told of fewer bytes";
    /// A read of a stream gives less than is there.
    ///
    /// Offered: a read for which two bytes or more were there, on a link of such reads. Fired: it
    /// gave a part.
    StreamShortRead = "net.short_read", "a program was given fewer bytes";
    /// A connection is reset from outside.
    ///
    /// Offered and fired: an end of a connection was reset.
    Reset = "net.reset", "a program holds the end, or will accept it, and is told";
    /// The answer of the name server takes time.
    ///
    /// Offered: the name server was asked while it may be slow. Fired: its answer takes time.
    DnsDelay = "dns.delay", "a program was given an answer later than it would have been";
    /// A lookup fails for now.
    ///
    /// Offered: the name server was asked while it may fail, for whomever. Fired: this one fails.
    DnsFailure = "dns.failure", "a program was given the error";
    /// The name server answers with what was true before.
    ///
    /// Offered: the name server was asked while it may be stale. Fired: it gives what was true
    /// before the last change, if there was one.
    DnsStale = "dns.stale", "a program was given an answer that was not true when it asked";
    /// A loss of power loses changes that no sync made durable.
    UnsyncedLoss = "disk.unsynced_loss", "the file system was then not as programs had seen it";
    /// A loss of power keeps some sectors of a write.
    TornWrite = "disk.torn_write", "the file system was then not as programs had seen it";
    /// A loss of power loses a name, or the loss of one.
    EntryLost = "disk.entry_lost", "the file system was then not as programs had seen it";
    /// A loss of power keeps the length of a file and not its bytes.
    SizeWithoutData = "disk.size_without_data",
        "the file system was then not as programs had seen it";
    /// Bytes that were lost show what the disk held before.
    StaleGarbage = "disk.stale_garbage", "the file system was then not as programs had seen it";
    /// A read gives an error.
    ReadError = "disk.read_error", "a program was given the error";
    /// A write gives an error.
    WriteError = "disk.write_error", "a program was given the error";
    /// A write writes less than it was asked to.
    ShortWrite = "disk.short_write", "a program was told of fewer bytes";
    /// A sync gives an error, and the bytes are gone.
    SyncError = "disk.sync_error", "a program was given the error";
    /// A sync succeeds, and nothing is durable.
    SyncLie = "disk.sync_lie", "a loss of power lost what the sync should have made durable";
    /// A sector cannot be read any more.
    LatentSector = "disk.latent_sector", "a program was given the error";
    /// A bit of a sector has flipped.
    BitRot = "disk.bit_rot", "a program read the page";
    /// A read gives the bytes of another page.
    MisdirectedRead = "disk.misdirected_read", "a program read the page";
    /// A page that was written stays as it was.
    LostWrite = "disk.lost_write", "a program read the old page";
    /// A page that was written lands elsewhere.
    MisdirectedWrite = "disk.misdirected_write", "a program read the old page, or the other one";
    /// A change of names or attributes gives an error.
    MetadataError = "disk.metadata_error", "a program was given the error";
    /// The file system takes no more writes.
    ReadOnly = "disk.read_only", "a program was given the error";
    /// There is no room on the disk.
    NoSpace = "disk.no_space", "a program was given the error";
    /// A process has no more descriptors.
    NoDescriptors = "disk.no_descriptors", "a program was given the error";
    /// A disk is slower than the others.
    ///
    /// Offered: a call of a disk that has a speed of its own. Fired: it took longer than any call
    /// of its class can on a disk that has not.
    DiskSlow = "disk.slow", "a program waited for it";
    /// A sync takes long.
    DiskStall = "disk.stall", "a program waited for it";
    /// All that a disk held is gone.
    Wipe = "disk.wipe", "there was something to lose";
    /// A disk is as it was before.
    OlderImage = "disk.older_image", "it had changed since";
    /// A node loses power: tasks and memory are gone.
    Crash = "process.crash", "at least one unfinished task was dropped";
    /// A node's process dies, the machine stays up.
    Kill = "process.kill", "at least one unfinished task was dropped";
    /// A node's program is asked to stop, and killed if it does not.
    Stop = "process.stop", "the program was running";
    /// A node runs nothing for a while; its clocks go on.
    Pause = "process.pause", "a task became ready or a timer fell due while the node was paused";
    /// A node runs nothing for a while and its monotonic clock stands still.
    Suspend = "process.suspend",
        "a task became ready or a timer fell due while the node was suspended";
    /// A marked place of a program takes its rare way.
    ///
    /// Offered: the program came to an active place. Fired: it took the rare way.
    Buggify = "program.buggify", "it took the rare way";
    /// A node's clocks run fast or slow.
    ClockDrift = "clock.drift", "the program read a clock, or armed a timer, at the changed rate";
    /// A node's wall clock jumps.
    ClockStep = "clock.step", "the program read the wall clock after the step";
    /// A node's wall clock is moved gradually.
    ClockSlew = "clock.slew", "the program read the wall clock while it was being moved";
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One [`FaultCounter`] for each [`Family`]. In files it is a map of those that were offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<Family, FaultCounter>",
    into = "BTreeMap<Family, FaultCounter>"
)]
pub struct FaultCounters {
    counters: [FaultCounter; Family::ALL.len()],
}

impl From<BTreeMap<Family, FaultCounter>> for FaultCounters {
    fn from(map: BTreeMap<Family, FaultCounter>) -> Self {
        let mut counters = Self::default();
        for (family, counter) in map {
            counters.counters[family as usize] = counter;
        }
        counters
    }
}

impl From<FaultCounters> for BTreeMap<Family, FaultCounter> {
    fn from(counters: FaultCounters) -> Self {
        counters.iter().collect()
    }
}

impl Default for FaultCounters {
    fn default() -> Self {
        Self {
            counters: [FaultCounter::default(); Family::ALL.len()],
        }
    }
}

impl FaultCounters {
    /// Counts a chance to act.
    pub fn offered(&mut self, family: Family) {
        self.counters[family as usize].offered += 1;
    }

    /// Counts an act. The chance must have been counted before.
    pub fn fired(&mut self, family: Family) {
        let counter = &mut self.counters[family as usize];
        counter.fired += 1;
        debug_assert!(
            counter.fired <= counter.offered,
            "{family} fired without being offered"
        );
    }

    /// Counts that an act changed something. The act must have been counted before.
    pub fn effective(&mut self, family: Family) {
        let counter = &mut self.counters[family as usize];
        counter.effective += 1;
        debug_assert!(
            counter.effective <= counter.fired,
            "{family} effective without firing"
        );
    }

    /// Adds the counts of another run, for the sum of a campaign.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counters.iter_mut().zip(&other.counters) {
            mine.offered += theirs.offered;
            mine.fired += theirs.fired;
            mine.effective += theirs.effective;
        }
    }

    /// The counter of one family.
    #[must_use]
    pub const fn get(&self, family: Family) -> FaultCounter {
        self.counters[family as usize]
    }

    /// The families that were offered at least once, in report order.
    pub fn iter(&self) -> impl Iterator<Item = (Family, FaultCounter)> + '_ {
        Family::ALL
            .iter()
            .map(|&family| (family, self.get(family)))
            .filter(|(_, counter)| counter.offered > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_apart_and_added_up() {
        let mut one = FaultCounters::default();
        one.offered(Family::Loss);
        one.offered(Family::Loss);
        one.fired(Family::Loss);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!(
            sum.get(Family::Loss),
            FaultCounter {
                offered: 4,
                fired: 2,
                effective: 0
            }
        );
        assert_eq!(sum.get(Family::Crash), FaultCounter::default());
        assert_eq!(sum.iter().count(), 1);
    }

    #[test]
    #[should_panic(expected = "fired without being offered")]
    fn an_act_needs_a_chance() {
        FaultCounters::default().fired(Family::Crash);
    }

    #[test]
    fn every_family_has_a_name_and_a_meaning_of_its_own() {
        for (i, family) in Family::ALL.iter().enumerate() {
            assert_eq!(*family as usize, i);
            assert!(!family.effective_means().is_empty());
            let same = Family::ALL
                .iter()
                .filter(|other| other.name() == family.name())
                .count();
            assert_eq!(same, 1, "{family} is named twice");
        }
    }
}
