//! The runner on packages with planted failures, as a person or a CI job calls it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are no tests to clippy"
)]

mod suite;
