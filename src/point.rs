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
