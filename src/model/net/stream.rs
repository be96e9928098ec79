//! Streams as programs use them: writing, reading, ending, closing.
//!
//! Owns what a call gives in each state of a connection. It must never know how bytes travel.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use super::connection::{Connection, End, EndId, Owner, Side, State};
use super::mangle::Call;
use super::mutant::{self, Mutant};
use super::options::Options;
use super::{Answer, Death, Effects, Fabric, os_error};
use crate::kernel::{Kind, NodeId};

/// What is ready at a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A read would not wait.
    pub(crate) readable: bool,
    /// A write would not wait.
    pub(crate) writable: bool,
    /// Nothing more comes.
    pub(crate) read_closed: bool,
    /// Nothing more comes or can be written, or the connection failed.
    pub(crate) write_closed: bool,
    /// It failed.
    pub(crate) error: bool,
}

impl Fabric {
    /// Writes to a stream: how many bytes were accepted, at least one if there are any. Waits for
    /// room.
    ///
    /// # Errors
    /// `EPIPE` after the stream was shut down or the connection ended; what ended it, once:
    /// `ECONNRESET`, `ETIMEDOUT`; `ENOTCONN`, `EBADF`.
    pub(crate) fn write<F: Effects>(
        &mut self,
        fx: &mut F,
        id: EndId,
        data: &[u8],
    ) -> io::Result<Answer<usize>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let way = connection.way_of(id.side);
        let (end, pipe) = connection.sending(id.side);
        if let Some(error) = end.error.take() {
            let hidden = mutant::is(Mutant::ResetWritesAsPipe);
            return Err(os_error(if hidden { libc::EPIPE } else { error }));
        }
        match end.state {
            State::Open if !pipe.is_closed() => {}
            State::Open if mutant::is(Mutant::WriteAfterShutdownAllowed) => {
                return Ok(Answer::Done(data.len()));
            }
            State::Asking => return Err(os_error(libc::ENOTCONN)),
            State::Open | State::Void | State::Answering | State::Dead => {
                return Err(os_error(libc::EPIPE));
            }
        }
        pipe.learn(fx.now());
        let offered = match data.len() {
            length if mutant::is(Mutant::WriteIsHalved) => length.div_ceil(2),
            length => length,
        };
        let room = usize::try_from(pipe.free()).unwrap_or(usize::MAX);
        let accepted = (self.wire).shortened(fx, Call::Write, way, offered.min(room));
        let accepted = pipe.write(&data[..accepted]);
        if accepted == 0 && !data.is_empty() {
            let answer = wait_for_room(end);
            self.watch_news(fx, id);
            return Ok(answer);
        }
        let data = &data[..accepted];
        fx.record(
            Kind::StreamSent,
            end.node,
            id.subject(),
            accepted as u64,
            data,
        );
        self.transmit(fx, id);
        Ok(Answer::Done(accepted))
    }

    /// Reads from a stream: how many bytes, 0 at its end. Waits for the first.
    ///
    /// # Errors
    /// What ended the connection, once, after what had arrived before: `ECONNRESET`, `ETIMEDOUT`;
    /// `ENOTCONN`, `EBADF`.
    pub(crate) fn read<F: Effects>(
        &mut self,
        fx: &mut F,
        id: EndId,
        buffer: &mut [u8],
    ) -> io::Result<Answer<usize>> {
        let answer = self.look(id, buffer)?;
        let Answer::Done(length @ 1..) = answer else {
            return Ok(answer);
        };
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let way = connection.way_of(id.side.other());
        let length = self.wire.shortened(fx, Call::Read, way, length);
        let open = connection.end(id.side).state == State::Open;
        let incoming = connection.pipe_mut(id.side.other());
        let is_corrupt = !incoming.corrupt.is_empty();
        let tells = incoming.consume(length) && open && !mutant::is(Mutant::WindowUpdateNotSent);
        if is_corrupt {
            self.count_corrupt(id.other());
        }
        if tells {
            self.acknowledge(fx, id.other());
        }
        Ok(Answer::Done(length))
    }

    /// Like [`read`](Self::read), but what is read stays.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub(crate) fn peek(&mut self, id: EndId, buffer: &mut [u8]) -> io::Result<Answer<usize>> {
        let answer = self.look(id, buffer)?;
        if let Answer::Done(length) = answer
            && mutant::is(Mutant::PeekConsumes)
        {
            let connection = held(self.connections.get_mut(id.connection), id)?;
            connection.pipe_mut(id.side.other()).consume(length);
        }
        Ok(answer)
    }

    fn look(&mut self, id: EndId, buffer: &mut [u8]) -> io::Result<Answer<usize>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let ended = connection.pipe(id.side).is_closed();
        let incoming = connection.pipe(id.side.other());
        let length = incoming.peek(buffer);
        // A read into no space waits as any other, as on Linux.
        let mut ready = incoming.readable() > 0 || incoming.is_finished();
        if mutant::is(Mutant::EmptyReadNeverWaits) && buffer.is_empty()
            || mutant::is(Mutant::HalfCloseClosesBoth) && ended
            || mutant::is(Mutant::EndBeforeData) && incoming.is_finished()
        {
            return Ok(Answer::Done(0));
        }
        let end = connection.end_mut(id.side);
        if mutant::is(Mutant::ResetBeforeData) && end.error.is_some() {
            ready = false;
        }
        if ready {
            return Ok(Answer::Done(length));
        }
        let error = match end.error {
            error if mutant::is(Mutant::ErrorStays) => error,
            _ => end.error.take(),
        };
        if let Some(error) = error {
            return Err(os_error(error));
        }
        match (end.state, &mut end.arrival) {
            (State::Asking, _) => Err(os_error(libc::ENOTCONN)),
            (State::Open, Some(signal)) => Ok(signal.wait()),
            _ => Ok(Answer::Done(0)),
        }
    }

    /// What is ready at an end, as the operating system tells it.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn readiness<F: Effects>(&mut self, fx: &F, id: EndId) -> io::Result<Readiness> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let incoming = connection.pipe(id.side.other());
        let (bytes, ended) = (incoming.readable() > 0, incoming.is_finished());
        let (end, pipe) = connection.sending(id.side);
        pipe.learn(fx.now());
        let dead = end.state == State::Dead;
        let nothing_more = ended && !mutant::is(Mutant::EndNotReady) || dead;
        let (closed, open) = (pipe.is_closed() || dead, end.state == State::Open);
        let writable = closed || open && pipe.free() > 0;
        Ok(Readiness {
            readable: bytes || ended || dead,
            writable,
            read_closed: nothing_more,
            write_closed: nothing_more && closed || writable && end.failed,
            error: end.failed && !mutant::is(Mutant::ErrorNotReady),
        })
    }

    /// Waits for what comes next: bytes, the end, a failure.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn arrival(&mut self, id: EndId) -> io::Result<Answer<()>> {
        let arrival = &mut self.held_mut(id)?.arrival;
        Ok(arrival.as_mut().expect("a program holds the end").wait())
    }

    /// Waits until a read would not wait.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn readable(&mut self, id: EndId) -> io::Result<Answer<()>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let incoming = connection.pipe(id.side.other());
        let ready = incoming.readable() > 0 || incoming.is_finished();
        let end = connection.end_mut(id.side);
        Ok(match &mut end.arrival {
            Some(signal) if !ready && end.state == State::Open => signal.wait(),
            _ => Answer::Done(()),
        })
    }

    /// Waits until a write would not wait.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn writable<F: Effects>(&mut self, fx: &mut F, id: EndId) -> io::Result<Answer<()>> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let (end, pipe) = connection.sending(id.side);
        pipe.learn(fx.now());
        if end.state != State::Open || pipe.is_closed() || pipe.free() > 0 {
            return Ok(Answer::Done(()));
        }
        let answer = wait_for_room(end);
        self.watch_news(fx, id);
        Ok(answer)
    }

    /// Ends the direction that this end sends, behind what was written.
    ///
    /// # Errors
    /// `ENOTCONN` if the connection ended, `EBADF`.
    pub(crate) fn shutdown<F: Effects>(&mut self, fx: &mut F, id: EndId) -> io::Result<()> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let ended = connection.pipe(id.side.other()).is_finished();
        let (end, pipe) = connection.sending(id.side);
        pipe.learn(fx.now());
        if end.state != State::Open || ended && pipe.is_end_acknowledged() {
            return Err(os_error(libc::ENOTCONN));
        }
        if mutant::is(Mutant::FinLost) {
            return Ok(());
        }
        end.closed_first |= !ended && !pipe.is_closed();
        pipe.finish();
        self.transmit(fx, id);
        Ok(())
    }

    /// The program lets an end go; nothing happens if it did before. What was written is still
    /// sent, unless something unread is thrown away or the end lingers for no time: then the peer
    /// is sent a reset.
    pub(crate) fn close<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Ok(connection) = held(self.connections.get_mut(id.connection), id) else {
            return;
        };
        let unread = connection.pipe(id.side.other()).readable() > 0;
        let ended = connection.pipe(id.side.other()).is_finished();
        let (end, pipe) = connection.sending(id.side);
        end.let_go(fx);
        end.closed_first |= !ended && !pipe.is_closed();
        end.closed_first &= !mutant::is(Mutant::NoTimeWait);
        let (bound, state) = (end.bound.take(), end.state);
        let abort = unread && !mutant::is(Mutant::NoResetOnUnreadData)
            || end.options.linger == Some(Duration::ZERO) && !mutant::is(Mutant::LingerIgnored);
        if state == State::Open && !abort && !mutant::is(Mutant::CloseIsSilent) {
            pipe.finish();
        }
        if let Some(bound) = bound {
            self.close_socket(bound);
        }
        match state {
            State::Open if abort => self.abort(fx, id),
            State::Open => {
                self.transmit(fx, id);
                self.end_if_finished(fx, id);
                self.await_end(fx, id);
            }
            State::Void | State::Asking | State::Answering | State::Dead => {
                self.die(fx, id, None);
            }
        }
    }

    /// The address of an end.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn local(&mut self, id: EndId) -> io::Result<SocketAddr> {
        Ok(self.held_mut(id)?.local)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN` if the connection ended, `EBADF`.
    pub(crate) fn peer<F: Effects>(&mut self, fx: &F, id: EndId) -> io::Result<SocketAddr> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        let ended = connection.pipe(id.side.other()).is_finished();
        let (end, pipe) = connection.sending(id.side);
        pipe.learn(fx.now());
        let over = end.state == State::Dead || ended && pipe.is_end_acknowledged();
        if over && !mutant::is(Mutant::PeerAfterTheEnd) {
            Err(os_error(libc::ENOTCONN))
        } else {
            Ok(end.peer)
        }
    }

    /// What ended the connection, once, if nothing has told it yet.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn stream_error(&mut self, id: EndId) -> io::Result<Option<i32>> {
        Ok(self.held_mut(id)?.error.take())
    }

    /// The options of an end.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn options(&mut self, id: EndId) -> io::Result<&mut Options> {
        Ok(&mut self.held_mut(id)?.options)
    }

    /// Switches Nagle's algorithm off, and then sends what it held back, or on.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn set_nodelay<F: Effects>(
        &mut self,
        fx: &mut F,
        id: EndId,
        nodelay: bool,
    ) -> io::Result<()> {
        let end = self.held_mut(id)?;
        end.options.nodelay = nodelay;
        if nodelay && end.state == State::Open {
            self.transmit(fx, id);
        }
        Ok(())
    }

    pub(super) fn held_mut(&mut self, id: EndId) -> io::Result<&mut End> {
        let connection = held(self.connections.get_mut(id.connection), id)?;
        Ok(connection.end_mut(id.side))
    }

    pub(super) fn close_streams_of<F: Effects>(&mut self, fx: &mut F, node: NodeId, how: Death) {
        let here = |connection: &Connection| {
            Side::BOTH
                .iter()
                .any(|side| connection.end(*side).node == node)
        };
        for connection in self.connections.ids_where(here) {
            for side in Side::BOTH {
                let Some(entry) = self.connections.get(connection) else {
                    continue;
                };
                if entry.end(side).node == node {
                    let side = match side {
                        Side::Client => entry.asking_side(),
                        Side::Server | Side::Alone => side,
                    };
                    let id = EndId { connection, side };
                    match how {
                        Death::Kill => self.close(fx, id),
                        Death::Crash => self.lose_power(fx, id),
                    }
                }
            }
        }
    }

    /// An end is forgotten together with its host.
    fn lose_power<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        if let Some(connection) = self.connections.get_mut(id.connection) {
            connection.end_mut(id.side).let_go(fx);
            self.die(fx, id, None);
        }
    }
}

/// The connection of an end that a program holds.
fn held(connection: Option<&mut Connection>, id: EndId) -> io::Result<&mut Connection> {
    connection
        .filter(|connection| connection.end(id.side).owner == Owner::Program)
        .ok_or_else(|| os_error(libc::EBADF))
}

fn wait_for_room<T>(end: &mut End) -> Answer<T> {
    end.room.as_mut().expect("a program holds the end").wait()
}
