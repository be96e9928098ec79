//! Named points in a program under test, at which a fault plan can strike.
//!
//! Floor 4. Outside a simulation, and under the feature `real`, a point is nothing.

/// Names a point of the program, at which a fault plan can take its node's power away
/// ([`FaultKind::CrashAt`](crate::fault::FaultKind::CrashAt)): between a write and its sync, or
/// between a sync and its acknowledgement.
///
/// Under the feature `real` it is nothing.
///
/// ```
/// # async fn append(log: &mut stormglass::fs::File, entry: &[u8]) -> std::io::Result<()> {
/// # use stormglass::io::AsyncWriteExt;
/// log.write_all(entry).await?;
/// stormglass::crash_point!("log.written");
/// log.sync_data().await?;
/// stormglass::crash_point!("log.synced");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! crash_point {
    ($name:expr $(,)?) => {
        $crate::__private::pass_point($name)
    };
}

/// What [`crash_point!`](crate::crash_point) expands to.
#[cfg(feature = "sim")]
pub fn pass_point(name: &str) {
    use crate::exec::{context, end_self};
    use crate::model::process::End;

    let reached = context::try_with(|context| {
        let alive = !context.current.dead.get();
        alive && context.pass_point(name)
    });
    if reached == Some(true) {
        end_self(End::Crash, None);
    }
}

/// What [`crash_point!`](crate::crash_point) expands to: nothing.
#[cfg(not(feature = "sim"))]
pub const fn pass_point(_name: &str) {}

/// Whether a marked place of a program takes its rare way: true now and then while a fault plan
/// asks for it ([`FaultKind::Buggify`](crate::fault::FaultKind::Buggify)), and else false.
///
/// It is for what a test cannot bring about from outside: a cache of one entry, a batch of one, a
/// retry too many, a timeout that comes early. Under the feature `real` it is `false`.
///
/// ```
/// # let outcome = stormglass::sim::Builder::new().run(|_| async {
/// let batch_max = if stormglass::buggify!("small batches") { 1 } else { 64 };
/// assert_eq!(batch_max, 64, "no plan asks for it");
/// # });
/// # outcome.unwrap();
/// ```
///
/// Source: `BUGGIFY` of `FoundationDB` (flow/Buggify.h).
#[macro_export]
macro_rules! buggify {
    ($name:expr $(,)?) => {
        $crate::__private::buggify($name)
    };
}

/// What [`buggify!`](crate::buggify) expands to.
#[cfg(feature = "sim")]
pub fn buggify(name: &str) -> bool {
    let taken = crate::exec::context::alive_if_any(|context| {
        let node = context.current.node.get();
        context.world(|world| world.buggify(node, name))
    });
    taken == Some(true)
}

/// What [`buggify!`](crate::buggify) expands to: no.
#[cfg(not(feature = "sim"))]
pub const fn buggify(_name: &str) -> bool {
    false
}
