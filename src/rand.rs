//! Random numbers for the program under test, drawn at `user.rng` of the running node.
//!
//! Floor 4. Programs that draw from the operating system, through `getrandom` or a crate that
//! uses it, get numbers of the simulation too; this is the shorter way.

use crate::exec::context;
use crate::kernel::{Kind, Point};

/// A number drawn at the running node.
///
/// # Panics
/// If this thread runs no simulation.
#[must_use]
#[track_caller]
pub fn u64() -> u64 {
    draw(|choices, point| choices.draw(point))
}

/// A number from `0` to `bound - 1`, drawn at the running node.
///
/// # Panics
/// If `bound` is zero, or this thread runs no simulation.
#[must_use]
#[track_caller]
pub fn below(bound: u64) -> u64 {
    assert!(
        bound > 0,
        "there is no number below 0: give a bound of at least 1"
    );
    draw(|choices, point| choices.below(point, bound))
}

/// True in `num` of `den` cases, drawn at the running node.
///
/// # Panics
/// If `num > den` or `den` is zero, or this thread runs no simulation.
#[must_use]
#[track_caller]
pub fn chance(num: u32, den: u32) -> bool {
    let probability = crate::kernel::Probability::new(num, den);
    draw(|choices, point| u64::from(choices.chance(point, probability))) == 1
}

/// One of `items`, drawn at the running node; `None` if there are none.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn choose<T>(items: &[T]) -> Option<&T> {
    let count = items.len() as u64;
    let index = if count == 0 {
        return None;
    } else {
        below(count)
    };
    items.get(usize::try_from(index).expect("below a length"))
}

/// Puts `items` into an order drawn at the running node.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let other = below(last as u64 + 1);
        items.swap(last, usize::try_from(other).expect("below a length"));
    }
}

/// Fills `bytes` with numbers drawn at the running node.
///
/// # Panics
/// If this thread runs no simulation.
#[track_caller]
pub fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        let word = u64().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// Draws and records what was drawn. A dead incarnation gets zeros: its destructors must not
/// shift the draws of the next.
#[track_caller]
fn draw(f: impl FnOnce(&mut crate::kernel::Choices, &mut Point) -> u64) -> u64 {
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
