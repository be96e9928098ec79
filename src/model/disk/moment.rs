//! The moment at which a call happens, and what the trace says of it.

use std::io;

use super::Around;
use super::atlas::Atlas;
use super::call::{Call, Fd, Reply};
use super::device::{Device, World};
use super::queue::Effects;
use crate::kernel::{Kind, NodeId};

/// What surrounds a call when it happens.
pub(super) struct Moment<'a, F> {
    pub(super) fx: &'a mut F,
    pub(super) node: NodeId,
    pub(super) around: Around,
    /// The number of the first change that came after the call was asked for.
    pub(super) before: u64,
    pub(super) atlas: &'a mut Atlas,
}

impl<F: Effects> Moment<'_, F> {
    /// Carries out a call, and notes in the trace what came of it.
    pub(super) fn perform(&mut self, device: &mut Device, call: Call) -> io::Result<Reply> {
        let subject = call.subject();
        match call {
            Call::Write { fd, at, bytes } => self.write(device, fd, at, &bytes).map(Reply::Written),
            Call::Sync { fd, content_only } => {
                let before = self.before;
                let synced = device.sync_before(&mut self.world(), fd, content_only, before);
                self.note(subject, synced.map(|()| Reply::Nothing))
            }
            call => {
                let reply = device.perform(&mut self.world(), call);
                self.note(subject, reply)
            }
        }
    }

    /// As [`perform`](Self::perform), and gives what is left to do if the call was interrupted or
    /// fell short.
    pub(super) fn perform_again(
        &mut self,
        device: &mut Device,
        call: Call,
    ) -> (io::Result<Reply>, Option<Call>) {
        let Call::Write { fd, at, mut bytes } = call else {
            let again = call.clone();
            let reply = self.perform(device, call);
            let interrupted = is_interrupted(&reply);
            return (reply, interrupted.then_some(again));
        };
        let written = self.write(device, fd, at, &bytes);
        if is_interrupted(&written) {
            return (
                written.map(Reply::Written),
                Some(Call::Write { fd, at, bytes }),
            );
        }
        match written {
            Ok(length) if length > 0 && length < bytes.len() => {
                bytes.drain(..length);
                let at = at.map(|at| at + length as u64);
                let rest = Call::Write { fd, at, bytes };
                (Ok(Reply::Written(length)), Some(rest))
            }
            // std's `write_all` calls that an error of this kind.
            Ok(0) if !bytes.is_empty() => (Err(io::ErrorKind::WriteZero.into()), None),
            other => (other.map(Reply::Written), None),
        }
    }

    fn write(
        &mut self,
        device: &mut Device,
        fd: Fd,
        at: Option<u64>,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let written = device.write(&mut self.world(), fd, at, bytes);
        let (subject, value) = (fd.0.into(), written.as_ref().map(|length| *length as u64));
        self.record(subject, value, bytes);
        written
    }

    fn world(&mut self) -> World<'_> {
        World {
            around: self.around,
            node: self.node,
            choices: self.fx.choices(),
            atlas: self.atlas,
        }
    }

    /// Adds to the trace what a program is told.
    fn note(&mut self, subject: u64, reply: io::Result<Reply>) -> io::Result<Reply> {
        match &reply {
            Ok(reply) => {
                let (value, payload) = result_of(reply);
                self.record(subject, Ok(value), payload);
            }
            Err(error) => self.record(subject, Err(error), &[]),
        }
        reply
    }

    fn record(&mut self, subject: u64, value: Result<u64, &io::Error>, payload: &[u8]) {
        match value {
            Ok(value) => {
                self.fx
                    .record(Kind::DiskCall, self.node, subject, value, payload);
            }
            Err(error) => {
                let code = error.raw_os_error().unwrap_or(0);
                let code = u64::from(code.unsigned_abs());
                self.fx
                    .record(Kind::CallFailed, self.node, subject, code, &[]);
            }
        }
    }
}

fn is_interrupted<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}

/// What a reply says, as a number and bytes.
fn result_of(reply: &Reply) -> (u64, &[u8]) {
    match reply {
        Reply::Nothing => (0, &[]),
        Reply::Opened(fd) => (fd.0.into(), &[]),
        Reply::Bytes(bytes) => (bytes.len() as u64, bytes),
        Reply::Written(length) => (*length as u64, &[]),
        Reply::Place(place) => (*place, &[]),
        Reply::Metadata(metadata) => (metadata.len, &[]),
        Reply::Entries(entries) => (entries.len() as u64, &[]),
        Reply::Path(path) => (path.len() as u64, path),
    }
}
