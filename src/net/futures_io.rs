//! Streams with the I/O traits of the crate `futures`.
//!
//! A program that imports both crates' extension traits has to name the one it means, and one that
//! imports those of futures has `split` from there, which takes the stream itself. With the
//! feature `real` these implementations cannot exist, since neither traits nor streams are ours:
//! what shall run in both worlds wraps its streams by tokio-util's `compat`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite, ReadBuf};

use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::stream::TcpStream;
use super::unix;
use super::unix::stream::UnixStream;

macro_rules! read {
    ($($stream:ty),*) => {
        $(
            impl AsyncRead for $stream {
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut [u8],
                ) -> Poll<io::Result<usize>> {
                    let mut read = ReadBuf::new(buf);
                    ready!(TokioRead::poll_read(self, cx, &mut read))?;
                    Poll::Ready(Ok(read.filled().len()))
                }
            }
        )*
    };
}

/// Closing is the end of what is written, as `poll_shutdown` is for tokio.
macro_rules! write {
    ($($stream:ty),*) => {
        $(
            impl AsyncWrite for $stream {
                fn poll_write(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &[u8],
                ) -> Poll<io::Result<usize>> {
                    TokioWrite::poll_write(self, cx, buf)
                }

                fn poll_flush(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    TokioWrite::poll_flush(self, cx)
                }

                fn poll_close(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    TokioWrite::poll_shutdown(self, cx)
                }

                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[io::IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    TokioWrite::poll_write_vectored(self, cx, bufs)
                }
            }
        )*
    };
}

read!(TcpStream, ReadHalf<'_>, OwnedReadHalf);
read!(UnixStream, unix::ReadHalf<'_>, unix::OwnedReadHalf);
write!(TcpStream, WriteHalf<'_>, OwnedWriteHalf);
write!(UnixStream, unix::WriteHalf<'_>, unix::OwnedWriteHalf);
