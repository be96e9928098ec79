//! The programs of the conformance suite. Included twice, with tokio's sockets and with ours, so
//! that each call can be compared.
//!
//! A case is one task: its order is the order of the text. It waits for what it needs with
//! readiness, and where there is nothing to wait for [`settle`](Stage::settle)s.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::{
    AsyncReadExt, AsyncWriteExt, Interest, Log, OwnedReadHalf, OwnedWriteHalf, Place, TcpListener,
    TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, bytes, join,
    quiet_port, remove_file, shown, sleep, timeout,
};

pub(crate) mod accept;
pub(crate) mod bind;
pub(crate) mod close;
pub(crate) mod connect;
pub(crate) mod many;
pub(crate) mod ready;
pub(crate) mod reset;
pub(crate) mod transfer;
pub(crate) mod udp;
pub(crate) mod unix_datagram;
pub(crate) mod unix_stream;

/// One program.
pub(crate) type Case = fn(Rc<Stage>) -> Pin<Box<dyn Future<Output = ()>>>;

/// What a case is given: its two sides, and where it notes what its calls gave.
pub(crate) struct Stage {
    pub(super) server: Place,
    pub(super) client: Place,
    /// A directory of its own.
    pub(super) directory: PathBuf,
    pub(super) log: Log,
}

impl Stage {
    /// Notes what a call gave.
    fn put<T: Debug>(&self, call: &str, result: io::Result<T>) -> Option<T> {
        self.log.line(format!("{call} -> {}", shown(&result)));
        result.ok()
    }

    /// Notes whether a call that makes something succeeded.
    fn made<T>(&self, call: &str, result: io::Result<T>) -> Option<T> {
        let (made, result) = match result {
            Ok(made) => (Some(made), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.put(call, result);
        made
    }

    /// Notes what is so.
    fn note(&self, what: &str, value: impl Debug) {
        self.log.line(format!("{what}: {value:?}"));
    }

    /// Notes whether a call waits, or what it gives.
    async fn waits<T: Debug>(&self, call: &str, result: impl Future<Output = io::Result<T>>) {
        match timeout(SHORT, result).await {
            Ok(result) => {
                self.put(call, result);
            }
            Err(_) => self.log.line(format!("{call} waits")),
        }
    }

    /// A path in the case's own directory.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A name of a Unix socket that is no path, and that no other case has.
    fn abstract_name(&self, name: &str) -> PathBuf {
        format!("\0{}", self.path(name).display()).into()
    }

    /// Lets everything arrive that is under way.
    async fn settle(&self) {
        sleep(SHORT).await;
    }

    /// Listens at the server's address.
    async fn listen(&self) -> (TcpListener, SocketAddr) {
        self.listen_at((self.server.v4, 0).into()).await
    }

    /// Listens at an address of the server.
    async fn listen_at(&self, address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = self.server.make(TcpListener::bind(address)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Connects from the client.
    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        self.client.make(TcpStream::connect(to)).await
    }

    /// A connection: the client's end and the server's.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let (listener, address) = self.listen().await;
        self.pair_with(&listener, address).await
    }

    /// A connection made with a listener.
    async fn pair_with(
        &self,
        listener: &TcpListener,
        address: SocketAddr,
    ) -> (TcpStream, TcpStream) {
        let client = self.connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, server)
    }

    /// A socket of the server that is bound and does not listen: it keeps its port from others.
    async fn bound(&self) -> (TcpSocket, SocketAddr) {
        let at = SocketAddr::new(self.server.v4, 0);
        let bind = async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(at)?;
            io::Result::Ok(socket)
        };
        let socket = self.server.make(bind).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// Reads once, up to so many bytes.
    async fn read(&self, call: &str, stream: &mut (impl AsyncReadExt + Unpin), size: usize) {
        let mut buffer = vec![0; size];
        let result = stream.read(&mut buffer).await;
        self.put(call, result.map(|length| bytes(&buffer[..length])));
    }

    /// Reads to the end.
    async fn read_rest(&self, call: &str, stream: &mut (impl AsyncReadExt + Unpin)) {
        let mut data = Vec::new();
        let result = stream.read_to_end(&mut data).await;
        self.put(call, result.map(|_| bytes(&data)));
        if !data.is_empty() {
            self.note(call, bytes(&data));
        }
    }

    /// Writes once.
    async fn write(&self, call: &str, stream: &mut (impl AsyncWriteExt + Unpin), data: &[u8]) {
        let result = stream.write(data).await;
        self.put(call, result);
    }

    /// Writes until there is no room left, here and at the peer.
    async fn fill(&self, stream: &TcpStream) {
        let data = vec![b'a'; 100_000];
        for _ in 0..3 {
            while stream.try_write(&data).is_ok() {}
            self.settle().await;
        }
    }

    /// Reads once without waiting.
    fn try_read(&self, call: &str, stream: &TcpStream, size: usize) {
        let mut buffer = vec![0; size];
        let result = stream.try_read(&mut buffer);
        self.put(call, result.map(|length| bytes(&buffer[..length])));
    }
}

/// Longer than anything takes to arrive, here and there.
const SHORT: Duration = Duration::from_millis(20);
