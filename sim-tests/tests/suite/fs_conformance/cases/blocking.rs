//! std's calls, which do not wait.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

#[allow(unused_imports, reason = "one arm needs them")]
use super::super::traits::*;
use super::super::{Stage, blocking};

pub(crate) async fn blocking_traits(stage: Stage) {
    let path = stage.at("file");
    let mut file = blocking::File::create_new(&path).unwrap();
    stage.put("write", file.write(b"one two"));
    stage.put("write all", file.write_all(b" three"));
    stage.put("formatted", write!(file, " {}", 4));
    stage.put("flush", file.flush());
    stage.put("sync", file.sync_all());
    stage.put("sync data", file.sync_data());
    stage.put("seek", file.seek(SeekFrom::Start(4)));
    let mut word = [0; 3];
    stage.put("read", file.read_exact(&mut word));
    stage.note("word", word);
    let mut text = "before".to_owned();
    stage.put("rest", file.read_to_string(&mut text));
    stage.note("text", text);
    stage.put("end", file.read(&mut word));
    stage.put("too far", file.read_exact(&mut word));
    stage.put("before the start", file.seek(SeekFrom::Current(-100)));
    let mut clone = file.try_clone().unwrap();
    stage.put("rewind", clone.rewind());
    let mut bytes = Vec::new();
    stage.put("all", (&file).read_to_end(&mut bytes));
    stage.note("bytes", bytes);
    stage.put("set", file.set_len(3));
    stage.put("content", blocking::read_to_string(&path));
    let read_only = blocking::File::open(&path).unwrap();
    stage.put("write", (&read_only).write(b"x"));
    stage.put("write all", (&read_only).write_all(b"x"));
    let write_only = blocking::File::create(&path).unwrap();
    stage.put("read", (&write_only).read(&mut word));
    stage.put("to the end", (&write_only).read_to_end(&mut Vec::new()));
    blocking::write(&path, b"\xff").unwrap();
    stage.put("text", blocking::read_to_string(&path));
    let mut text = "before".to_owned();
    let read = blocking::File::open(&path)
        .unwrap()
        .read_to_string(&mut text);
    stage.put("text", read);
    stage.note("text", text);
    stage.made("none", blocking::File::open(stage.at("none")));
}

pub(crate) async fn blocking_positions(stage: Stage) {
    let path = stage.at("file");
    let mut options = blocking::OpenOptions::new();
    options.read(true).write(true).create(true);
    let mut file = options.truncate(true).open(&path).unwrap();
    stage.put("write all", file.write_all_at(b"0123456789", 2));
    stage.put("write", file.write_at(b"xy", 4));
    let mut four = [0; 4];
    stage.put("read", file.read_at(&mut four, 3));
    stage.note("four", four);
    stage.put("read exactly", file.read_exact_at(&mut four, 8));
    stage.note("four", four);
    stage.put("near the end", file.read_at(&mut four, 10));
    stage.put("too far", file.read_exact_at(&mut four, 10));
    stage.put("beyond", file.read_at(&mut four, 100));
    stage.put("place", file.stream_position());
    stage.put("nowhere", file.read_at(&mut four, u64::MAX));
    stage.put("content", blocking::read(&path));
    let mut options = blocking::OpenOptions::new();
    let appending = options.append(true).open(&path).unwrap();
    stage.put("append", appending.write_at(b"end", 0));
    stage.put("content", blocking::read(&path));
}

pub(crate) async fn blocking_directories(stage: Stage) {
    let path = |name: &str| stage.at(name);
    stage.put("make", blocking::create_dir_all(path("a/b/c")));
    stage.put("again", blocking::create_dir(path("a")));
    stage.put("write", blocking::write(path("a/file"), "text"));
    stage.put("copy", blocking::copy(path("a/file"), path("a/b/copy")));
    stage.put(
        "link",
        blocking::hard_link(path("a/file"), path("a/second")),
    );
    stage.put(
        "rename",
        blocking::rename(path("a/second"), path("a/third")),
    );
    stage.put("canonical", blocking::canonicalize(path("a/b/../file")));
    stage.put("exists", blocking::exists(path("a/file")));
    stage.put("exists", blocking::exists(path("none")));
    stage.put(
        "length",
        blocking::metadata(path("a/file")).map(|m| m.len()),
    );
    let entries = blocking::read_dir(path("a")).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        let metadata = entry.metadata().unwrap();
        let same = entry.ino() == metadata.ino();
        (entry.file_name(), entry.path(), kind.is_dir(), same)
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    stage.note("entries", entries);
    stage.made("none", blocking::read_dir(path("none")));
    let mut builder = blocking::DirBuilder::new();
    builder.recursive(true).mode(0o750);
    stage.put("built", builder.create(path("p/q")));
    let mode = blocking::symlink_metadata(path("p/q")).unwrap().mode();
    stage.note("mode", mode);
    stage.put("full", blocking::remove_dir(path("a")));
    stage.put("file", blocking::remove_file(path("a/third")));
    stage.put("all", blocking::remove_dir_all(path("a")));
    stage.put("all", blocking::remove_dir_all(path("a")));
    stage.put("link", blocking::read_link(path("p")));
}

pub(crate) async fn blocking_times(stage: Stage) {
    let path = stage.at("file");
    let file = blocking::File::create(&path).unwrap();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let shown = |path: &Path| {
        let metadata = blocking::metadata(path).unwrap();
        let times = [metadata.modified(), metadata.accessed()];
        times.map(|time| {
            time.unwrap()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
        })
    };
    let times = blocking::FileTimes::new();
    let times = times.set_modified(at(1_000)).set_accessed(at(2_000));
    stage.put("set", file.set_times(times));
    stage.note("times", shown(&path));
    stage.put("set", file.set_modified(at(3_000)));
    stage.note("times", shown(&path));
    stage.put("write", (&file).write(b"x"));
    let [modified, _] = shown(&path);
    stage.note(
        "changed by writing",
        modified > Duration::from_secs(1_000_000),
    );
}

pub(crate) async fn locks(stage: Stage) {
    let path = stage.at("file");
    let open = || blocking::File::create(&path).unwrap();
    let shown = |result: Result<(), std::fs::TryLockError>| match result {
        Ok(()) => "locked".to_owned(),
        Err(std::fs::TryLockError::WouldBlock) => "would block".to_owned(),
        Err(std::fs::TryLockError::Error(error)) => format!("{:?}", error.kind()),
    };
    let (a, b, c) = (open(), open(), open());
    stage.note("a", shown(a.try_lock()));
    stage.note("b", shown(b.try_lock()));
    stage.note("b shared", shown(b.try_lock_shared()));
    let clone = a.try_clone().unwrap();
    stage.note("a clone", shown(clone.try_lock()));
    drop(a);
    stage.note("b after one is closed", shown(b.try_lock()));
    stage.put("unlock", clone.unlock());
    stage.note("b", shown(b.try_lock_shared()));
    stage.note("c shared", shown(c.try_lock_shared()));
    stage.note("c alone", shown(c.try_lock()));
    stage.note("b alone", shown(b.try_lock()));
    stage.put("unlock", b.unlock());
    stage.put("unlock again", b.unlock());
    stage.put("lock", b.lock());
    stage.note("c", shown(c.try_lock_shared()));
    drop(b);
    stage.put("lock shared", c.lock_shared());
}
