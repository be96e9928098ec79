//! Reading into and writing from several buffers, each with one call of the network.

use std::io;

/// How much is read at once into a buffer that may have room without end.
pub(super) const READ_MAX_BYTES: usize = 16 * 1024;

/// The buffers as one.
pub(super) fn joined(bufs: &[io::IoSlice<'_>]) -> Vec<u8> {
    bufs.iter().flat_map(|buf| buf.iter().copied()).collect()
}

/// Reads once, and fills one buffer after another: an error that waits behind the bytes is left to
/// the next call.
pub(super) fn read_parts(
    bufs: &mut [io::IoSliceMut<'_>],
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut bytes = vec![0; bufs.iter().map(|buf| buf.len()).sum()];
    let length = read(&mut bytes)?;
    let mut rest = &bytes[..length];
    for buf in bufs {
        let (part, behind) = rest.split_at(rest.len().min(buf.len()));
        buf[..part.len()].copy_from_slice(part);
        rest = behind;
    }
    Ok(length)
}
