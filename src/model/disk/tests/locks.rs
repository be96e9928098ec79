//! Who may have which lock, and when it is given up.

use super::*;

const SHARED: Lock = Lock::Shared;
const EXCLUSIVE: Lock = Lock::Exclusive;

#[test]
fn an_exclusive_lock_excludes_all_and_a_shared_one_the_exclusive() {
    for (held, wanted, free) in [
        (SHARED, SHARED, true),
        (SHARED, EXCLUSIVE, false),
        (EXCLUSIVE, SHARED, false),
        (EXCLUSIVE, EXCLUSIVE, false),
    ] {
        let mut disk = disk();
        let (one, other) = (disk.opened("a", CREATE), disk.opened("a", READ));
        let elsewhere = disk.opened("b", CREATE);
        disk.try_lock(one, held).unwrap();
        disk.try_lock(elsewhere, wanted).unwrap();
        let expected = if free { "()" } else { "EWOULDBLOCK" };
        let case = format!("{held:?} and then {wanted:?}");
        assert_eq!(outcome(disk.try_lock(other, wanted)), expected, "{case}");
        disk.unlock(one).unwrap();
        assert_eq!(outcome(disk.try_lock(other, wanted)), "()", "{case}");
    }
}

#[test]
fn a_lock_goes_with_the_last_duplicate() {
    let mut disk = disk();
    let (one, other) = (disk.opened("a", CREATE), disk.opened("a", READ));
    let twin = disk.duplicate(one).unwrap();
    disk.try_lock(one, EXCLUSIVE).unwrap();
    disk.try_lock(twin, EXCLUSIVE).unwrap();
    disk.close(one).unwrap();
    assert_eq!(outcome(disk.try_lock(other, SHARED)), "EWOULDBLOCK");
    disk.close(twin).unwrap();
    disk.try_lock(other, SHARED).unwrap();
}

#[test]
fn a_duplicate_unlocks_for_all() {
    let mut disk = disk();
    let (one, other) = (disk.opened("a", CREATE), disk.opened("a", READ));
    let twin = disk.duplicate(one).unwrap();
    disk.try_lock(one, EXCLUSIVE).unwrap();
    disk.unlock(twin).unwrap();
    disk.try_lock(other, EXCLUSIVE).unwrap();
}

#[test]
fn a_change_that_fails_loses_the_lock() {
    let mut disk = disk();
    let (one, other) = (disk.opened("a", CREATE), disk.opened("a", READ));
    disk.try_lock(one, SHARED).unwrap();
    disk.try_lock(other, SHARED).unwrap();
    assert_eq!(outcome(disk.try_lock(one, EXCLUSIVE)), "EWOULDBLOCK");
    disk.try_lock(other, EXCLUSIVE).unwrap();
}

#[test]
fn a_dead_process_holds_no_lock() {
    let mut disk = disk();
    let one = disk.opened("a", CREATE);
    disk.try_lock(one, EXCLUSIVE).unwrap();
    disk.process_died();
    assert_eq!(outcome(disk.try_lock(one, SHARED)), "EBADF");
    let again = disk.opened("a", READ);
    disk.try_lock(again, EXCLUSIVE).unwrap();
}

#[test]
fn what_gives_up_no_lock_wakes_nobody() {
    let mut disk = disk();
    let (one, other) = (disk.opened("a", CREATE), disk.opened("a", READ));
    disk.try_lock(one, SHARED).unwrap();
    disk.try_lock(one, SHARED).unwrap();
    disk.unlock(other).unwrap();
    disk.close(other).unwrap();
}
