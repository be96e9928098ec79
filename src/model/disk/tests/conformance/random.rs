//! Random sequences of calls.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};

use super::super::random::{start, step};
use super::kernel::is_root;
use super::*;

proptest! {
    #![proptest_config(Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    })]

    /// With modes that stop no owner, if the tests run as root, whom none stops.
    #[test]
    fn sequences(
        // Some file systems take a millisecond to remove a file.
        in_memory in proptest::bool::weighted(0.9),
        start in start(),
        steps in proptest::collection::vec(step(is_root()), 30),
    ) {
        let place = if in_memory { Place::Memory } else { Place::Disk };
        let start = start.split("; ").map(str::to_owned);
        let script: Vec<String> = start.chain(steps).collect();
        compare(place, &script).map_err(TestCaseError::fail)?;
    }
}
