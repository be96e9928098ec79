//! The models that come with the checker.

mod counter;
mod kv;
mod lock;
mod multi;
mod queue;
mod register;
mod set;

pub use counter::Counter;
pub use kv::Kv;
pub use lock::Lock;
pub use multi::MultiRegister;
pub use queue::Queue;
pub use register::Register;
pub use set::Set;

use crate::check::linear::Call;

/// What is said of an operation that a model does not have.
fn no_such(call: &Call<'_>, model: &str, has: &str) -> String {
    format!("a {model} has no `{}`, it has {has}", call.f)
}
