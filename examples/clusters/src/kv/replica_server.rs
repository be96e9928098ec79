//! The program of a replica: a listener around the state machine.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use stormglass::net::{TcpListener, TcpStream};
use stormglass::sync::Mutex;
use stormglass::task;
use stormglass::time::timeout;

use super::frame::{FrameReader, write_frame};
use super::nvram::Nvram;
use super::primary_server::REPLICA_PORT;
use super::replica::Replica;

/// A primary that says nothing for so long is gone. It may be: the connection of one that lost
/// power stays open at this end.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Runs a replica.
///
/// # Errors
/// If it cannot listen.
pub async fn serve_replica(nvram: Nvram) -> io::Result<()> {
    let replica = Arc::new(Mutex::new(Replica::new(nvram.read())));
    let listener = TcpListener::bind(("0.0.0.0", REPLICA_PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        task::spawn(converse(stream, replica.clone(), nvram.clone()));
    }
}

/// One connection of a primary, until it fails.
async fn converse(stream: TcpStream, replica: Arc<Mutex<Replica>>, nvram: Nvram) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = FrameReader::new(reader);
    loop {
        let message = timeout(SILENCE_MAX, reader.next()).await??;
        // Held until the write is done: another connection must neither overtake it in the memory
        // that survives, nor tell of what is not there yet.
        let mut held = replica.lock().await;
        let Some((write, answer)) = held.handle(message) else {
            return Ok(());
        };
        nvram.write(write).await;
        drop(held);
        timeout(SILENCE_MAX, write_frame(&mut writer, &answer)).await??;
    }
}
