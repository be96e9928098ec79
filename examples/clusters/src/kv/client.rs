//! The client: asks the primary, and asks again under the same number until it is answered.

use std::fmt;
use std::io;
use std::time::Duration;

use stormglass::net::TcpStream;
use stormglass::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use stormglass::rand;
use stormglass::time::{sleep, timeout};

use super::bug::Bug;
use super::frame::{FrameReader, write_frame};
use super::message::{Action, Answer, Reply, Request};
use super::primary_server::CLIENT_PORT;

/// A client of the store, with one request at a time.
pub struct Client {
    id: u32,
    primary: String,
    /// The number of the latest request.
    number: u64,
    connection: Option<Connection>,
    bug: Option<Bug>,
}

struct Connection {
    reader: FrameReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// It was sent, and nothing was heard of it: it has had its effect, or will have it, or not.
    Unknown,
    /// It never left, or was refused: it will have no effect.
    NotDone,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no answer: it may have been done",
            Self::NotDone => "not done",
        })
    }
}

impl std::error::Error for Unanswered {}

/// How long one attempt may take: several times what a healthy cluster needs.
const ATTEMPT_MAX: Duration = Duration::from_millis(300);
/// How often a request is tried.
const ATTEMPTS: u32 = 8;
/// Pause between attempts, with jitter so that clients do not come back all at once.
const RETRY_AFTER: Duration = Duration::from_millis(10);
const RETRY_SPREAD_US: u64 = 90_000;

impl Client {
    /// A client that asks the node of this host name. No two clients may have the same `id`, ever:
    /// sessions are known by it.
    #[must_use]
    pub fn new(id: u32, primary: impl Into<String>, bug: Option<Bug>) -> Self {
        Self {
            id,
            primary: primary.into(),
            number: 0,
            connection: None,
            bug,
        }
    }

    /// Gets what a key holds, or for a put what it held before.
    ///
    /// # Errors
    /// If there is no answer after several attempts.
    pub async fn ask(&mut self, action: Action) -> Result<Option<String>, Unanswered> {
        self.number += 1;
        let request = Request {
            client: self.id,
            number: self.number,
            action,
        };
        let mut outcome = Unanswered::NotDone;
        for _ in 0..ATTEMPTS {
            let mut sent = false;
            match timeout(ATTEMPT_MAX, self.attempt(&request, &mut sent)).await {
                Ok(Ok(Answer::Held(held))) => return Ok(held),
                Ok(Ok(Answer::NotReady)) => {}
                attempt @ (Ok(Err(_)) | Err(_)) => {
                    // An answer that comes later would be taken for that of the next attempt.
                    if attempt.is_ok() || self.bug != Some(Bug::LateAnswer) {
                        self.connection = None;
                    }
                    if sent && self.bug != Some(Bug::TimeoutIsFailure) {
                        outcome = Unanswered::Unknown;
                    }
                }
            }
            sleep(RETRY_AFTER + Duration::from_micros(rand::below(RETRY_SPREAD_US))).await;
        }
        Err(outcome)
    }

    /// Asks once. `sent` becomes true before the first byte leaves.
    async fn attempt(&mut self, request: &Request, sent: &mut bool) -> io::Result<Answer> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect((self.primary.as_str(), CLIENT_PORT)).await?;
                let (reader, writer) = stream.into_split();
                none.insert(Connection {
                    reader: FrameReader::new(reader),
                    writer,
                })
            }
        };
        *sent = true;
        write_frame(&mut connection.writer, request).await?;
        let reply: Reply = connection.reader.next().await?;
        if reply.number != request.number && self.bug != Some(Bug::LateAnswer) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an answer to something else",
            ));
        }
        Ok(reply.answer)
    }
}
