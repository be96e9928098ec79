//! One object's operations, ready to be judged.

use super::model::{Call, Model, OnFail, Outcome};
use crate::check::history::{History, Kind, Malformed, Value};
use crate::check::table::{Interner, number};

/// The return of an operation that never returned.
pub const NEVER: u32 = u32::MAX;

/// The operations of one object, in the order of their calls.
///
/// Calls and returns are positions of events in the history: all different, but for [`NEVER`].
#[derive(Clone, Debug)]
pub struct Part<O> {
    /// The object, if the history has several.
    pub key: Option<Value>,
    /// What each operation is, with its outcome.
    pub ops: Vec<O>,
    /// When each was called.
    pub calls: Vec<u32>,
    /// When each returned; [`NEVER`] if its outcome is unknown.
    pub returns: Vec<u32>,
    /// The number of each among the history's operations.
    pub ids: Vec<u32>,
}

impl<O> Part<O> {
    pub(crate) fn new(key: Option<Value>) -> Self {
        Self {
            key,
            ops: Vec::new(),
            calls: Vec::new(),
            returns: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// How many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether an operation's outcome is unknown.
    #[must_use]
    pub fn is_open(&self, op: usize) -> bool {
        self.returns[op] == NEVER
    }
}

impl<O> Part<O> {
    pub(crate) fn push(&mut self, op: O, call: u32, returns: u32, id: u32) {
        self.ops.push(op);
        self.calls.push(call);
        self.returns.push(returns);
        self.ids.push(id);
    }
}

/// Which of a history's operations are looked at, and up to where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// Which operations, by their numbers, ascending; all, if there is no list.
    pub(crate) only: Option<&'a [u32]>,
    /// Those of which it matters how they ended; of others nobody knows. All, if there is no list.
    pub(crate) firm: Option<&'a [u32]>,
    /// Operations called at this position or later are gone, those that return there or later are
    /// open.
    pub(crate) before: u32,
}

impl View<'_> {
    pub(crate) const ALL: Self = Self {
        only: None,
        firm: None,
        before: NEVER,
    };
}

/// Decodes a history and takes it apart by key.
///
/// # Errors
/// If the model cannot have an operation.
pub(crate) fn parts<M: Model>(
    model: &M,
    history: &History,
    view: View<'_>,
) -> Result<Vec<Part<M::Op>>, Malformed> {
    let mut parts = Parts {
        keys: Interner::default(),
        keyed: Vec::new(),
        unkeyed: Part::new(None),
    };
    match view.only {
        Some(only) => {
            for id in only {
                parts.add(model, history, *id, view)?;
            }
        }
        None => {
            for id in 0..number(history.operations().len()) {
                parts.add(model, history, id, view)?;
            }
        }
    }
    let mut all = parts.keyed;
    if !parts.unkeyed.is_empty() {
        all.push(parts.unkeyed);
    }
    Ok(all)
}

struct Parts<O> {
    keys: Interner<Value>,
    keyed: Vec<Part<O>>,
    unkeyed: Part<O>,
}

impl<O> Parts<O> {
    fn add<M: Model<Op = O>>(
        &mut self,
        model: &M,
        history: &History,
        id: u32,
        view: View<'_>,
    ) -> Result<(), Malformed> {
        let operation = history.operations()[id as usize];
        if operation.invoke >= view.before {
            return Ok(());
        }
        let invoke = history.invocation(operation);
        let is_firm = view.firm.is_none_or(|firm| firm.binary_search(&id).is_ok());
        let returns = operation.complete.filter(|at| *at < view.before);
        let completion = returns.map(|at| &history.events()[at as usize]);
        let (outcome, returns) = match (completion.map(|end| (end.kind, &end.value)), returns) {
            (Some((Kind::Ok, value)), Some(at)) if is_firm => (Outcome::Ok(value), at),
            (Some((Kind::Fail, value)), Some(at)) => match model.on_fail(&invoke.f) {
                OnFail::DidNotHappen => return Ok(()),
                OnFail::Refused if is_firm => (Outcome::Refused(value), at),
                OnFail::Refused => (Outcome::Unknown, NEVER),
            },
            _ => (Outcome::Unknown, NEVER),
        };
        let call = Call {
            process: invoke.process,
            f: &invoke.f,
            key: invoke.key.as_ref(),
            input: &invoke.value,
            outcome,
        };
        let decoded = model.decode(&call).map_err(|reason| {
            let (f, process) = (&invoke.f, invoke.process);
            Malformed::new(
                format!("operation {id}, `{f}` of process {process}: {reason}"),
                "choose the model that the history is of, or mend the value",
            )
        })?;
        let Some(op) = decoded else { return Ok(()) };
        let part = match model.key(&call) {
            None => &mut self.unkeyed,
            Some(key) => {
                let at = self.keys.intern_ref(&*key) as usize;
                if at == self.keyed.len() {
                    self.keyed.push(Part::new(Some(key.into_owned())));
                }
                &mut self.keyed[at]
            }
        };
        part.push(op, operation.invoke, returns, id);
        Ok(())
    }
}
