//! The choice point of `select!` and `join!`.

use super::context;
use crate::kernel::Kind;

/// Which of `branches` branches is polled first: a draw at `exec.select` of the running node.
///
/// Outside a simulation and in a dead incarnation the first one is.
#[must_use]
pub fn select_start(branches: u32) -> u32 {
    if branches <= 1 {
        return 0;
    }
    let drawn = context::try_with(|context| (!context.current.dead.get()).then(|| draw(branches)));
    drawn.flatten().unwrap_or(0)
}

fn draw(branches: u32) -> u32 {
    context::world(|world, id| {
        let (node, base) = world.node_and_base(id);
        let start = base.choices.below(&mut node.select, u64::from(branches));
        base.record(id, Kind::Drawn, node.select.stream(), start);
        u32::try_from(start).expect("below the number of branches")
    })
}
