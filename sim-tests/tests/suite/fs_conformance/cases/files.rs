//! Files: opening, reading, writing, seeking.

use std::future::Future;
use std::io::{IoSlice, SeekFrom};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

#[allow(unused_imports, reason = "one arm needs them")]
use super::super::traits::*;
use super::super::{AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, Stage, blocking, fs};
use super::{O_DIRECTORY, O_NOFOLLOW};

pub(crate) async fn open_what_is_not_there(stage: Stage) {
    stage.made("open", fs::File::open(stage.at("none")).await);
    stage.made("below", fs::File::create(stage.at("none/file")).await);
    stage.made("create", fs::File::create(stage.at("file")).await);
    stage.made("again", fs::File::create(stage.at("file")).await);
    stage.made("new", fs::File::create_new(stage.at("file")).await);
    stage.made("new other", fs::File::create_new(stage.at("other")).await);
    stage.made("through a file", fs::File::open(stage.at("file/x")).await);
    stage.made("a directory", fs::File::open(&stage.root).await);
    stage.made("to write", fs::File::create(&stage.root).await);
}

pub(crate) async fn open_in_every_way(stage: Stage) {
    for bits in 0..64_u32 {
        let is = |bit: u32| bits >> bit & 1 == 1;
        let mut options = fs::OpenOptions::new();
        options.read(is(0)).write(is(1)).append(is(2));
        options.truncate(is(3)).create(is(4)).create_new(is(5));
        for name in ["there", "new"] {
            let path = stage.at(name);
            fs::write(stage.at("there"), "text").await.unwrap();
            let _ = fs::remove_file(stage.at("new")).await;
            let call = format!("{name} {bits:06b}");
            let Some(mut file) = stage.made(&call, options.open(&path).await) else {
                continue;
            };
            let mut text = String::new();
            stage.put("read", file.read_to_string(&mut text).await);
            stage.put("write", file.write(b"more").await);
            stage.put("flush", file.flush().await);
            stage.put("content", fs::read_to_string(&path).await);
        }
    }
}

pub(crate) async fn custom_flags(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    fs::symlink("file", stage.at("link")).await.unwrap();
    for (name, flags) in [("directory", O_DIRECTORY), ("no follow", O_NOFOLLOW)] {
        for path in ["file", "link", "."] {
            let mut options = fs::OpenOptions::new();
            options.read(true).custom_flags(flags);
            let opened = options.open(stage.at(path)).await;
            stage.made(&format!("{name} {path}"), opened);
        }
    }
    let mut options = blocking::OpenOptions::new();
    options.read(true).custom_flags(O_NOFOLLOW);
    stage.made("blocking", options.open(stage.at("link")));
}

pub(crate) async fn write_and_read_back(stage: Stage) {
    let path = stage.at("file");
    let mut file = fs::File::options();
    file.read(true).write(true).create(true);
    let mut file = file.open(&path).await.unwrap();
    stage.put("write", file.write_all(b"one two three").await);
    stage.put("flush", file.flush().await);
    stage.put("seek", file.seek(SeekFrom::Start(4)).await);
    let mut word = [0; 3];
    stage.put("read", file.read_exact(&mut word).await);
    stage.note("word", word);
    let mut rest = String::new();
    stage.put("rest", file.read_to_string(&mut rest).await);
    stage.note("rest", rest);
    stage.put("end", file.read(&mut word).await);
    stage.put("nothing", file.read(&mut []).await);
    stage.put("write nothing", file.write(b"").await);
    stage.put("sync", file.sync_all().await);
    stage.put("sync data", file.sync_data().await);
    stage.put("shutdown", file.shutdown().await);
    stage.put("too far", file.read_exact(&mut word).await);
    let root = fs::File::open(&stage.root).await.unwrap();
    stage.put("sync the directory", root.sync_all().await);
}

pub(crate) async fn writes_take_what_fits(stage: Stage) {
    let path = stage.at("file");
    let mut file = fs::File::create(&path).await.unwrap();
    stage.note("buffer", file.max_buf_size());
    file.set_max_buf_size(4);
    stage.put("write", file.write(b"0123456789").await);
    stage.put("write", file.write(b"ab").await);
    stage.put("write all", file.write_all(b"0123456789").await);
    stage.put("flush", file.flush().await);
    stage.put("content", fs::read_to_string(&path).await);
    let mut file = fs::File::open(&path).await.unwrap();
    file.set_max_buf_size(4);
    let mut bytes = [0; 10];
    stage.put("read", file.read(&mut bytes).await);
    stage.put("read", file.read(&mut bytes[..2]).await);
    stage.note("bytes", bytes);
    let clone = file.try_clone().await.unwrap();
    stage.note("a clone's buffer", clone.max_buf_size());
}

pub(crate) async fn a_write_that_fails_is_told_later(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    let mut file = fs::File::open(stage.at("file")).await.unwrap();
    stage.put("write", file.write(b"x").await);
    stage.put("flush", file.flush().await);
    stage.put("flush again", file.flush().await);
    stage.put("write", file.write(b"x").await);
    stage.put("write again", file.write(b"y").await);
    stage.put("write", file.write(b"x").await);
    stage.put("sync", file.sync_all().await);
    stage.put("write after", file.write(b"y").await);
    stage.put("write", file.write(b"x").await);
    let mut text = String::new();
    stage.put("read", file.read_to_string(&mut text).await);
    stage.put("flush after", file.flush().await);
    stage.put("write", file.write(b"x").await);
    stage.put("seek", file.seek(SeekFrom::Start(1)).await);
    stage.put("flush after", file.flush().await);
    stage.put("content", fs::read_to_string(stage.at("file")).await);
}

pub(crate) async fn a_write_goes_on_when_its_file_is_dropped(stage: Stage) {
    let path = stage.at("file");
    let mut file = fs::File::create(&path).await.unwrap();
    stage.put("write", file.write(b"text").await);
    drop(file);
    while fs::metadata(&path).await.unwrap().len() == 0 {}
    stage.put("content", fs::read_to_string(&path).await);
    // What is asked for once goes on as well.
    let other = stage.at("other");
    {
        let mut written = pin!(fs::write(&other, "all of it"));
        let mut context = Context::from_waker(Waker::noop());
        let _ = written.as_mut().poll(&mut context);
    }
    while fs::read(&other).await.unwrap_or_default().is_empty() {}
    stage.put("content", fs::read_to_string(&other).await);
}

pub(crate) async fn vectored_writes(stage: Stage) {
    let mut file = fs::File::create(stage.at("file")).await.unwrap();
    stage.note("vectored", AsyncWrite::is_write_vectored(&file));
    let slices = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    stage.put("write", file.write_vectored(&slices).await);
    file.set_max_buf_size(5);
    stage.put("write", file.write_vectored(&slices).await);
    stage.put("flush", file.flush().await);
    stage.put("content", fs::read_to_string(stage.at("file")).await);
}

pub(crate) async fn seeks(stage: Stage) {
    let path = stage.at("file");
    fs::write(&path, "0123456789").await.unwrap();
    let mut options = fs::OpenOptions::new();
    let mut file = options.read(true).write(true).open(&path).await.unwrap();
    for to in [
        SeekFrom::Start(3),
        SeekFrom::Current(2),
        SeekFrom::Current(-4),
        SeekFrom::Current(-2),
        SeekFrom::End(-3),
        SeekFrom::End(-11),
        SeekFrom::End(5),
        SeekFrom::Start(u64::MAX),
        SeekFrom::Start(1 << 62),
        SeekFrom::Current(i64::MIN),
        SeekFrom::End(i64::MAX),
    ] {
        stage.put(&format!("{to:?}"), file.seek(to).await);
        stage.put("place", file.stream_position().await);
    }
    stage.put("seek", file.seek(SeekFrom::End(2)).await);
    stage.put("write", file.write_all(b"x").await);
    stage.put("rewind", file.rewind().await);
    stage.put("content", fs::read(&path).await);
    let mut two = [0; 2];
    stage.put("read", file.read_exact(&mut two).await);
    stage.put("place", file.stream_position().await);
    stage.put("write", file.write_all(b"yz").await);
    stage.put("flush", file.flush().await);
    stage.put("content", fs::read(&path).await);
}

pub(crate) async fn a_write_after_a_read_given_up(stage: Stage) {
    let path = stage.at("file");
    fs::write(&path, "0123456789").await.unwrap();
    let mut options = fs::OpenOptions::new();
    let mut file = options.read(true).write(true).open(&path).await.unwrap();
    let give_up = async |file: &mut fs::File, length: i64| loop {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        let polled = {
            let mut read = pin!(file.read(&mut bytes));
            let mut context = Context::from_waker(Waker::noop());
            read.as_mut().poll(&mut context)
        };
        if polled.is_pending() {
            break;
        }
        // A real thread may be as fast as that: once more.
        file.seek(SeekFrom::Current(-length)).await.unwrap();
    };
    give_up(&mut file, 4).await;
    // What was read for nobody is the next that is read.
    let mut two = [0; 2];
    stage.put("read", file.read_exact(&mut two).await);
    stage.note("two", two);
    // What is left of it is not passed over by a write.
    stage.put("write", file.write_all(b"x").await);
    stage.put("flush", file.flush().await);
    stage.put("content", fs::read_to_string(&path).await);
    give_up(&mut file, 3).await;
    stage.put("sync", file.sync_all().await);
    stage.put("seek", file.seek(SeekFrom::Current(1)).await);
    stage.put("read", file.read_exact(&mut two).await);
    stage.note("two", two);
}

pub(crate) async fn appends(stage: Stage) {
    let path = stage.at("file");
    fs::write(&path, "start").await.unwrap();
    let mut options = fs::OpenOptions::new();
    let mut file = options.append(true).read(true).open(&path).await.unwrap();
    stage.put("place", file.stream_position().await);
    stage.put("seek", file.seek(SeekFrom::Start(0)).await);
    stage.put("write", file.write_all(b" more").await);
    stage.put("flush", file.flush().await);
    stage.put("place", file.stream_position().await);
    fs::write(&path, "cut").await.unwrap();
    stage.put("write", file.write_all(b" again").await);
    stage.put("flush", file.flush().await);
    stage.put("content", fs::read_to_string(&path).await);
}

pub(crate) async fn lengths(stage: Stage) {
    let path = stage.at("file");
    let mut file = fs::File::create(&path).await.unwrap();
    file.write_all(b"0123456789").await.unwrap();
    stage.put("set", file.set_len(4).await);
    stage.put("content", fs::read(&path).await);
    stage.put("place", file.stream_position().await);
    stage.put("write", file.write_all(b"x").await);
    stage.put("set", file.set_len(13).await);
    stage.put("content", fs::read(&path).await);
    stage.put("too long", file.set_len(u64::MAX).await);
    let file = fs::File::open(&path).await.unwrap();
    stage.put("read only", file.set_len(1).await);
    let length = file.metadata().await.map(|metadata| metadata.len());
    stage.put("length", length);
}

pub(crate) async fn clones_share_their_place(stage: Stage) {
    let path = stage.at("file");
    fs::write(&path, "0123456789").await.unwrap();
    let mut file = fs::File::open(&path).await.unwrap();
    let mut clone = file.try_clone().await.unwrap();
    let mut two = [0; 2];
    stage.put("read", file.read_exact(&mut two).await);
    stage.put("read", clone.read_exact(&mut two).await);
    stage.note("two", two);
    drop(file);
    stage.put("read", clone.read_exact(&mut two).await);
    stage.note("two", two);
}

pub(crate) async fn whole_files(stage: Stage) {
    let path = stage.at("file");
    stage.put("write", fs::write(&path, "some text").await);
    stage.put("read", fs::read(&path).await);
    stage.put("text", fs::read_to_string(&path).await);
    stage.put("write", fs::write(&path, b"\xff\xfe").await);
    stage.put("text", fs::read_to_string(&path).await);
    stage.put("write", fs::write(&path, "").await);
    stage.put("read", fs::read(&path).await);
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    stage.put("write", fs::write(&path, &large).await);
    let same = fs::read(&path).await.map(|read| read == large);
    stage.put("read", same);
    stage.put("read a directory", fs::read(&stage.root).await);
    stage.put("write a directory", fs::write(&stage.root, "x").await);
    stage.put("exists", fs::try_exists(&path).await);
    stage.put("exists", fs::try_exists(stage.at("none")).await);
    stage.put("exists", fs::try_exists(path.join("x")).await);
}

pub(crate) async fn times(stage: Stage) {
    let path = stage.at("file");
    let mut file = fs::File::create(&path).await.unwrap();
    // Still on its way when the times are set.
    stage.put("write", file.write(b"x").await);
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let times = fs::FileTimes::new();
    let times = times.set_modified(at(1_000)).set_accessed(at(2_000));
    stage.put("set", file.set_times(times).await);
    for _ in 0..2 {
        let metadata = fs::metadata(&path).await.unwrap();
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        stage.note("modified", since(metadata.modified().unwrap()));
        stage.note("accessed", since(metadata.accessed().unwrap()));
        stage.put("set", file.set_modified(at(3_000)).await);
    }
    stage.put("set nothing", file.set_times(fs::FileTimes::new()).await);
    stage.put("no file", fs::File::open(stage.at("none")).await.map(drop));
}
