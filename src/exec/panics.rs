//! Panics of the program under test: caught, attributed to a node, and judged.

use core::fmt;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use serde::{Deserialize, Serialize};

use super::context;
use super::driver::Ending;
use super::failure::Failure;
use crate::kernel::{Kind, NodeId, TaskId};
use crate::model::process::End;
use crate::sys;

/// What a panic in a task of a node does. A panic of the test's own code always fails the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPanic {
    /// The run fails.
    #[default]
    Fail,
    /// The node's process dies, as with `panic = "abort"`.
    KillNode,
    /// Whoever joins the task sees it, as with tokio.
    JoinError,
}

/// The payload with which a node that crashes itself unwinds.
pub(crate) struct CrashedItself;

/// What the panic hook saw of the latest panic.
struct Seen {
    message: String,
    location: String,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
    /// Whether what runs is outside a simulation, and its panics are a verdict and no accident.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Makes panics inside simulations silent, since their reports tell them; all others go to the
/// hook that was there before.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if sys::is_inside() {
                sys::outside(|| see(info));
            } else if EXPECTED.get() {
                see(info);
            } else {
                before(info);
            }
        }));
    });
}

fn see(info: &PanicHookInfo<'_>) {
    let location = info
        .location()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let seen = Seen {
        message: message(info.payload()),
        location,
    };
    SEEN.with_borrow_mut(|slot| *slot = Some(seen));
}

/// Runs code whose panic is a verdict: it is not printed, and its message and place are given.
pub(crate) fn expecting_panics<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    install_hook();
    let before = EXPECTED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    EXPECTED.set(before);
    result.map_err(|payload| {
        let told = message(&*payload);
        match SEEN.take().filter(|seen| seen.message == told) {
            Some(seen) => format!("it panics: {told} ({})", seen.location),
            None => format!("it panics: {told}"),
        }
    })
}

/// The message of a panic's payload.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}

/// Judges a panic that has just been caught in the running task.
pub(crate) fn in_task(task: TaskId, payload: &(dyn Any + Send)) {
    // An incarnation that has ended itself is not judged for how it went.
    if payload.is::<CrashedItself>() || context::is_dead() {
        return;
    }
    let told = message(payload);
    // The latest panic may be one that the program caught, and this one resumed from elsewhere.
    let seen = SEEN.take().filter(|seen| seen.message == told);
    context::with(|context| {
        let node = context.current.node.get();
        context.world(|world| {
            world
                .base
                .record(node, Kind::TaskPanicked, task.number(), 0);
            let on_panic = if node == NodeId::TEST {
                OnPanic::Fail
            } else {
                world.settings.on_panic
            };
            match on_panic {
                OnPanic::Fail => {
                    let location =
                        seen.map_or_else(|| "resumed from elsewhere".to_owned(), |s| s.location);
                    world.fail(
                        node,
                        Failure::Panic {
                            message: told,
                            location,
                        },
                    );
                }
                OnPanic::KillNode => {
                    let incarnation = context.current.incarnation.get();
                    let ending = Ending {
                        node,
                        incarnation,
                        how: End::Kill,
                        restart: None,
                    };
                    context.ending.borrow_mut().push(ending);
                }
                OnPanic::JoinError => {}
            }
        });
    });
}

/// Judges a panic of a destructor that ran for the running task. Outside a simulation there is
/// nobody to judge it.
pub(crate) fn in_running_task(payload: &(dyn Any + Send)) {
    let task = context::try_with(|context| context.current.task.get());
    if let Some(task) = task {
        in_task(task, payload);
    }
}

/// Drops what belongs to a task or incarnation that has ended; a panic of its destructors is noted
/// in the trace's log and goes no further.
pub(crate) fn drop_dead(drop: impl FnOnce(), what: impl fmt::Display) {
    if catch_unwind(AssertUnwindSafe(drop)).is_err() {
        let text = SEEN.take().map_or_else(
            || format!("a destructor of {what} panicked"),
            |seen| {
                format!(
                    "a destructor of {what} panicked: {} ({})",
                    seen.message, seen.location
                )
            },
        );
        context::try_with(|context| context.world.borrow_mut().base.trace.note(&text));
    }
}
