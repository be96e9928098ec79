//! The runner on packages with planted failures, as a person or a CI job calls it.

mod suite;
