//! One test binary: a module for each behaviour.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests may fail, and what std gives inside the simulation and outside is under test"
)]

mod suite;
