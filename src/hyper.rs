//! What hyper asks of a runtime: streams, an executor and a timer, simulated and real.
//!
//! Floor 5. Joins hyper's traits to tokio's streams and to this crate's tasks and time. It knows no
//! simulation, so with the feature `real` the same source serves a real machine. The streams are
//! wrapped in [`Io`], since hyper's traits cannot be given to tokio's own.
//!
//! ```
//! # use stormglass::net::{TcpListener, TcpStream};
//! # async fn doc<S, B>(service: S) -> Result<(), Box<dyn std::error::Error>>
//! # where
//! #     S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B> + Clone + 'static,
//! #     S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
//! #     S::Future: 'static,
//! #     B: hyper::body::Body + 'static,
//! #     B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
//! # {
//! use hyper::server::conn::http2;
//! use stormglass::hyper::{Executor, Io, Timer};
//!
//! let listener = TcpListener::bind("0.0.0.0:80").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     let mut server = http2::Builder::new(Executor);
//!     server.timer(Timer);
//!     stormglass::task::spawn(server.serve_connection(Io::new(stream), service.clone()));
//! }
//! # }
//! ```
#![expect(
    clippy::disallowed_types,
    reason = "hyper counts in std's instants, which inside the simulation are the node's"
)]

use core::mem::MaybeUninit;
use core::time::Duration;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{task, time};

pin_project_lite::pin_project! {
    /// A stream with tokio's traits as one with hyper's, and the other way round.
    ///
    /// The second way is for what hyper gives: a connection after an upgrade.
    #[derive(Debug)]
    pub struct Io<T> {
        #[pin]
        inner: T,
    }
}

impl<T> Io<T> {
    /// Wraps a stream.
    pub const fn new(inner: T) -> Self {
        Self { inner }
    }

    /// The stream.
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// The stream.
    pub const fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// The stream, unwrapped.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead> rt::Read for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // hyper's buffer can be filled in place by unsafe code alone.
        let mut chunk = [MaybeUninit::uninit(); CHUNK_BYTES];
        let room = buf.remaining().min(CHUNK_BYTES);
        let mut read = ReadBuf::uninit(&mut chunk[..room]);
        ready!(self.project().inner.poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: rt::Read> AsyncRead for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut read = rt::ReadBuf::new(buf.initialize_unfilled());
        ready!(self.project().inner.poll_read(cx, read.unfilled()))?;
        let length = read.filled().len();
        buf.advance(length);
        Poll::Ready(Ok(()))
    }
}

/// Both traits for writing have the same methods.
macro_rules! write {
    ($given:path => $wanted:path) => {
        impl<T: $given> $wanted for Io<T> {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.project().inner.poll_write(cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.project().inner.poll_flush(cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.project().inner.poll_shutdown(cx)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.project().inner.poll_write_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                self.inner.is_write_vectored()
            }
        }
    };
}

write!(AsyncWrite => rt::Write);
write!(rt::Write => AsyncWrite);

/// Spawns what hyper wants to be run: as tasks of the node that asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

#[cfg(feature = "sim")]
impl<F> rt::Executor<F> for Executor
where
    F: Future + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(task::spawn(future));
    }
}

#[cfg(not(feature = "sim"))]
impl<F> rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(task::spawn(future));
    }
}

/// Time for hyper's time-outs: [`time`](mod@crate::time), in a simulation the node's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep {
            inner: time::sleep(duration),
        })
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep {
            inner: time::sleep_until(deadline.into()),
        })
    }

    fn now(&self) -> std::time::Instant {
        time::Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, new_deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.project().inner.reset(new_deadline.into()),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

pin_project_lite::pin_project! {
    struct Sleep {
        #[pin]
        inner: time::Sleep,
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(cx)
    }
}

impl rt::Sleep for Sleep {}

/// What is read at once. hyper's buffers begin with 8 KiB; a larger chunk would fill the stack and
/// save little.
const CHUNK_BYTES: usize = 16 * 1024;
