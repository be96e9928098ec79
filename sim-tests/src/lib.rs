//! Whole-cluster simulation tests; see `tests/`.
