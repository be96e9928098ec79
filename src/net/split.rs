//! Halves of a TCP connection.

use core::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::halves::halves;
use super::ready::{Interest, Ready};
use super::stream::TcpStream;

halves!(TcpStream, SocketAddr);

/// What a half that reads can look at.
macro_rules! peeks {
    ($half:ty) => {
        impl $half {
            /// Waits for bytes and looks at them; they stay.
            ///
            /// # Errors
            /// Those of reading.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.stream().peek(buf).await
            }

            /// As [`peek`](Self::peek).
            ///
            /// # Errors
            /// Those of reading.
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_peek(cx, buf)
            }
        }
    };
}

peeks!(ReadHalf<'_>);
peeks!(OwnedReadHalf);
