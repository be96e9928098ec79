//! Messages on a byte stream: a length of four bytes, then that many bytes of JSON.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stormglass::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message. It bounds what a broken peer can make this side allocate; a log of a
/// hundred thousand entries would not fit, nor would it be sent in one piece.
const FRAME_MAX_BYTES: usize = 16 << 20;
const HEADER_BYTES: usize = 4;

/// Reads messages from a stream.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    /// Bytes that have arrived and belong to messages not yet given.
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `stream`.
    pub const fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next message. Cancel safe: what has arrived of it is kept for the next call.
    ///
    /// # Errors
    /// If the stream fails or ends, or if what arrives is no message of this type.
    pub async fn next<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Takes a message out of the buffer, if a whole one is there.
    fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > FRAME_MAX_BYTES {
            let text = format!("a message of {length} bytes; the longest is {FRAME_MAX_BYTES}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body)?;
        self.buffer.drain(..HEADER_BYTES + length);
        Ok(Some(message))
    }
}

/// Writes a message to a stream. Not cancel safe: half a message may have been written.
///
/// # Errors
/// If the stream fails, or if the message is too long.
pub async fn write_frame<W, T>(stream: &mut W, message: &T) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize,
{
    // Header and body in one write, so that they travel in one packet.
    let mut bytes = vec![0; HEADER_BYTES];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - HEADER_BYTES;
    let header = u32::try_from(length)
        .ok()
        .filter(|_| length <= FRAME_MAX_BYTES);
    let Some(header) = header else {
        let text = format!("a message of {length} bytes; the longest is {FRAME_MAX_BYTES}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_be_bytes());
    stream.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls a future that has nothing to wait for.
    fn now<F: Future>(future: F) -> F::Output {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn messages_arrive_whole_and_in_order_whatever_the_pieces() {
        let mut bytes = Vec::new();
        now(write_frame(&mut bytes, &"one")).unwrap();
        now(write_frame(&mut bytes, &"another")).unwrap();
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut reader = FrameReader::new(head.chain(tail));
            assert_eq!(now(reader.next::<String>()).unwrap(), "one");
            assert_eq!(now(reader.next::<String>()).unwrap(), "another");
            let end = now(reader.next::<String>()).unwrap_err();
            assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_monstrous_length_is_refused_before_it_is_believed() {
        let mut reader = FrameReader::new(&[0xff; 8][..]);
        let error = now(reader.next::<String>()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
