//! Halves of a connection, borrowed and owned.

use core::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::ready::{Interest, Ready};
use super::SocketAddr;
use super::stream::UnixStream;

/// The reading half of a stream, borrowed: from [`UnixStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a UnixStream);

/// The writing half of a stream, borrowed: from [`UnixStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a UnixStream);

/// The reading half of a stream: from [`UnixStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<UnixStream>,
}

/// The writing half of a stream: from [`UnixStream::into_split`].
///
/// Dropping it ends what is written; the peer reads to the end.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<UnixStream>,
    ends_on_drop: bool,
}

/// The two halves given to `reunite` were not of one stream. They are given back.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl std::error::Error for ReuniteError {}

pub(super) const fn split(stream: &UnixStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: UnixStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let read = OwnedReadHalf {
        stream: stream.clone(),
    };
    (
        read,
        OwnedWriteHalf {
            stream,
            ends_on_drop: true,
        },
    )
}

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    Ok(Arc::into_inner(read.stream).expect("a stream has two halves, and this was the last"))
}

impl OwnedReadHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// If the halves are not of one stream.
    ///
    /// # Panics
    /// Never: a stream has exactly two halves.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// If the halves are not of one stream.
    ///
    /// # Panics
    /// Never: a stream has exactly two halves.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<UnixStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without ending what is written.
    pub fn forget(mut self) {
        self.ends_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.ends_on_drop {
            // A connection that has failed has ended already.
            drop(self.stream.end_writing());
        }
    }
}

/// The reading side of a half; `$stream` finds the stream in it.
macro_rules! read_half {
    ($half:ty, |$self:ident| $stream:expr) => {
        impl $half {
            fn stream(&$self) -> &UnixStream {
                $stream
            }

            /// Waits until one of what `interest` names is ready.
            ///
            /// # Errors
            /// If the node has ended.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.stream().ready(interest).await
            }

            /// Waits until a read would not wait.
            ///
            /// # Errors
            /// If the node has ended.
            pub async fn readable(&self) -> io::Result<()> {
                self.stream().readable().await
            }

            /// Reads without waiting.
            ///
            /// # Errors
            /// `WouldBlock`, and those of reading.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.stream().try_read(buf)
            }

            /// Reads without waiting, into one buffer after another.
            ///
            /// # Errors
            /// `WouldBlock`, and those of reading.
            pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
                self.stream().try_read_vectored(bufs)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// If the node has ended.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.stream().peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// If the node has ended.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.stream().local_addr()
            }
        }

        impl AsRef<UnixStream> for $half {
            fn as_ref(&self) -> &UnixStream {
                self.stream()
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.stream().poll_read_bytes(cx, buf)
            }
        }
    };
}

/// The writing side of a half; `$stream` finds the stream in it.
macro_rules! write_half {
    ($half:ty, |$self:ident| $stream:expr) => {
        impl $half {
            fn stream(&$self) -> &UnixStream {
                $stream
            }

            /// Waits until one of what `interest` names is ready.
            ///
            /// # Errors
            /// If the node has ended.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.stream().ready(interest).await
            }

            /// Waits until a write would not wait.
            ///
            /// # Errors
            /// If the node has ended.
            pub async fn writable(&self) -> io::Result<()> {
                self.stream().writable().await
            }

            /// Writes without waiting.
            ///
            /// # Errors
            /// `WouldBlock`, and those of writing.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.stream().try_write(buf)
            }

            /// Writes without waiting, one buffer after another.
            ///
            /// # Errors
            /// `WouldBlock`, and those of writing.
            pub fn try_write_vectored(&self, buf: &[io::IoSlice<'_>]) -> io::Result<usize> {
                self.stream().try_write_vectored(buf)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// If the node has ended.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.stream().peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// If the node has ended.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.stream().local_addr()
            }
        }

        impl AsRef<UnixStream> for $half {
            fn as_ref(&self) -> &UnixStream {
                self.stream()
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_write_bytes(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_write_buffers(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.stream().end_writing())
            }
        }
    };
}

read_half!(ReadHalf<'_>, |self| self.0);
read_half!(OwnedReadHalf, |self| &self.stream);
write_half!(WriteHalf<'_>, |self| self.0);
write_half!(OwnedWriteHalf, |self| &self.stream);
