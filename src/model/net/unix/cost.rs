//! What bytes in a queue cost their sender: the memory of the kernel's buffers, and not their
//! length.
//!
//! Owns the arithmetic of Linux 6.18 with pages of 4 KiB. It must never know sockets. As measured
//! there with `SIOCOUTQ`.

/// The most that a stream puts into one buffer.
pub(super) const CHUNK_MAX_BYTES: usize = STREAM_HEAD_BYTES + 32_768;

/// What a stream has in a buffer's head before it takes pages: a page without `skb_shared_info`.
const STREAM_HEAD_BYTES: usize = PAGE_BYTES - SHARED_BYTES;
/// The same for a datagram, whose head is up to four pages before it takes others.
const DATAGRAM_HEAD_BYTES: usize = 4 * PAGE_BYTES - SHARED_BYTES;
/// How many pages a datagram has beside its head; what is left makes the head larger.
const DATAGRAM_PAGES_MAX: usize = 17;

const PAGE_BYTES: usize = 4_096;
/// `skb_shared_info`, which stands in the head.
const SHARED_BYTES: usize = 320;
/// `sk_buff` itself.
const BUFFER_BYTES: usize = 256;
/// The smallest piece of memory of which heads are made.
const HEAD_MIN_BYTES: usize = 512;

/// The cost of a stream's bytes in one buffer.
pub(super) fn of_chunk(length: usize) -> u32 {
    assert!(length <= CHUNK_MAX_BYTES, "more goes into the next buffer");
    let beyond = length.saturating_sub(STREAM_HEAD_BYTES);
    of_buffer(length, pages(beyond).min(length))
}

/// The cost of a datagram.
pub(super) fn of_datagram(length: usize) -> u32 {
    let beyond = length.saturating_sub(DATAGRAM_HEAD_BYTES);
    of_buffer(length, pages(beyond.min(DATAGRAM_PAGES_MAX * PAGE_BYTES)))
}

/// What is charged for a buffer of which so many bytes are in pages.
fn of_buffer(length: usize, paged: usize) -> u32 {
    let head = (length - paged + SHARED_BYTES).next_power_of_two();
    let total = BUFFER_BYTES + head.max(HEAD_MIN_BYTES) + pages(paged);
    u32::try_from(total).expect("a buffer is smaller than the send buffer")
}

const fn pages(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cost_what_was_measured() {
        for (length, cost) in [
            (1, 768),
            (192, 768),
            (193, 1_280),
            (704, 1_280),
            (705, 2_304),
            (1_729, 4_352),
            (3_776, 4_352),
            (3_777, 4_864),
            (4_097, 4_864),
            (5_000, 6_400),
            (7_872, 8_448),
            (7_873, 8_960),
            (12_000, 13_056),
            (20_160, 20_736),
            (30_000, 30_976),
            (36_544, 37_120),
        ] {
            assert_eq!(of_chunk(length), cost, "{length} bytes");
        }
    }

    #[test]
    fn datagrams_cost_what_was_measured() {
        for (length, cost) in [
            (0, 768),
            (193, 1_280),
            (3_776, 4_352),
            (3_777, 8_448),
            (7_873, 16_640),
            (16_064, 16_640),
            (16_065, 20_736),
            (20_161, 24_832),
            (50_000, 53_504),
            (85_696, 86_272),
            (85_697, 102_656),
            (106_432, 135_424),
            (212_960, 332_032),
        ] {
            assert_eq!(of_datagram(length), cost, "{length} bytes");
        }
    }
}
