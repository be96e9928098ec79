//! What the interposed libc calls answer inside a simulated node.

use std::io::Write;

use super::context;
use super::failure::Failure;
use crate::kernel::Kind;
use crate::sys::{Escape, EscapeKind, Hooks, Verdict};

/// The answers of the simulation that runs on this thread.
pub(crate) static HOOKS: Hooks = Hooks {
    monotonic_ns,
    wall_ns,
    fill_entropy,
    escape,
};

fn monotonic_ns() -> u64 {
    context::world(|world, node| world.monotonic_ns(node))
}

fn wall_ns() -> u64 {
    context::world(|world, node| world.wall_ns(node))
}

/// Draws at `sys.entropy` of the node. A dead incarnation gets zeros: its destructors must not
/// shift the draws of the next.
fn fill_entropy(bytes: &mut [u8]) {
    if context::is_dead() {
        bytes.fill(0);
        return;
    }
    context::world(|world, id| {
        let (node, base) = world.node_and_base(id);
        base.choices.fill(&mut node.entropy, bytes);
        base.cause = base.trace.record_payload(
            base.now,
            id,
            Kind::Drawn,
            base.cause,
            node.entropy.stream(),
            bytes.len() as u64,
            bytes,
        );
    });
}

/// Ends the run with [`Failure::Escape`], unless the configuration leaves this way open.
fn escape(escape: &Escape<'_>) -> Verdict {
    let verdict = judge(escape);
    if verdict == Verdict::Refuse {
        context::with(|context| {
            let world = context.world.borrow();
            let Some(failed) = &world.failed else { return };
            if let Some(progress) = &context.progress {
                progress.escaped(failed);
            }
            if escape.kind == EscapeKind::Exit {
                // That call cannot return, so nobody else will tell.
                // Written past what test runners capture, which ends with the process.
                let text = format!(
                    "stormglass: {failed}\n  replay  STORMGLASS_SEED={}\n",
                    world.seed
                );
                let _ = std::io::stderr().write_all(text.as_bytes());
            }
        });
    }
    verdict
}

fn judge(escape: &Escape<'_>) -> Verdict {
    context::world(|world, node| {
        if world.settings.allowed.contains(&escape.kind) {
            if !world.escaped.contains(&escape.kind) {
                world.escaped.push(escape.kind);
            }
            return Verdict::Allow;
        }
        if world.failed.is_none() {
            let failure = Failure::Escape {
                kind: escape.kind,
                call: escape.call.to_owned(),
                detail: escape.detail.as_ref().map(ToString::to_string),
                place: escape.place(),
            };
            world.fail(node, failure);
        }
        Verdict::Refuse
    })
}
