//! A saved failure as a test of its own.

use std::cell::RefCell;

use super::Scenario;

thread_local! {
    /// The scenario that the test which this thread calls next is to run.
    static GIVEN: RefCell<Option<Scenario>> = const { RefCell::new(None) };
}

/// Runs a simulation test with a saved scenario in place of its own seeds and configuration.
///
/// `scenario` is the text of a file that a failure was saved in, and `test` a function with the
/// attribute [`test`](macro@crate::test). `cargo stormglass to-test FILE` writes such a test:
///
/// ```no_run
/// # fn a_restart_does_no_harm() {}
/// # let scenario = "";
/// // In a test: include_str!("../stormglass/corpus/a_restart_does_no_harm-0a1b2c3d4e5f6071.json")
/// stormglass::run::replay(scenario, a_restart_does_no_harm);
/// ```
///
/// # Panics
/// With a report if the run fails; and if the text is no scenario of this version, or another
/// test's.
#[track_caller]
pub fn replay(scenario: &str, test: fn()) {
    let scenario = Scenario::parse(scenario).unwrap_or_else(|error| panic!("{error}"));
    let name = scenario.test.clone();
    GIVEN.set(Some(scenario));
    test();
    let ignored = GIVEN.take().is_some();
    assert!(
        !ignored,
        "the function is no simulation test: give `{name}`, with `#[stormglass::test]`"
    );
}

/// The scenario that this thread was given, once.
pub(super) fn taken() -> Option<Scenario> {
    GIVEN.take()
}
