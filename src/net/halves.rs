//! Halves of a connection, borrowed and owned: the same for each kind of stream.
//!
//! Owns what a half can do. It must never know a kind of stream.

/// The halves of `$Stream`, whose ends have addresses that are `$Address`.
macro_rules! halves {
    ($Stream:ident, $Address:ty) => {
        /// The reading half of a stream, borrowed: from its `split`.
        #[derive(Debug)]
        pub struct ReadHalf<'a>(&'a $Stream);

        /// The writing half of a stream, borrowed: from its `split`.
        #[derive(Debug)]
        pub struct WriteHalf<'a>(&'a $Stream);

        /// The reading half of a stream: from its `into_split`.
        #[derive(Debug)]
        pub struct OwnedReadHalf {
            stream: Arc<$Stream>,
        }

        /// The writing half of a stream: from its `into_split`.
        ///
        /// Dropping it ends what is written; the peer reads to the end.
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            stream: Arc<$Stream>,
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

        pub(super) const fn split(stream: &$Stream) -> (ReadHalf<'_>, WriteHalf<'_>) {
            (ReadHalf(stream), WriteHalf(stream))
        }

        pub(super) fn into_split(stream: $Stream) -> (OwnedReadHalf, OwnedWriteHalf) {
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

        fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<$Stream, ReuniteError> {
            if !Arc::ptr_eq(&read.stream, &write.stream) {
                return Err(ReuniteError(read, write));
            }
            write.forget();
            Ok(Arc::into_inner(read.stream)
                .expect("a stream has two halves, and this was the last"))
        }

        impl OwnedReadHalf {
            /// Puts the stream together again.
            ///
            /// # Errors
            /// If the halves are not of one stream.
            ///
            /// # Panics
            /// Never: a stream has exactly two halves.
            pub fn reunite(self, other: OwnedWriteHalf) -> Result<$Stream, ReuniteError> {
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
            pub fn reunite(self, other: OwnedReadHalf) -> Result<$Stream, ReuniteError> {
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

        $crate::net::halves::read_half!(ReadHalf<'_>, $Stream, $Address, |self| self.0);
        $crate::net::halves::read_half!(OwnedReadHalf, $Stream, $Address, |self| &self.stream);
        $crate::net::halves::write_half!(WriteHalf<'_>, $Stream, $Address, |self| self.0);
        $crate::net::halves::write_half!(OwnedWriteHalf, $Stream, $Address, |self| &self.stream);
    };
}

/// The reading side of a half; `$stream` finds the stream in it.
macro_rules! read_half {
    ($half:ty, $Stream:ty, $Address:ty, |$self:ident| $stream:expr) => {
        impl $half {
            fn stream(&$self) -> &$Stream {
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
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.stream().try_read_vectored(bufs)
            }

            /// Reads without waiting, behind what is in the buffer.
            ///
            /// # Errors
            /// `WouldBlock`, and those of reading.
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.stream().try_read_buf(buf)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// Those of the stream.
            pub fn peer_addr(&self) -> io::Result<$Address> {
                self.stream().peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// If the node has ended.
            pub fn local_addr(&self) -> io::Result<$Address> {
                self.stream().local_addr()
            }
        }

        impl AsRef<$Stream> for $half {
            fn as_ref(&$self) -> &$Stream {
                $stream
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
    ($half:ty, $Stream:ty, $Address:ty, |$self:ident| $stream:expr) => {
        impl $half {
            fn stream(&$self) -> &$Stream {
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
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.stream().try_write_vectored(bufs)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// Those of the stream.
            pub fn peer_addr(&self) -> io::Result<$Address> {
                self.stream().peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// If the node has ended.
            pub fn local_addr(&self) -> io::Result<$Address> {
                self.stream().local_addr()
            }
        }

        impl AsRef<$Stream> for $half {
            fn as_ref(&$self) -> &$Stream {
                $stream
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
                bufs: &[IoSlice<'_>],
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

pub(super) use {halves, read_half, write_half};
