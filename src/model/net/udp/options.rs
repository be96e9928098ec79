//! What a program sets on a datagram socket.
//!
//! Plain data, with the limits of Linux.

use std::io;

use super::super::addr::Reach;
use super::super::mutant::{self, Mutant};
use super::super::os_error;

/// Linux: net.ipv4.ip_default_ttl.
const TTL: u8 = 64;
/// How many networks a datagram to a group may cross: by default only its own.
const MULTICAST_TTL: u8 = 1;
/// What Linux takes for the default of an option, the number -1.
const DEFAULT: u32 = u32::MAX;

/// What a program sets on a datagram socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UdpOptions {
    /// `SO_BROADCAST`.
    pub(crate) broadcast: bool,
    /// `IP_MULTICAST_LOOP`.
    pub(crate) multicast_loop_v4: bool,
    ttl: u8,
    multicast_ttl_v4: u8,
    tos: u8,
    /// Those that only a socket of IPv6 has.
    v6: Option<OptionsV6>,
}

/// What only a socket of IPv6 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OptionsV6 {
    multicast_loop: bool,
    tclass: u8,
}

impl UdpOptions {
    /// Those of a new socket.
    pub(super) fn new(is_ipv6: bool) -> Self {
        Self {
            broadcast: false,
            multicast_loop_v4: true,
            ttl: TTL,
            multicast_ttl_v4: MULTICAST_TTL,
            tos: 0,
            v6: is_ipv6.then_some(OptionsV6 {
                multicast_loop: true,
                tclass: 0,
            }),
        }
    }

    /// `IP_TTL`; it is remembered and changes nothing.
    pub(crate) const fn ttl(&self) -> u32 {
        self.ttl as u32
    }

    /// Sets `IP_TTL`.
    ///
    /// # Errors
    /// `EINVAL` outside of 1 to 255.
    pub(crate) fn set_ttl(&mut self, ttl: u32) -> io::Result<()> {
        let ttl = byte_or(ttl, TTL)?;
        if ttl == 0 {
            return Err(os_error(libc::EINVAL));
        }
        self.ttl = ttl;
        Ok(())
    }

    /// `IP_MULTICAST_TTL`.
    pub(crate) const fn multicast_ttl_v4(&self) -> u32 {
        self.multicast_ttl_v4 as u32
    }

    /// Sets `IP_MULTICAST_TTL`: with 0 what is sent to a group stays in the host, and otherwise it
    /// reaches all.
    ///
    /// # Errors
    /// `EINVAL` above 255.
    pub(crate) fn set_multicast_ttl_v4(&mut self, ttl: u32) -> io::Result<()> {
        self.multicast_ttl_v4 = byte_or(ttl, MULTICAST_TTL)?;
        Ok(())
    }

    /// `IP_TOS`; it is remembered and changes nothing.
    pub(crate) const fn tos(&self) -> u32 {
        self.tos as u32
    }

    /// Sets `IP_TOS`, of which like Linux it takes the lowest byte.
    pub(crate) const fn set_tos(&mut self, tos: u32) {
        self.tos = tos.to_le_bytes()[0];
    }

    /// `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a socket of IPv4.
    pub(crate) fn multicast_loop_v6(&self) -> io::Result<bool> {
        Ok(self.v6()?.multicast_loop)
    }

    /// Sets `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4.
    pub(crate) fn set_multicast_loop_v6(&mut self, on: bool) -> io::Result<()> {
        self.v6_mut()?.multicast_loop = on;
        Ok(())
    }

    /// `IPV6_TCLASS`; it is remembered and changes nothing.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a socket of IPv4.
    pub(crate) fn tclass_v6(&self) -> io::Result<u32> {
        Ok(u32::from(self.v6()?.tclass))
    }

    /// Sets `IPV6_TCLASS`.
    ///
    /// # Errors
    /// `ENOPROTOOPT` for a socket of IPv4, `EINVAL` above 255.
    pub(crate) fn set_tclass_v6(&mut self, tclass: u32) -> io::Result<()> {
        let v6 = self.v6_mut()?;
        v6.tclass = byte_or(tclass, 0)?;
        Ok(())
    }

    /// Whether one may send to an address of this kind.
    ///
    /// # Errors
    /// `EACCES` for a broadcast that is not allowed.
    pub(super) fn permit(&self, reach: Reach) -> io::Result<()> {
        let allowed = self.broadcast || mutant::is(Mutant::BroadcastUnasked);
        if reach == Reach::Broadcast && !allowed {
            return Err(os_error(libc::EACCES));
        }
        Ok(())
    }

    /// Whether the host that sends to a group gets a copy. As on Linux the family of the socket
    /// decides which option counts, and not that of the group.
    pub(super) fn loops(&self) -> bool {
        let on = match self.v6 {
            Some(v6) => v6.multicast_loop,
            None => self.multicast_loop_v4,
        };
        on || mutant::is(Mutant::LoopIgnored)
    }

    fn v6(&self) -> io::Result<&OptionsV6> {
        self.v6.as_ref().ok_or_else(|| os_error(libc::EOPNOTSUPP))
    }

    fn v6_mut(&mut self) -> io::Result<&mut OptionsV6> {
        self.v6.as_mut().ok_or_else(|| os_error(libc::ENOPROTOOPT))
    }
}

/// A value of an option that fits a byte.
fn byte_or(value: u32, default: u8) -> io::Result<u8> {
    if value == DEFAULT {
        return Ok(default);
    }
    u8::try_from(value).map_err(|_| os_error(libc::EINVAL))
}
