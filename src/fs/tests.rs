//! That a change of a disk knows the line of the program that made it.

use std::io::Write;

use tokio::io::AsyncWriteExt;

use super::{DetachedDisk, File, blocking};
use crate::exec::context;
use crate::model::disk::Disk;
use crate::sim::Builder;

/// The lines of this file that made the pending changes, each once.
fn lines(disk: &Disk) -> Vec<u32> {
    let places = disk.store().pending().iter().map(|op| op.place);
    let mut lines: Vec<u32> = places
        .map(|place| {
            let place = place.expect("a program made it");
            assert_eq!(place.file(), file!(), "{place}");
            place.line()
        })
        .collect();
    lines.dedup();
    lines
}

#[test]
fn blocking_calls_know_their_place() {
    let disk = DetachedDisk::new();
    let first = blocking::with_disk(&disk, || {
        let first = line!() + 1;
        let mut file = blocking::File::create("/file").unwrap();
        file.write_all(b"text").unwrap();
        file.write_all_at(b"text", 9).unwrap();
        file.set_len(2).unwrap();
        blocking::create_dir_all("/a/b").unwrap();
        blocking::rename("/file", "/a/b/c").unwrap();
        blocking::write("/file", "text").unwrap();
        blocking::remove_dir_all("/a").unwrap();
        first
    });
    let expected: Vec<u32> = (first..first + 8).collect();
    assert_eq!(disk.with(|device| lines(&device.fs)), expected);
}

#[test]
fn calls_know_their_place() {
    let outcome = Builder::new().run(|_| async {
        let first = line!() + 1;
        let mut file = File::create("/file").await.unwrap();
        file.set_len(2).await.unwrap();
        file.write_all_at(b"text", 9).await.unwrap();
        super::create_dir_all("/a/b").await.unwrap();
        super::rename("/file", "/a/b/c").await.unwrap();
        super::write("/file", "text").await.unwrap();
        super::remove_dir_all("/a").await.unwrap();
        // What goes through a trait has the place at which the file was opened.
        file.write_all(b"text").await.unwrap();
        file.flush().await.unwrap();
        let lines = context::world(|world, node| lines(&world.disks.device(node, 0).fs));
        (first, lines)
    });
    let (first, lines) = outcome.unwrap();
    let expected: Vec<u32> = (first..first + 7).chain([first]).collect();
    assert_eq!(lines, expected);
}
