//! What many runs of one test tell: here, where two of them part.
//!
//! Floor 7. It takes traces as data, also from files that another process wrote, and must never
//! run a simulation itself.

mod diverge;

pub use diverge::{Difference, Divergence, first_difference};
