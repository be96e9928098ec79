//! Known bugs of the network, behind a switch, which tests must find.
//!
//! Owns the list and the switch. Without the feature `mutants` the switch is constant, and nothing
//! of this is left in the program.

/// A known bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(unreachable_pub))]
pub enum Mutant {
    /// A port at which nobody listens is silent.
    NoResetFromDeadPort,
    /// A refused connection is said to be reset.
    RefusedIsReset,
    /// A listener takes in more than its backlog.
    BacklogIgnored,
    /// The newest connection is accepted first.
    AcceptTakesTheNewest,
    /// Who waits at a listener that closes is not told.
    NoResetFromListener,
    /// An accepted stream has the address of its listener.
    AcceptedAtTheListener,
    /// Accepted streams do not begin with the listener's options.
    OptionsNotInherited,
    /// A second socket listens at an address.
    ListenedAtTwice,
    /// All sockets share their ports.
    ReuseAlways,
    /// Whoever closes first has its port back at once.
    NoTimeWait,
    /// Nobody minds a reset.
    ResetIgnored,
    /// Reading from a connection that was reset gives the end.
    ResetReadsAsEnd,
    /// What ended the connection is told again and again.
    ErrorStays,
    /// A reset throws away what had arrived before.
    ResetBeforeData,
    /// Writing to a connection that was reset does not tell that it was.
    ResetWritesAsPipe,
    /// The end of a stream comes before what was written.
    EndBeforeData,
    /// Ending what is written does not reach the peer.
    FinLost,
    /// Closing does not reach the peer.
    CloseIsSilent,
    /// Ending what is written ends what can be read.
    HalfCloseClosesBoth,
    /// Writing behind the end succeeds.
    WriteAfterShutdownAllowed,
    /// Throwing away what was received is a close in good order.
    NoResetOnUnreadData,
    /// Lingering for no time is a close in good order.
    LingerIgnored,
    /// What is looked at is gone.
    PeekConsumes,
    /// A write takes half of what it could.
    WriteIsHalved,
    /// The peer of a connection that ended is still known.
    PeerAfterTheEnd,
    /// A read into no space does not wait.
    EmptyReadNeverWaits,
    /// The end of what can be read is not among what is ready.
    EndNotReady,
    /// A failure is not among what is ready.
    ErrorNotReady,
    /// Whether to ask after a quiet peer is forgotten.
    KeepaliveForgotten,
    /// A socket that connects to its own address is refused.
    NoConnectionToItself,
    /// A broadcast needs no permission.
    BroadcastUnasked,
    /// What is sent to a group comes to hosts that did not join it.
    NobodyNeedsToJoin,
    /// A socket joins a group again.
    JoinedTwice,
    /// What a host sends to a group comes back to it, also if that is switched off.
    LoopIgnored,
    /// A socket does not leave its groups when it is closed.
    MemberForEver,
    /// The path of a Unix socket goes with it.
    UnixPathGoesWithItsSocket,
    /// A path whose socket is closed is said to be none.
    UnixStaleIsMissing,
    /// Closing a Unix stream throws away what was received in good order.
    UnixNoResetOnUnreadData,
    /// Closing a Unix listener closes its queue in good order.
    UnixNoResetFromListener,
    /// A full Unix stream is writable as soon as anything is read.
    UnixRoomAtOnce,
    /// Any number of datagrams is queued at a Unix socket.
    UnixQueueIsEndless,
    /// A Unix socket receives from others than its peer.
    UnixHearsEverybody,
    /// What the retransmission timer sends again is lost.
    RetransmissionLost,
    /// The retransmission timer is as quick each time.
    RetransmissionHasNoPatience,
    /// What is lost is sent again for ever.
    RetransmissionNeverEnds,
    /// What arrives behind a gap is not told of.
    GapNotReported,
    /// The asking for a connection is sent once.
    AskedOnce,
    /// A sender is not told of a wider window.
    WindowUpdateNotSent,
    /// A closed window is not asked about.
    ProbeNotSent,
    /// Small writes do not wait for each other.
    NagleIgnored,
    /// Packets are larger than the link allows.
    MssIgnored,
}

/// Whether this bug is in the program now.
#[inline]
pub(super) fn is(mutant: Mutant) -> bool {
    #[cfg(feature = "mutants")]
    return switch::chosen() == Some(mutant);
    #[cfg(not(feature = "mutants"))]
    {
        let _: Mutant = mutant;
        false
    }
}

#[cfg(feature = "mutants")]
pub use switch::with_mutant;

#[cfg(feature = "mutants")]
mod switch {
    //! Which bug this thread has.

    use core::cell::Cell;

    use super::Mutant;

    thread_local! {
        static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    pub(super) fn chosen() -> Option<Mutant> {
        CHOSEN.get()
    }

    /// Runs `f` on this thread with a bug in the network.
    pub fn with_mutant<T>(mutant: Mutant, f: impl FnOnce() -> T) -> T {
        struct Restore;
        impl Drop for Restore {
            fn drop(&mut self) {
                CHOSEN.set(None);
            }
        }
        let _restore = Restore;
        CHOSEN.set(Some(mutant));
        f()
    }
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Those that show between hosts, where packets take time and are lost.
    pub const OF_LINKS: &[Self] = &[
        Self::RetransmissionLost,
        Self::RetransmissionHasNoPatience,
        Self::RetransmissionNeverEnds,
        Self::GapNotReported,
        Self::AskedOnce,
        Self::WindowUpdateNotSent,
        Self::ProbeNotSent,
        Self::NagleIgnored,
        Self::MssIgnored,
    ];

    /// Those that show within one host, where the conformance suite finds them.
    pub const OF_SOCKETS: &[Self] = &[
        Self::NoResetFromDeadPort,
        Self::RefusedIsReset,
        Self::BacklogIgnored,
        Self::AcceptTakesTheNewest,
        Self::NoResetFromListener,
        Self::AcceptedAtTheListener,
        Self::OptionsNotInherited,
        Self::ListenedAtTwice,
        Self::ReuseAlways,
        Self::NoTimeWait,
        Self::ResetIgnored,
        Self::ResetReadsAsEnd,
        Self::ErrorStays,
        Self::ResetBeforeData,
        Self::ResetWritesAsPipe,
        Self::EndBeforeData,
        Self::FinLost,
        Self::CloseIsSilent,
        Self::HalfCloseClosesBoth,
        Self::WriteAfterShutdownAllowed,
        Self::NoResetOnUnreadData,
        Self::LingerIgnored,
        Self::PeekConsumes,
        Self::WriteIsHalved,
        Self::PeerAfterTheEnd,
        Self::EmptyReadNeverWaits,
        Self::EndNotReady,
        Self::ErrorNotReady,
        Self::KeepaliveForgotten,
        Self::NoConnectionToItself,
        Self::BroadcastUnasked,
        Self::NobodyNeedsToJoin,
        Self::JoinedTwice,
        Self::LoopIgnored,
        Self::MemberForEver,
        Self::UnixPathGoesWithItsSocket,
        Self::UnixStaleIsMissing,
        Self::UnixNoResetOnUnreadData,
        Self::UnixNoResetFromListener,
        Self::UnixRoomAtOnce,
        Self::UnixQueueIsEndless,
        Self::UnixHearsEverybody,
    ];
}
