//! Descriptors, and what is read and written through them.

use std::io::SeekFrom;

use super::super::call::WriteSync;
use super::super::files::FILE_MAX_BYTES;
use super::*;

const APPEND: OpenFlags = OpenFlags {
    append: true,
    ..READ
};

fn write(disk: &mut Disk, fd: Fd, text: &str) -> io::Result<usize> {
    disk.write(&AROUND, fd, None, text.as_bytes())
}

fn seek(disk: &mut Disk, fd: Fd, to: SeekFrom) -> String {
    outcome(disk.seek(fd, to))
}

#[test]
fn a_new_descriptor_is_the_lowest_that_is_free() {
    let mut disk = disk();
    let all: Vec<Fd> = (0..4).map(|_| disk.opened("a", CREATE)).collect();
    assert_eq!(all, [3, 4, 5, 6].map(Fd));
    disk.close(Fd(5)).unwrap();
    disk.close(Fd(3)).unwrap();
    assert_eq!(disk.duplicate(Fd(6)).unwrap(), Fd(3));
    assert_eq!(disk.opened("a", READ), Fd(5));
    assert_eq!(disk.opened("a", READ), Fd(7));
    assert_eq!(disk.open_files(), 5);
}

#[test]
fn duplicates_share_a_place_and_others_do_not() {
    let mut disk = disk();
    let one = disk.opened("a", CREATE);
    let other = disk.opened("a", BOTH);
    let twin = disk.duplicate(one).unwrap();
    write(&mut disk, one, "abc").unwrap();
    write(&mut disk, twin, "def").unwrap();
    disk.close(one).unwrap();
    write(&mut disk, twin, "g").unwrap();
    write(&mut disk, other, "X").unwrap();
    assert_eq!(disk.content(other), "Xbcdefg");
}

#[test]
fn a_closed_descriptor_is_none() {
    let mut disk = disk();
    let fd = disk.opened("a", CREATE);
    disk.close(fd).unwrap();
    for (call, result) in [
        ("close", outcome(disk.close(fd))),
        ("read", outcome(disk.read(fd, &mut [0]))),
        ("read_at", outcome(disk.read_at(fd, 0, &mut [0]))),
        ("write", outcome(write(&mut disk, fd, "x"))),
        ("seek", seek(&mut disk, fd, SeekFrom::Start(0))),
        ("set_len", outcome(disk.set_len(&AROUND, fd, 0))),
        ("sync", outcome(disk.syncing(fd, true))),
        ("duplicate", outcome(disk.duplicate(fd))),
        ("lock", outcome(disk.try_lock(fd, Lock::Shared))),
        ("unlock", outcome(disk.unlock(fd))),
        ("stdout", outcome(disk.close(Fd(1)))),
    ] {
        assert_eq!(result, "EBADF", "{call}");
    }
}

#[test]
fn reading_ends_at_the_end() {
    let mut disk = disk();
    disk.put("a", "hello");
    let fd = disk.opened("a", READ);
    let mut buffer = [b'-'; 4];
    assert_eq!(disk.read_at(fd, 3, &mut buffer).unwrap(), 2);
    assert_eq!(&buffer, b"lo--");
    for expected in [4, 1, 0, 0] {
        assert_eq!(disk.read(fd, &mut buffer).unwrap(), expected);
    }
    assert_eq!(seek(&mut disk, fd, SeekFrom::Current(0)), "5");
    assert_eq!(disk.read_at(fd, 1 << 50, &mut buffer).unwrap(), 0);
    assert_eq!(outcome(disk.read_at(fd, 1 << 63, &mut buffer)), "EINVAL");
}

#[test]
fn what_was_never_written_is_zeros() {
    let mut disk = disk();
    let fd = disk.opened("a", CREATE);
    assert_eq!(seek(&mut disk, fd, SeekFrom::End(3)), "3");
    assert_eq!(disk.stat("a").len, 0, "seeking makes no file longer");
    write(&mut disk, fd, "x").unwrap();
    disk.set_len(&AROUND, fd, 6).unwrap();
    assert_eq!(disk.content(fd), "\0\0\0x\0\0");
    disk.set_len(&AROUND, fd, 2).unwrap();
    disk.set_len(&AROUND, fd, 4).unwrap();
    assert_eq!(
        disk.content(fd),
        "\0\0\0\0",
        "what was cut does not come back"
    );
}

#[test]
fn places_are_within_bounds() {
    let mut disk = disk();
    disk.put("a", "hello");
    let fd = disk.opened("a", BOTH);
    for (to, expected) in [
        (SeekFrom::Start(9), "9"),
        (SeekFrom::Current(-9), "0"),
        (SeekFrom::Current(-1), "EINVAL"),
        (SeekFrom::End(-5), "0"),
        (SeekFrom::End(-6), "EINVAL"),
        (SeekFrom::Start(u64::MAX), "EINVAL"),
        (SeekFrom::Current(i64::MAX), "EINVAL"),
        (SeekFrom::Start(FILE_MAX_BYTES), "17592186040320"),
        (SeekFrom::Start(FILE_MAX_BYTES + 1), "EINVAL"),
    ] {
        assert_eq!(seek(&mut disk, fd, to), expected, "{to:?}");
    }
    assert_eq!(outcome(write(&mut disk, fd, "x")), "EFBIG");
    let last = Some(FILE_MAX_BYTES - 1);
    assert_eq!(disk.write(&AROUND, fd, last, b"xy").unwrap(), 1);
    let longest = disk.set_len(&AROUND, fd, FILE_MAX_BYTES);
    assert_eq!(outcome(longest), "()");
    let longer = disk.set_len(&AROUND, fd, FILE_MAX_BYTES + 1);
    assert_eq!(outcome(longer), "EFBIG");
}

#[test]
fn appending_is_at_the_end_whatever_the_place() {
    let mut disk = disk();
    disk.put("a", "ab");
    let fd = disk.opened("a", APPEND);
    let other = disk.opened("a", WRITE);
    write(&mut disk, fd, "c").unwrap();
    disk.write(&AROUND, other, Some(3), b"d").unwrap();
    seek(&mut disk, fd, SeekFrom::Start(0));
    disk.write(&AROUND, fd, Some(0), b"e").unwrap();
    assert_eq!(seek(&mut disk, fd, SeekFrom::Current(0)), "0");
    write(&mut disk, fd, "f").unwrap();
    assert_eq!(seek(&mut disk, fd, SeekFrom::Current(0)), "6");
    assert_eq!(disk.content(fd), "abcdef");
}

#[test]
fn writing_nothing_does_nothing() {
    let mut disk = disk();
    let fd = disk.opened("a", CREATE);
    disk.write(&AROUND, fd, Some(9), b"").unwrap();
    assert_eq!(disk.stat("a").len, 0);
    assert_eq!(disk.store().pending().len(), 1, "only its name");
}

#[test]
fn a_descriptor_does_what_it_was_opened_for() {
    let mut disk = disk();
    disk.put("a", "a");
    let (reads, writes) = (disk.opened("a", READ), disk.opened("a", WRITE));
    assert_eq!(outcome(write(&mut disk, reads, "x")), "EBADF");
    assert_eq!(outcome(disk.set_len(&AROUND, reads, 0)), "EINVAL");
    assert_eq!(outcome(disk.read(writes, &mut [0])), "EBADF");
    let directory = disk.opened("/", READ);
    assert_eq!(outcome(disk.read(directory, &mut [0])), "EISDIR");
    assert_eq!(outcome(disk.set_len(&AROUND, directory, 0)), "EINVAL");
}

#[test]
fn past_the_page_cache_goes_what_is_aligned() {
    let direct = OpenFlags {
        direct: true,
        ..CREATE
    };
    let mut disk = disk();
    let fd = disk.opened("a", direct);
    for (offset, length, expected) in [
        (0, 512, "512"),
        (512, 1024, "1024"),
        (1, 512, "EINVAL"),
        (0, 100, "EINVAL"),
        (1, 0, "0"),
    ] {
        let bytes = vec![b'x'; length];
        let written = disk.write(&AROUND, fd, Some(offset), &bytes);
        assert_eq!(outcome(written), expected, "write {length} at {offset}");
        let read = disk.read_at(fd, offset, &mut vec![0; length]);
        assert_eq!(outcome(read), expected, "read {length} at {offset}");
    }
    let other = disk.opened("a", BOTH);
    disk.set_len(&AROUND, other, 1000).unwrap();
    assert_eq!(disk.read_at(fd, 512, &mut [0; 512]).unwrap(), 488);
    assert_eq!(
        disk.read_at(fd, 1001, &mut [0; 1]).unwrap(),
        0,
        "at the end nothing is asked"
    );
}

#[test]
fn a_sync_makes_durable_what_it_says() {
    let dsync = OpenFlags {
        sync: WriteSync::Content,
        ..CREATE
    };
    let sync = OpenFlags {
        sync: WriteSync::Everything,
        ..CREATE
    };
    // How many changes are left after a new file, its mode and a write, and its sync.
    for (flags, content_only, expected) in [
        (CREATE, None, 4),
        (dsync, None, 2),
        (sync, None, 1),
        (CREATE, Some(true), 2),
        (CREATE, Some(false), 1),
    ] {
        let mut disk = disk();
        let fd = disk.opened("a", flags);
        disk.chmod("a", 0o600);
        write(&mut disk, fd, "x").unwrap();
        if let Some(content_only) = content_only {
            // Who may only read may sync.
            let fd = disk.opened("a", READ);
            disk.call(Call::Sync { fd, content_only }).unwrap();
        }
        let left = disk.store().pending().len();
        assert_eq!(left, expected, "{:?} {content_only:?}", flags.sync);
        let fd = disk.opened("/", READ);
        let content_only = false;
        disk.call(Call::Sync { fd, content_only }).unwrap();
        let left = disk.store().pending().len();
        assert_eq!(left, expected - 1, "and its name");
    }
}

#[test]
fn a_dead_process_has_nothing_open() {
    let mut disk = disk();
    let fd = disk.opened("a", CREATE);
    write(&mut disk, fd, "x").unwrap();
    disk.call(Call::RemoveFile(bytes("a"))).unwrap();
    assert_eq!((disk.used_pages(), disk.content(fd).as_str()), (1, "x"));
    disk.put("b", "kept");
    disk.process_died();
    assert_eq!((disk.used_pages(), disk.open_files()), (1, 0));
    assert_eq!(outcome(disk.close(fd)), "EBADF");
    let fd = disk.opened("b", READ);
    assert_eq!((fd, disk.content(fd).as_str()), (Fd(3), "kept"));
}

#[test]
fn pages_are_counted() {
    let mut disk = disk();
    let fd = disk.opened("a", CREATE);
    disk.write(&AROUND, fd, Some(4095), b"xy").unwrap();
    disk.write(&AROUND, fd, Some(1 << 40), b"z").unwrap();
    assert_eq!(disk.used_pages(), 3);
    assert_eq!(disk.stat("a").blocks.count(), 24);
    disk.set_len(&AROUND, fd, 4096).unwrap();
    assert_eq!(disk.used_pages(), 1);
    disk.put("b", "b");
    let (from, to) = (bytes("b"), bytes("c"));
    disk.call(Call::Rename { from, to }).unwrap();
    let (from, to) = (bytes("c"), bytes("a"));
    disk.call(Call::Rename { from, to }).unwrap();
    assert_eq!(disk.used_pages(), 2, "what was replaced is open");
    disk.close(fd).unwrap();
    assert_eq!(disk.used_pages(), 1);
    let image = disk.store().visible().clone();
    assert_eq!(Disk::from_image(Profile::default(), image).used_pages(), 1);
    let truncate = OpenFlags {
        truncate: true,
        ..WRITE
    };
    disk.opened("a", truncate);
    assert_eq!(disk.used_pages(), 0);
}

#[test]
fn writing_sets_the_time_of_writing_alone() {
    let mut disk = disk();
    disk.put("a", "x");
    let fd = disk.opened("a", BOTH);
    let late = Around {
        wall_ns: 7,
        place: None,
    };
    disk.write(&late, fd, None, b"y").unwrap();
    disk.read(fd, &mut [0]).unwrap();
    let times = disk.stat("a").attributes;
    assert_eq!((times.created_ns, times.accessed_ns), (1, 1));
    assert_eq!((times.modified_ns, times.changed_ns), (7, 7));
}
