//! turso_core, a real engine whose calls of a disk have completions, on a simulated disk.
//!
//! It brings some two hundred packages along, which take minutes to build: so it is a package of
//! its own, and this test is run by `cargo test -p sim-tests --features turso --test turso` alone.

#[expect(
    dead_code,
    clippy::disallowed_types,
    reason = "other tests use the rest of it"
)]
#[path = "suite/nested.rs"]
mod nested;

#[test]
fn turso_passes_and_bugs_around_it_are_found() {
    let (code, text) = nested::engine("turso-0.9.0-pre.2");
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("cut short"), "{text}");
    let storage = "turso_core-0.9.0-pre.2/storage/pager.rs:";
    for parts in [
        &["Nothing: ", " checked, "][..],
        &["NoSync: the check fails"],
        &["EarlyAck: the check fails"],
        &["  lost     write to /turso-wal in bytes ", storage],
        &["  missing  sync of the content of /turso-wal, before acknowledgement 1"],
    ] {
        let tells = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(text.lines().any(tells), "{parts:?} are not in:\n{text}");
    }
}
