//! What an open end does when nothing is under way: it asks whether the peer is still there, and
//! when no program holds it any more it does not wait for ever for the peer to end.
//!
//! Owns the timer of an open end. It is set once, and looks when it fires at what was heard
//! meanwhile: a busy connection costs no event for it.
//!
//! Source: `tcp_keepalive_timer` of Linux, which is both of these there too.

use core::time::Duration;

use super::connection::{EndId, Owner, State};
use super::filter::Kinds;
use super::wire::{Passage, Start};
use super::{Effects, Fabric, NetEvent};
use crate::kernel::{Family, Kind, SimTime};

/// How long a connection is quiet before its peer is asked. Linux: net.ipv4.tcp_keepalive_time.
const KEEPALIVE_TIME: Duration = Duration::from_secs(7_200);
/// How long an answer is waited for. Linux: net.ipv4.tcp_keepalive_intvl.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(75);
/// How often the peer is asked before it is dead. Linux: net.ipv4.tcp_keepalive_probes.
const KEEPALIVE_PROBES: u32 = 9;
/// How long an end that no program holds waits for the peer's end. Linux:
/// net.ipv4.tcp_fin_timeout.
const FIN_TIMEOUT: Duration = Duration::from_secs(60);

impl Fabric {
    /// The timer of an end fires.
    pub(super) fn on_timer<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let end = connection.end_mut(id.side);
        end.timer = None;
        match (end.state, end.owner) {
            (State::Asking | State::Answering, _) => self.ask_or_answer_again(fx, id),
            (State::Open, Owner::Nobody) => self.give_up_orphan(fx, id),
            (State::Open, _) => self.probe_if_quiet(fx, id),
            (State::Void | State::Dead, _) => {}
        }
    }

    /// A connection is open at this end: its handshake needs no timer any more.
    pub(super) fn open_end<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let end = connection.end_mut(id.side);
        end.state = State::Open;
        end.attempts = 0;
        end.heard_at = fx.now();
        if let Some(timer) = end.timer.take() {
            fx.cancel(timer);
        }
        if end.options.keepalive {
            self.set_timer(fx, id, fx.now().saturating_add(KEEPALIVE_TIME));
        }
    }

    fn set_timer<F: Effects>(&mut self, fx: &mut F, id: EndId, at: SimTime) {
        if let Some(connection) = self.connections.get_mut(id.connection) {
            let timer = fx.schedule(at, NetEvent::Timer { end: id });
            connection.end_mut(id.side).timer = Some(timer);
        }
    }

    /// Asks the peer for a sign of life if there was none for long, and gives the connection up
    /// when it has been asked often enough.
    fn probe_if_quiet<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let (end, pipe) = connection.sending(id.side);
        pipe.learn(fx.now());
        let quiet = fx.now().saturating_since(end.heard_at.max(pipe.heard_at));
        let wait = if !pipe.is_at_rest() {
            // What is sent again finds out.
            KEEPALIVE_TIME
        } else if quiet < KEEPALIVE_TIME {
            end.attempts = 0;
            KEEPALIVE_TIME - quiet
        } else if end.attempts == KEEPALIVE_PROBES {
            fx.record(Kind::StreamTimedOut, end.node, id.subject(), 0, &[]);
            self.count_silence(id);
            self.send_reset(fx, id);
            self.die(fx, id, Some(libc::ETIMEDOUT));
            return;
        } else {
            end.attempts += 1;
            self.probe(fx, id);
            KEEPALIVE_INTERVAL
        };
        self.set_timer(fx, id, fx.now().saturating_add(wait));
    }

    fn probe<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let event = NetEvent::Probe { sender };
        let freight = (Kinds::of_event(event), 0);
        if let Passage::Lost(family) = self.send_bytes(fx, sender, freight, Start::AT_ONCE, event) {
            self.count_unheard(sender, family);
        }
    }

    /// The peer of `sender` is asked for a sign of life.
    pub(super) fn on_probe<F: Effects>(&mut self, fx: &mut F, sender: EndId) {
        let receiver = sender.other();
        let Some(connection) = self.connections.get(sender.connection) else {
            return;
        };
        let (from, to) = connection.way_of(sender.side);
        if self.wire.blocks(from, to) {
            self.count_unheard(sender, Family::Partition);
            return;
        }
        if !self.host(to).up {
            return;
        }
        match self.state_of(receiver) {
            State::Void | State::Asking | State::Dead => {
                self.send_reset(fx, receiver);
                return;
            }
            State::Answering => self.enqueue(fx, receiver),
            State::Open => {}
        }
        if let Some(connection) = self.connections.get_mut(sender.connection) {
            connection.end_mut(receiver.side).heard_at = fx.now();
        }
        self.acknowledge(fx, sender);
    }

    /// An end that no program holds, and whose own end has arrived, waits for the peer's, but not
    /// for ever.
    pub(super) fn await_end<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let ended = connection.pipe(id.side.other()).is_finished();
        let (end, pipe) = connection.sending(id.side);
        let waits = end.owner == Owner::Nobody && end.state == State::Open;
        if !waits || ended || !pipe.is_finished() {
            return;
        }
        if let Some(timer) = end.timer.take() {
            fx.cancel(timer);
        }
        let from = pipe.last_news().unwrap_or_default().max(fx.now());
        self.set_timer(fx, id, from.saturating_add(FIN_TIMEOUT));
    }

    /// An end that no program holds has waited long enough for the peer's.
    fn give_up_orphan<F: Effects>(&mut self, fx: &mut F, id: EndId) {
        let Some(connection) = self.connections.get_mut(id.connection) else {
            return;
        };
        let pipe = connection.pipe_mut(id.side);
        pipe.learn(fx.now());
        if pipe.is_end_acknowledged() {
            self.die(fx, id, None);
        } else if pipe.is_finished() {
            // What is sent again finds out.
            self.set_timer(fx, id, fx.now().saturating_add(FIN_TIMEOUT));
        }
    }
}
