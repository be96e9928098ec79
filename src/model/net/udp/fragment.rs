//! Into how many packets IP cuts a datagram.
//!
//! Pure arithmetic. A datagram that is cut arrives only if all its fragments do, which is why large
//! ones are lost more often.
//!
//! Source: RFC 791, section 3.2, and RFC 8200, section 4.5.

const UDP_HEADER_BYTES: u32 = 8;
const IPV4_HEADER_BYTES: u32 = 20;
const IPV6_HEADER_BYTES: u32 = 40;
const IPV6_FRAGMENT_HEADER_BYTES: u32 = 8;
/// Fragments begin at multiples of this.
const UNIT_BYTES: u32 = 8;

/// The version of IP that carries a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    V4,
    V6,
}

impl Carrier {
    /// Its header, without options.
    pub(super) const fn header_bytes(self) -> u32 {
        match self {
            Self::V4 => IPV4_HEADER_BYTES,
            Self::V6 => IPV6_HEADER_BYTES,
        }
    }
}

/// How many packets carry a datagram of so many bytes over a link whose packets have at most
/// `mtu_bytes`, headers of IP included. An MTU too small for one unit of data carries one a packet.
pub(super) fn fragments(payload_bytes: u32, mtu_bytes: u32, carrier: Carrier) -> u32 {
    let datagram = payload_bytes.saturating_add(UDP_HEADER_BYTES);
    let (whole, cut) = match carrier {
        Carrier::V4 => (IPV4_HEADER_BYTES, IPV4_HEADER_BYTES),
        Carrier::V6 => (
            IPV6_HEADER_BYTES,
            IPV6_HEADER_BYTES + IPV6_FRAGMENT_HEADER_BYTES,
        ),
    };
    if datagram <= mtu_bytes.saturating_sub(whole) {
        return 1;
    }
    // The last fragment may fill its packet; the others end at a multiple of the unit.
    let last = mtu_bytes.saturating_sub(cut).max(UNIT_BYTES);
    let each = last / UNIT_BYTES * UNIT_BYTES;
    1 + datagram.saturating_sub(last).div_ceil(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts packet by packet, as RFC 791 describes it.
    fn slowly(payload: u32, mtu: u32, carrier: Carrier) -> u32 {
        let mut left = payload + 8;
        let (whole, cut) = match carrier {
            Carrier::V4 => (20, 20),
            Carrier::V6 => (40, 48),
        };
        if whole + left <= mtu {
            return 1;
        }
        let mut packets = 1;
        while cut + left > mtu {
            left -= (mtu - cut) / 8 * 8;
            packets += 1;
        }
        packets
    }

    #[test]
    fn borders_are_where_the_rfcs_put_them() {
        for (payload, mtu, carrier, expected) in [
            (0, 1_500, Carrier::V4, 1),
            (1_472, 1_500, Carrier::V4, 1),
            (1_473, 1_500, Carrier::V4, 2),
            (2_952, 1_500, Carrier::V4, 2),
            (2_953, 1_500, Carrier::V4, 3),
            (65_507, 1_500, Carrier::V4, 45),
            (65_507, 65_536, Carrier::V4, 1),
            (1_452, 1_500, Carrier::V6, 1),
            (1_453, 1_500, Carrier::V6, 2),
            (65_527, 1_280, Carrier::V6, 54),
            // Less than a unit of data fits.
            (100, 0, Carrier::V4, 14),
        ] {
            let found = fragments(payload, mtu, carrier);
            assert_eq!(found, expected, "{payload} bytes, {mtu}, {carrier:?}");
        }
    }

    #[test]
    fn agrees_with_cutting_packet_by_packet() {
        for mtu in (68..100).chain(1_270..1_290).chain([1_500, 9_000]) {
            for payload in (0..3_000).chain(65_000..65_528) {
                for carrier in [Carrier::V4, Carrier::V6] {
                    let found = fragments(payload, mtu, carrier);
                    let expected = slowly(payload, mtu, carrier);
                    assert_eq!(found, expected, "{payload} bytes, {mtu}, {carrier:?}");
                }
            }
        }
    }
}
