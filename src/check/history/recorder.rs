//! What a test calls while its clients run.

use std::borrow::Cow;

use super::{Event, History, Kind, Mark, Value};
use crate::kernel::SimTime;

/// Records what simulated clients ask and are told.
///
/// Each call costs the move of its values and no more. A client that does not know whether its
/// operation took place calls [`info`](Self::info), which ends its process; it carries on as
/// another, from [`next_process`](Self::next_process).
///
/// ```
/// use stormglass::check::{Recorder, Value};
/// use stormglass::kernel::SimTime;
///
/// let mut recorder = Recorder::new();
/// let at = SimTime::from_nanos;
/// let client = recorder.next_process();
/// recorder.invoke(client, "write", 1, at(10));
/// recorder.ok(client, Value::Nil, at(20));
/// recorder.invoke(client, "write", 2, at(30));
/// recorder.info(client, at(40));
/// assert_eq!(recorder.history().operations().len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    history: History,
    next: u32,
}

impl Recorder {
    /// A recorder that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A process number that was not given before.
    pub fn next_process(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// A process asks for something that concerns no key.
    ///
    /// # Panics
    /// If the process has an open operation, or ended.
    #[track_caller]
    pub fn invoke(
        &mut self,
        process: u32,
        f: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
        at: SimTime,
    ) {
        self.push(process, Kind::Invoke, f.into(), None, value.into(), at);
    }

    /// A process asks for something of a key.
    ///
    /// # Panics
    /// If the process has an open operation, or ended.
    #[track_caller]
    pub fn invoke_key(
        &mut self,
        process: u32,
        f: impl Into<Cow<'static, str>>,
        key: impl Into<Value>,
        value: impl Into<Value>,
        at: SimTime,
    ) {
        let key = Some(key.into());
        self.push(process, Kind::Invoke, f.into(), key, value.into(), at);
    }

    /// What it asked was done, and gave `value`.
    ///
    /// # Panics
    /// If the process has no open operation.
    #[track_caller]
    pub fn ok(&mut self, process: u32, value: impl Into<Value>, at: SimTime) {
        self.complete(process, Kind::Ok, value.into(), at);
    }

    /// What it asked was not done, or refused, as the model says; `value` may be the reason.
    ///
    /// # Panics
    /// If the process has no open operation.
    #[track_caller]
    pub fn fail(&mut self, process: u32, value: impl Into<Value>, at: SimTime) {
        self.complete(process, Kind::Fail, value.into(), at);
    }

    /// Nobody knows whether it was done, or ever will be. The process ends.
    ///
    /// # Panics
    /// If the process has no open operation.
    #[track_caller]
    pub fn info(&mut self, process: u32, at: SimTime) {
        self.complete(process, Kind::Info, Value::Nil, at);
    }

    /// Something that is no operation, such as a fault that begins or ends.
    pub fn mark(&mut self, mark: Mark) {
        self.history.push_mark(mark);
    }

    /// What was recorded so far. Operations without an end are open.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What was recorded.
    #[must_use]
    pub fn into_history(self) -> History {
        self.history
    }

    #[track_caller]
    fn complete(&mut self, process: u32, kind: Kind, value: Value, at: SimTime) {
        let Some(invoke) = self.history.open_invocation(process) else {
            panic!("process {process} has no open operation: call `invoke` first");
        };
        let (f, key) = (invoke.f.clone(), invoke.key.clone());
        self.push(process, kind, f, key, value, at);
    }

    #[track_caller]
    fn push(
        &mut self,
        process: u32,
        kind: Kind,
        f: Cow<'static, str>,
        key: Option<Value>,
        value: Value,
        time: SimTime,
    ) {
        self.next = self.next.max(process.saturating_add(1));
        let event = Event {
            process,
            kind,
            f,
            key,
            value,
            time,
            index: self.history.events().len() as u64,
        };
        if let Err(malformed) = self.history.push(event) {
            panic!("{malformed}");
        }
    }
}
