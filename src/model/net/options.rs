//! What a program sets on a stream socket.
//!
//! Plain data, with the limits of Linux. An accepted socket begins with its listener's options.

use core::time::Duration;
use std::io;

use super::host::Reuse;
use super::os_error;

/// How much a sender keeps, and a receiver takes, if the program sets nothing. Linux begins with
/// less and lets both grow to some MiB.
const UNSET_BYTES: u64 = 128 * 1024;
// What Linux tells of sockets whose buffers were not set: the middle values of net.ipv4.tcp_wmem
// and net.ipv4.tcp_rmem.
const SEND_BUFFER_BYTES: u32 = 16 * 1024;
const RECEIVE_BUFFER_BYTES: u32 = 128 * 1024;
// Linux: SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF as a program sees them, and half of what
// net.core.rmem_max allows, since the kernel doubles what it is asked for.
const RECEIVE_BUFFER_MIN_BYTES: u32 = 2_304;
const SEND_BUFFER_MIN_BYTES: u32 = 4_608;
const BUFFER_MAX_BYTES: u32 = 212_992;
/// The part of the type of service that TCP uses itself.
const CONGESTION_BITS: u8 = 3;
/// Linux: net.ipv4.ip_default_ttl.
const TTL: u8 = 64;

/// What a program sets on a stream socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) reuse: Reuse,
    /// Whether Nagle's algorithm is switched off.
    pub(crate) nodelay: bool,
    /// Whether a peer that is quiet is asked whether it is still there.
    pub(crate) keepalive: bool,
    /// `TCP_QUICKACK`; it is remembered and changes nothing.
    pub(crate) quickack: bool,
    /// `IP_TOS`; it is remembered and changes nothing.
    pub(crate) tos: u8,
    /// `IPV6_TCLASS`; it is remembered and changes nothing.
    pub(crate) traffic_class: u8,
    /// How long closing lingers.
    pub(crate) linger: Option<Duration>,
    /// `IP_TTL`; it is remembered and changes nothing.
    pub(crate) ttl: u8,
    send_buffer: Option<u32>,
    receive_buffer: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reuse: Reuse::No,
            nodelay: false,
            keepalive: false,
            quickack: true,
            tos: 0,
            traffic_class: 0,
            linger: None,
            ttl: TTL,
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

impl Options {
    /// Sets `SO_LINGER`, in whole seconds as Linux takes it.
    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        self.linger = linger.map(|linger| Duration::from_secs(linger.as_secs()));
    }

    /// Sets `IP_TTL`.
    ///
    /// # Errors
    /// `EINVAL` outside of 1 to 255.
    pub(crate) fn set_ttl(&mut self, ttl: u32) -> io::Result<()> {
        self.ttl = u8::try_from(ttl)
            .ok()
            .filter(|ttl| *ttl > 0)
            .ok_or_else(|| os_error(libc::EINVAL))?;
        Ok(())
    }

    /// Sets `IP_TOS`. The two bits of congestion notification are TCP's own.
    pub(crate) const fn set_tos(&mut self, tos: u32) {
        self.tos = tos.to_le_bytes()[0] & !CONGESTION_BITS;
    }

    /// Sets `IPV6_TCLASS`.
    ///
    /// # Errors
    /// `EINVAL` above 255.
    pub(crate) fn set_traffic_class(&mut self, class: u32) -> io::Result<()> {
        let class = u8::try_from(class).map_err(|_| os_error(libc::EINVAL))?;
        self.traffic_class = class & !CONGESTION_BITS;
        Ok(())
    }

    /// Sets `SO_SNDBUF`: like Linux twice what is asked for, within its limits.
    pub(crate) fn set_send_buffer(&mut self, bytes: u32) {
        self.send_buffer = Some(doubled(bytes).max(SEND_BUFFER_MIN_BYTES));
    }

    /// Sets `SO_RCVBUF`: like Linux twice what is asked for, within its limits.
    pub(crate) fn set_receive_buffer(&mut self, bytes: u32) {
        self.receive_buffer = Some(doubled(bytes).max(RECEIVE_BUFFER_MIN_BYTES));
    }

    /// `SO_SNDBUF` in bytes.
    pub(crate) fn send_buffer(&self) -> u32 {
        self.send_buffer.unwrap_or(SEND_BUFFER_BYTES)
    }

    /// `SO_RCVBUF` in bytes.
    pub(crate) fn receive_buffer(&self) -> u32 {
        self.receive_buffer.unwrap_or(RECEIVE_BUFFER_BYTES)
    }

    /// How many bytes of data a sender keeps until they are acknowledged. A buffer that was set has
    /// twice that size, for the kernel's own needs.
    pub(super) fn send_room(&self) -> u64 {
        self.send_buffer
            .map_or(UNSET_BYTES, |bytes| u64::from(bytes / 2))
    }

    /// How many bytes of data a receiver takes before they are read.
    pub(super) fn receive_window(&self) -> u64 {
        self.receive_buffer
            .map_or(UNSET_BYTES, |bytes| u64::from(bytes / 2))
    }
}

fn doubled(bytes: u32) -> u32 {
    2 * bytes.min(BUFFER_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_doubled_within_limits() {
        let mut options = Options::default();
        for (asked, send, receive) in [
            (0, 4_608, 2_304),
            (10_000, 20_000, 20_000),
            (u32::MAX, 425_984, 425_984),
        ] {
            options.set_send_buffer(asked);
            options.set_receive_buffer(asked);
            let got = (options.send_buffer(), options.receive_buffer());
            assert_eq!(got, (send, receive), "{asked}");
        }
    }
}
