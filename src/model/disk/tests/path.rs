//! Where paths lead.

use super::*;

/// `/d/e/f` is a file; `/l` leads to `d/e`, `/x` to nothing, `/loop` to itself.
fn world() -> Disk {
    let mut disk = disk();
    disk.make_dir("d");
    disk.make_dir("d/e");
    disk.put("d/e/f", "f");
    disk.link_to("l", "d/e");
    disk.link_to("d/abs", "/d//e/.");
    disk.link_to("d/e/up", "..");
    disk.link_to("x", "nothing");
    disk.link_to("loop", "loop");
    disk.link_to("file", "l/f");
    disk
}

#[track_caller]
fn check(path: &str, expected: &str) {
    let mut disk = world();
    let found = disk.call(Call::Canonicalize(bytes(path)));
    let text = match found {
        Ok(Reply::Path(path)) => String::from_utf8(path.to_vec()).unwrap(),
        other => outcome(other),
    };
    assert_eq!(text, expected, "{path:?}");
    // What has a canonical path is what the path leads to.
    let stat = |disk: &Disk, path: &str| disk.metadata(&Target::Path(bytes(path)));
    match stat(&disk, path) {
        Ok(metadata) => assert_eq!(metadata, stat(&disk, expected).unwrap()),
        Err(error) => assert_eq!(errno(error.raw_os_error()), expected, "{path:?}"),
    }
}

#[test]
fn paths_lead_where_linux_says() {
    for (path, expected) in [
        ("/", "/"),
        (".", "/"),
        ("..", "/"),
        ("../../d", "/d"),
        ("///d//e/", "/d/e"),
        ("d/./e/../e/f", "/d/e/f"),
        ("l", "/d/e"),
        ("l/", "/d/e"),
        ("l/f", "/d/e/f"),
        ("l/..", "/d"),
        ("d/abs/f", "/d/e/f"),
        ("l/up/e/up", "/d"),
        ("file", "/d/e/f"),
        ("", "ENOENT"),
        ("y", "ENOENT"),
        ("x", "ENOENT"),
        ("x/y", "ENOENT"),
        ("y/..", "ENOENT"),
        ("d/e/f/", "ENOTDIR"),
        ("d/e/f/.", "ENOTDIR"),
        ("d/e/f/..", "ENOTDIR"),
        ("d/e/f/y", "ENOTDIR"),
        ("file/", "ENOTDIR"),
        ("loop", "ELOOP"),
        ("loop/y", "ELOOP"),
        ("d\0", "EINVAL"),
    ] {
        check(path, expected);
    }
}

#[test]
fn names_and_paths_have_a_longest() {
    let name = |length: usize| "n".repeat(length);
    check(&name(255), "ENOENT");
    check(&name(256), "ENAMETOOLONG");
    check(&format!("{}/y", name(256)), "ENAMETOOLONG");
    check(&format!("y/{}", name(256)), "ENOENT");
    check(&"./".repeat(2047), "/");
    check(&"./".repeat(2048), "ENAMETOOLONG");
}

#[test]
fn forty_links_are_followed() {
    let mut disk = world();
    disk.link_to("0", "d/e/f");
    for number in 0..40 {
        disk.link_to(&format!("{}", number + 1), &format!("{number}"));
    }
    let mut open = |path: &str| outcome(disk.try_open(path, READ).map(drop));
    assert_eq!([open("39"), open("40")], ["()", "ELOOP"]);
}

#[test]
fn a_directory_is_searched_by_permission() {
    let mut disk = world();
    disk.chmod("d", 0o600);
    for path in ["d/e", "l", "d/.", "d/..", "d/nothing"] {
        let found = disk.metadata(&Target::Path(bytes(path))).map(drop);
        assert_eq!(outcome(found), "EACCES", "{path}");
    }
    assert_eq!(disk.stat("d").attributes.mode, 0o600);
}
