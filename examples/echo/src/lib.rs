//! An echo service, written once for real sockets and for the simulation.
//!
//! It says `stormglass::net` where another program says `tokio::net`. Built for production that is
//! tokio, with nothing in between; built for its tests it is the simulation.

use std::io;
use std::time::Duration;

use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::net::{TcpListener, TcpStream};
use stormglass::time::{sleep, timeout};
use stormglass::{rand, select, task, try_join};

/// A connection on which nothing is said for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How often a call is tried, and how long each attempt may take.
const ATTEMPTS: u32 = 10;
const ATTEMPT_MAX: Duration = Duration::from_millis(500);
/// Pause between attempts, at most.
const RETRY_SPREAD_MS: u64 = 200;

/// Sends back whatever arrives, on each connection.
///
/// # Errors
/// If no connection can be accepted any more.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        task::spawn(converse(stream));
    }
}

/// One connection, until its other side has ended it, or it fails, or it is idle.
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let length = select! {
            read = stream.read(&mut buffer) => read?,
            () = sleep(IDLE_MAX) => return Ok(()),
        };
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

/// Sends `text` and gives what comes back. A call that fails is tried again, several times.
///
/// # Errors
/// The error of the last attempt.
pub async fn call(address: &str, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut last = io::ErrorKind::TimedOut.into();
    for _ in 0..ATTEMPTS {
        match timeout(ATTEMPT_MAX, attempt(address, text)).await {
            Ok(Ok(echo)) => return Ok(echo),
            Ok(Err(error)) => last = error,
            Err(elapsed) => last = elapsed.into(),
        }
        sleep(Duration::from_millis(rand::below(RETRY_SPREAD_MS))).await;
    }
    Err(last)
}

async fn attempt(address: &str, text: &[u8]) -> io::Result<Vec<u8>> {
    let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
    let mut echo = Vec::new();
    // Both at once: a long text comes back before all of it has left.
    let send = async {
        writer.write_all(text).await?;
        writer.shutdown().await
    };
    try_join!(send, reader.read_to_end(&mut echo))?;
    if echo.len() < text.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(echo)
}
