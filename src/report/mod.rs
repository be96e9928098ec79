//! What a person is shown: failures as text.
//!
//! Floor 8. It takes data only, never a running simulation.

pub(crate) mod divergence;
pub(crate) mod text;
