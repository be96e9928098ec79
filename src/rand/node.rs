//! The numbers of the running node. A dead incarnation gets zeros: its destructors must not shift
//! the draws of the next.

use crate::exec::context;
use crate::kernel::{Choices, Kind, Point, Probability};

#[track_caller]
pub(super) fn u64() -> u64 {
    draw(|choices, point| choices.draw(point))
}

#[track_caller]
pub(super) fn below(bound: u64) -> u64 {
    draw(|choices, point| choices.below(point, bound))
}

#[track_caller]
pub(super) fn chance(num: u32, den: u32) -> bool {
    let probability = Probability::new(num, den);
    draw(|choices, point| u64::from(choices.chance(point, probability))) == 1
}

#[track_caller]
pub(super) fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        let word = u64().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// Draws and records what was drawn.
#[track_caller]
fn draw(f: impl FnOnce(&mut Choices, &mut Point) -> u64) -> u64 {
    if context::is_dead() {
        return 0;
    }
    context::world(|world, id| {
        let (node, base) = world.node_and_base(id);
        let value = f(&mut base.choices, &mut node.user);
        let stream = node.user.stream();
        base.record(id, Kind::Drawn, stream, value);
        value
    })
}
