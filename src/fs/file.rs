//! An open file, asynchronous.
//!
//! Owns what tokio's handle owns: what was read and not yet taken, and the one operation that is
//! under way. A write is taken into it and carried out behind the program's back; what goes wrong
//! with it is told by the next call.
#![expect(
    clippy::disallowed_types,
    reason = "times of files are std's, and inside the simulation std's clock is the node's"
)]

use core::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, SeekFrom};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use tokio::sync::Mutex;

use super::handle::{Asking, Home, Place};
use super::options::Flags;
use super::port::{Descriptor, Port, bytes, place_in_file, written};
use super::work;
use super::{FileTimes, Metadata, OpenOptions, Permissions};
use crate::model::disk::Persistence;
use crate::model::disk::call::{Call, Reply, Target};

/// What a handle takes at once, at most, in bytes. tokio: `DEFAULT_MAX_BUF_SIZE`.
const BUFFER_MAX_BYTES: usize = 2 * 1_024 * 1_024;

/// An open file: `tokio::fs::File` on the simulated disk.
///
/// As with tokio's, a write is done when [`flush`](tokio::io::AsyncWriteExt::flush) returns; one
/// that is under way when the handle is dropped goes on, unless the process dies. Nothing is
/// durable before [`sync_all`](Self::sync_all) or [`sync_data`](Self::sync_data) returns.
///
/// ```
/// use stormglass::fs::File;
/// use stormglass::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
///
/// let outcome = stormglass::sim::Builder::new().run(|_| async {
///     let mut file = File::options()
///         .read(true)
///         .write(true)
///         .create_new(true)
///         .open("/log")
///         .await?;
///     file.write_all(b"one two").await?;
///     file.sync_all().await?;
///     file.seek(SeekFrom::Start(4)).await?;
///     let mut text = String::new();
///     file.read_to_string(&mut text).await?;
///     std::io::Result::Ok(text)
/// });
/// assert_eq!(outcome.unwrap().unwrap(), "two");
/// ```
pub struct File {
    // Goes first: what is under way keeps the descriptor open.
    inner: Mutex<Inner>,
    descriptor: Descriptor<Home>,
    buffer_max_bytes: usize,
    /// Where the file was opened. The traits' methods are called by helpers, so that this says
    /// more than the place of their calls.
    opened: Place,
}

struct Inner {
    state: State,
    /// Read from the file, and not taken by the program.
    unread: Unread,
    last_write_error: Option<io::ErrorKind>,
    /// Where the last seek led.
    position: u64,
}

enum State {
    Idle,
    Reading(Asking),
    Writing(Asking),
    Seeking(Asking),
}

#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    taken: usize,
}

impl File {
    pub(super) fn new(descriptor: Descriptor<Home>, opened: Place) -> Self {
        Self {
            inner: Mutex::new(Inner {
                state: State::Idle,
                unread: Unread::default(),
                last_write_error: None,
                position: 0,
            }),
            descriptor,
            buffer_max_bytes: BUFFER_MAX_BYTES,
            opened,
        }
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// Those of `open`.
    ///
    /// # Panics
    /// When polled, if this thread runs no simulation.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Self>> {
        let place = Location::caller();
        async move { Flags::READ.open(path.as_ref(), place).await }
    }

    /// Opens a file to write it, empty, and makes it if it is not there.
    ///
    /// # Errors
    /// Those of `open`.
    ///
    /// # Panics
    /// When polled, if this thread runs no simulation.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Self>> {
        let place = Location::caller();
        async move { Flags::CREATE.open(path.as_ref(), place).await }
    }

    /// Makes a file, which must not be there before, to read and write it.
    ///
    /// # Errors
    /// Those of `open`, `AlreadyExists` among them.
    ///
    /// # Panics
    /// When polled, if this thread runs no simulation.
    #[track_caller]
    pub fn create_new<P: AsRef<Path>>(path: P) -> impl Future<Output = io::Result<Self>> {
        let place = Location::caller();
        async move { Flags::CREATE_NEW.open(path.as_ref(), place).await }
    }

    /// Options, to open a file in other ways.
    #[must_use]
    pub const fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Makes content and metadata durable, though not the file's name: that is in its directory.
    ///
    /// # Errors
    /// Those of `fsync`.
    #[track_caller]
    pub fn sync_all(&self) -> impl Future<Output = io::Result<()>> {
        self.sync(Location::caller(), false)
    }

    /// Makes content durable, and of the metadata what is needed to read it.
    ///
    /// # Errors
    /// Those of `fdatasync`.
    #[track_caller]
    pub fn sync_data(&self) -> impl Future<Output = io::Result<()>> {
        self.sync(Location::caller(), true)
    }

    async fn sync(&self, place: Place, content_only: bool) -> io::Result<()> {
        let mut inner = self.inner.lock().await;
        inner.complete_inflight().await;
        let fd = self.descriptor.fd;
        let call = Call::Sync { fd, content_only };
        self.descriptor.port.ask(place, call).await?;
        Ok(())
    }

    /// Makes the file longer, by zeros, or shorter.
    ///
    /// # Errors
    /// Those of `ftruncate`.
    #[track_caller]
    pub fn set_len(&self, size: u64) -> impl Future<Output = io::Result<()>> {
        let place = Location::caller();
        async move {
            let mut inner = self.inner.lock().await;
            inner.complete_inflight().await;
            inner.discard(&self.descriptor, place)?;
            let (fd, len) = (self.descriptor.fd, work::length(size)?);
            let call = Call::SetLen { fd, len };
            // Kept in the handle, so that the next call comes after it if this is dropped.
            inner.state =
                State::Seeking(self.descriptor.port.begin(place, call, Persistence::Once)?);
            poll_fn(|cx| inner.poll_seek(cx)).await.map(drop)
        }
    }

    /// What is known of the file.
    ///
    /// # Errors
    /// Those of `fstat`.
    #[track_caller]
    pub fn metadata(&self) -> impl Future<Output = io::Result<Metadata>> {
        let place = Location::caller();
        async move {
            let target = Target::Open(self.descriptor.fd);
            work::metadata(&self.descriptor.port, place, target).await
        }
    }

    /// Another handle of the same open file: they share their place in it.
    ///
    /// # Errors
    /// Those of `dup`.
    #[track_caller]
    pub fn try_clone(&self) -> impl Future<Output = io::Result<Self>> {
        let place = Location::caller();
        async move {
            self.inner.lock().await.complete_inflight().await;
            let mut file = Self::new(self.descriptor.duplicate()?, place);
            file.buffer_max_bytes = self.buffer_max_bytes;
            Ok(file)
        }
    }

    /// Sets the file's permissions.
    ///
    /// # Errors
    /// Those of `fchmod`.
    #[track_caller]
    pub fn set_permissions(&self, perm: Permissions) -> impl Future<Output = io::Result<()>> {
        let place = Location::caller();
        async move {
            let target = Target::Open(self.descriptor.fd);
            let mode = perm.bits();
            let call = Call::SetMode { target, mode };
            self.descriptor.port.ask(place, call).await.map(drop)
        }
    }

    /// Sets the file's times.
    ///
    /// # Errors
    /// Those of `futimens`.
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> impl Future<Output = io::Result<()>> {
        let place = Location::caller();
        async move {
            // A write that comes to its end later would set another time.
            self.inner.lock().await.complete_inflight().await;
            let call = times.call(self.descriptor.fd);
            self.descriptor.port.ask(place, call).await.map(drop)
        }
    }

    /// Sets when the file's content was changed.
    ///
    /// # Errors
    /// Those of `futimens`.
    #[track_caller]
    pub fn set_modified(&self, time: SystemTime) -> impl Future<Output = io::Result<()>> {
        self.set_times(FileTimes::new().set_modified(time))
    }

    /// Reads at a place, whatever the file's own is, and gives the length, which is 0 at the end.
    ///
    /// tokio's handle has no such method; std's `FileExt` does.
    ///
    /// # Errors
    /// Those of `pread`.
    #[track_caller]
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> impl Future<Output = io::Result<usize>> {
        let place = Location::caller();
        async move {
            let call = Call::Read {
                fd: self.descriptor.fd,
                at: Some(offset),
                length: buf.len(),
            };
            let read = bytes(self.descriptor.port.ask(place, call).await?);
            buf[..read.len()].copy_from_slice(&read);
            Ok(read.len())
        }
    }

    /// Writes all of `buf` at a place, whatever the file's own is. It is done when this returns.
    ///
    /// tokio's handle has no such method; std's `FileExt` does.
    ///
    /// # Errors
    /// Those of `pwrite`.
    #[track_caller]
    pub fn write_all_at(&self, buf: &[u8], offset: u64) -> impl Future<Output = io::Result<()>> {
        let place = Location::caller();
        async move { work::write_all(&self.descriptor, place, Some(offset), buf.to_vec()).await }
    }

    /// Sets how many bytes a read or write takes at once, at most.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        assert!(
            max_buf_size > 0,
            "a buffer of no bytes moves nothing: give at least 1"
        );
        self.buffer_max_bytes = max_buf_size;
    }

    /// How many bytes a read or write takes at once, at most.
    #[must_use]
    pub const fn max_buf_size(&self) -> usize {
        self.buffer_max_bytes
    }
}

impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let inner = this.inner.get_mut();
        loop {
            if let State::Idle = inner.state {
                if !inner.unread.is_empty() || dst.remaining() == 0 {
                    inner.unread.give(dst);
                    return Poll::Ready(Ok(()));
                }
                let call = Call::Read {
                    fd: this.descriptor.fd,
                    at: None,
                    length: dst.remaining().min(this.buffer_max_bytes),
                };
                // An interrupted read is done again, as tokio does.
                let home = this.descriptor.port;
                let asking = home.begin(this.opened, call, Persistence::UntilDone)?;
                inner.state = State::Reading(asking);
            }
            match ready!(inner.poll_busy(cx)) {
                Done::Read(result) => {
                    result?;
                    inner.unread.give(dst);
                    return Poll::Ready(Ok(()));
                }
                Done::Written(Err(error)) => inner.last_write_error = Some(error.kind()),
                Done::Nothing | Done::Written(Ok(())) | Done::Sought(_) => {}
            }
        }
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        src: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_ready_to_write(cx))?;
        let taken = src.len().min(this.buffer_max_bytes);
        this.write_behind(src[..taken].to_vec())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_ready_to_write(cx))?;
        let mut taken = Vec::new();
        for buf in bufs {
            let room = this.buffer_max_bytes - taken.len();
            taken.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        this.write_behind(taken)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().inner.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let inner = this.inner.get_mut();
        if !matches!(inner.state, State::Idle) {
            let text = "other file operation is pending, call poll_complete before start_seek";
            return Err(io::Error::other(text));
        }
        inner.discard(&this.descriptor, this.opened)?;
        let call = Call::Seek {
            fd: this.descriptor.fd,
            to: position,
        };
        inner.state = State::Seeking(this.descriptor.port.begin(
            this.opened,
            call,
            Persistence::Once,
        )?);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.get_mut().inner.get_mut().poll_seek(cx)
    }
}

impl File {
    /// Waits for what is under way, and tells of an earlier write that failed.
    fn poll_ready_to_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = self.inner.get_mut();
        if let Some(error) = inner.last_write_error.take() {
            return Poll::Ready(Err(error.into()));
        }
        if let Done::Written(result) = ready!(inner.poll_busy(cx)) {
            result?;
        }
        Poll::Ready(Ok(()))
    }

    /// Begins to write what it was given.
    fn write_behind(&mut self, bytes: Vec<u8>) -> Poll<io::Result<usize>> {
        let length = bytes.len();
        if length > 0 {
            let inner = self.inner.get_mut();
            inner.discard(&self.descriptor, self.opened)?;
            let call = Call::Write {
                fd: self.descriptor.fd,
                at: None,
                bytes,
            };
            let home = self.descriptor.port;
            let asking = home.begin(self.opened, call, Persistence::UntilDone)?;
            inner.state = State::Writing(asking);
        }
        Poll::Ready(Ok(length))
    }
}

/// What came of the operation that was under way.
enum Done {
    /// There was none.
    Nothing,
    Read(io::Result<()>),
    Written(io::Result<()>),
    Sought(io::Result<u64>),
}

impl Inner {
    /// Waits for what is under way.
    fn poll_busy(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        let (State::Reading(asking) | State::Writing(asking) | State::Seeking(asking)) =
            &mut self.state
        else {
            return Poll::Ready(Done::Nothing);
        };
        let reply = ready!(Pin::new(asking).poll(cx));
        let state = std::mem::replace(&mut self.state, State::Idle);
        Poll::Ready(match state {
            State::Idle => unreachable!("it was under way"),
            State::Reading(_) => Done::Read(reply.map(|reply| {
                self.unread = Unread::new(bytes(reply));
            })),
            State::Writing(_) => Done::Written(reply.map(|reply| {
                written(&reply);
            })),
            State::Seeking(_) => {
                let sought = reply.map(|reply| match reply {
                    // tokio says so too when a length was set.
                    Reply::Nothing => 0,
                    reply => place_in_file(&reply),
                });
                if let Ok(position) = sought {
                    self.position = position;
                }
                Done::Sought(sought)
            }
        })
    }

    fn poll_seek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match ready!(self.poll_busy(cx)) {
            Done::Sought(result) => return Poll::Ready(result),
            Done::Written(Err(error)) => self.last_write_error = Some(error.kind()),
            Done::Nothing | Done::Read(_) | Done::Written(Ok(())) => {}
        }
        Poll::Ready(Ok(self.position))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.last_write_error.take() {
            return Poll::Ready(Err(error.into()));
        }
        Poll::Ready(match ready!(self.poll_busy(cx)) {
            Done::Written(result) => result,
            Done::Nothing | Done::Read(_) | Done::Sought(_) => Ok(()),
        })
    }

    /// Waits for what is under way, and keeps an error for the next call that writes.
    async fn complete_inflight(&mut self) {
        if let Err(error) = poll_fn(|cx| self.poll_flush(cx)).await {
            self.last_write_error = Some(error.kind());
        }
    }

    /// Forgets what was read and not taken: the file's place goes back by as much.
    fn discard(&mut self, descriptor: &Descriptor<Home>, place: Place) -> io::Result<()> {
        let unread = self.unread.discard();
        if unread == 0 {
            return Ok(());
        }
        let call = Call::Seek {
            fd: descriptor.fd,
            to: SeekFrom::Current(-unread),
        };
        descriptor.port.call(|world, node| {
            let around = world.around(node, place);
            world.disks.perform(&mut world.base, node, &around, call)
        })?;
        Ok(())
    }
}

impl Unread {
    const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, taken: 0 }
    }

    const fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    fn give(&mut self, dst: &mut ReadBuf<'_>) {
        let length = dst.remaining().min(self.bytes.len() - self.taken);
        dst.put_slice(&self.bytes[self.taken..self.taken + length]);
        self.taken += length;
    }

    /// Forgets what is left, and says how much it was.
    fn discard(&mut self) -> i64 {
        let left = self.bytes.len() - self.taken;
        *self = Self::default();
        i64::try_from(left).expect("a buffer is shorter than 2^63 bytes")
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}
