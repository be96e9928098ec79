//! `select!`, `join!` and `try_join!` in tokio's grammar, with the first branch drawn by the
//! simulation.
//!
//! Owns the macros' names and the few functions that their expansions call. It must never know how
//! a branch is drawn: the expansions call `__private::select_start`.
//!
//! tokio's own macros cannot be used inside a simulation. Its `select!` asks a generator of the
//! thread where to begin, seeded from a counter of the whole process, so what ran earlier in the
//! process would change the run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub use futures::future::{MaybeDone, maybe_done};
pub use stormglass_macros::{join_impl, select_impl, try_join_impl};

/// Waits for the first of several futures, drops the others, and runs the handler of the winner.
///
/// ```text
/// select! {
///     [biased;]
///     pattern = future [, if condition] => handler,
///     ..
///     [else => handler]
/// }
/// ```
///
/// The grammar and the rules are those of `tokio::select!`:
///
/// 1. All conditions are evaluated, then all future expressions, also those of branches whose
///    condition is false. Those branches are disabled.
/// 2. The enabled futures are polled, beginning at a branch that is drawn at the choice point
///    `exec.select` each time the `select!` is polled, and going round from there. With `biased;`
///    the first is always polled first and nothing is drawn. One branch alone draws nothing.
/// 3. The first output that matches its pattern wins. If the pattern does not match, the branch is
///    disabled and waiting goes on.
/// 4. All futures are dropped, in the order written. Then the handler runs, in the surrounding
///    function: it may use `.await`, `?`, `return`, `break` and what the futures had borrowed.
/// 5. When all branches are disabled, the `else` handler runs.
///
/// There may be up to 64 branches. A handler in braces needs no comma after it.
///
/// # Panics
/// If all branches are disabled and there is no `else`.
///
/// # Example
/// ```
/// use stormglass::sync::{mpsc, oneshot};
///
/// async fn sum_until_stopped(
///     mut numbers: mpsc::Receiver<u64>,
///     mut stop: oneshot::Receiver<()>,
/// ) -> u64 {
///     let mut sum = 0;
///     loop {
///         stormglass::select! {
///             Some(number) = numbers.recv() => sum += number,
///             _ = &mut stop => return sum,
///         }
///     }
/// }
/// # let _ = sum_until_stopped;
/// ```
#[macro_export]
macro_rules! select {
    ($($input:tt)*) => {
        $crate::__private::select_impl!({ $crate } $($input)*)
    };
}

/// Waits for all of several futures in one task and gives their outputs as a tuple.
///
/// `join!([biased;] future, ..)`, as in tokio. The first future to be polled is drawn once at the
/// choice point `exec.select`; each poll goes round from there, over those that are not done. With
/// `biased;` it is the first one and nothing is drawn. There may be up to 64 futures.
///
/// # Example
/// ```
/// async fn sum(a: impl Future<Output = u64>, b: impl Future<Output = u64>) -> u64 {
///     let (a, b) = stormglass::join!(a, b);
///     a + b
/// }
/// # let _ = sum(async { 1 }, async { 2 });
/// ```
#[macro_export]
macro_rules! join {
    ($($input:tt)*) => {
        $crate::__private::join_impl!({ $crate } $($input)*)
    };
}

/// Waits for several futures in one task until all are `Ok` or one is `Err`.
///
/// As [`join!`](crate::join), but each future gives a `Result`, all with the same error type. Gives
/// `Ok` of a tuple of the values, or the first error met; the futures that are not done are then
/// dropped.
///
/// # Example
/// ```
/// async fn sum(
///     a: impl Future<Output = Result<u64, String>>,
///     b: impl Future<Output = Result<u64, String>>,
/// ) -> Result<u64, String> {
///     let (a, b) = stormglass::try_join!(a, b)?;
///     Ok(a + b)
/// }
/// # let _ = sum(async { Ok(1) }, async { Ok(2) });
/// ```
#[macro_export]
macro_rules! try_join {
    ($($input:tt)*) => {
        $crate::__private::try_join_impl!({ $crate } $($input)*)
    };
}

/// Polls one branch of a `try_join!`: pending, done, or failed. It may be polled again when done.
pub fn poll_try<F, T, E>(
    mut branch: Pin<&mut MaybeDone<F>>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), E>>
where
    F: Future<Output = Result<T, E>>,
{
    ready!(branch.as_mut().poll(cx));
    if let Some(Ok(_)) = branch.as_mut().output_mut() {
        return Poll::Ready(Ok(()));
    }
    Poll::Ready(take(branch).map(drop))
}

/// The output of one branch of a `join!`.
///
/// # Panics
/// If the branch is not done or was taken before, which an expansion never does.
pub fn take<F: Future>(branch: Pin<&mut MaybeDone<F>>) -> F::Output {
    branch
        .take_output()
        .expect("a branch is done and taken once")
}

/// The value of one branch of a `try_join!`.
///
/// # Panics
/// If the branch is not done, failed, or was taken before, which an expansion never does.
pub fn take_ok<F, T, E>(branch: Pin<&mut MaybeDone<F>>) -> T
where
    F: Future<Output = Result<T, E>>,
{
    match take(branch) {
        Ok(value) => value,
        Err(_) => unreachable!("a try_join! ends at its first error"),
    }
}
