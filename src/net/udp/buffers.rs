//! Receiving into growing buffers, and operations that a program brings.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::BufMut;

use super::{Interest, UdpSocket};
use crate::model::net::{Answer, Fabric, Take};

impl UdpSocket {
    /// As [`recv`](Self::recv), behind what a buffer holds. What does not fit the buffer's next
    /// chunk is lost.
    ///
    /// Cancel safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.recv_buf_from(buf).await?.0)
    }

    /// As [`recv_from`](Self::recv_from), behind what a buffer holds. What does not fit the
    /// buffer's next chunk is lost.
    ///
    /// Cancel safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// Those of [`recv_from`](Self::recv_from).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.home.poll(cx, |net, _| self.take_into(net, buf))).await
    }

    /// As [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv`](Self::recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.try_recv_buf_from(buf)?.0)
    }

    /// As [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`, and those of [`recv_from`](Self::recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.home.attempt(|net, _| self.take_into(net, buf))
    }

    /// Calls `f` if one of what `interest` names is ready.
    ///
    /// # Errors
    /// `WouldBlock` if none is, and those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        if interest.is_writable() {
            self.local_addr()?;
        } else {
            self.home.attempt(|net, _| net.udp_readable(self.id))?;
        }
        f()
    }

    /// Calls `f` when one of what `interest` names is ready, and again when something arrived, for
    /// as long as it gives `WouldBlock`.
    ///
    /// # Errors
    /// Those of `f`, but for `WouldBlock`.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.ready(interest).await?;
            match f() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            let mut waited = false;
            poll_fn(|cx| self.poll_arrival(cx, &mut waited)).await?;
        }
    }

    /// Waits for something to arrive that is not there yet.
    fn poll_arrival(&self, cx: &Context<'_>, waited: &mut bool) -> Poll<io::Result<()>> {
        if !core::mem::replace(waited, true) {
            ready!(self.home.poll(cx, |net, _| net.udp_arrival(self.id)))?;
        }
        Poll::Ready(Ok(()))
    }

    fn take_into<B: BufMut>(
        &self,
        net: &mut Fabric,
        buf: &mut B,
    ) -> io::Result<Answer<(usize, SocketAddr)>> {
        net.udp_recv_with(self.id, Take::Remove, |bytes| {
            let length = bytes.len().min(buf.chunk_mut().len());
            buf.put_slice(&bytes[..length]);
            length
        })
    }
}
