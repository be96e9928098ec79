//! Names: directories, links, what is known of them.

#[allow(unused_imports, reason = "one arm needs them")]
use super::super::traits::*;
use super::super::{AsyncReadExt, Permissions, Stage, fs};

pub(crate) async fn names_that_are_none(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    let long = "x".repeat(256);
    let far = format!("{}x", "y/".repeat(2_100));
    for name in ["a\0b", &long, &far, "file/", "file/.", "none/", "none/.."] {
        let shown = &name[..name.len().min(8)];
        let path = stage.at(name);
        stage.put(&format!("read {shown}"), fs::read(&path).await);
        stage.put(&format!("write {shown}"), fs::write(&path, "").await);
        stage.put(&format!("make {shown}"), fs::create_dir(&path).await);
        stage.put(&format!("remove {shown}"), fs::remove_file(&path).await);
    }
    stage.put("nothing", fs::read("").await);
    stage.put("make nothing", fs::create_dir("").await);
    stage.put(
        "remove the root",
        fs::remove_dir("/").await.map_err(|_| kind()),
    );
}

/// Which error the root gives depends on what is mounted there.
fn kind() -> std::io::Error {
    std::io::ErrorKind::Other.into()
}

pub(crate) async fn metadata_of_all_kinds(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    fs::create_dir(stage.at("dir")).await.unwrap();
    fs::symlink("file", stage.at("link")).await.unwrap();
    fs::symlink("none", stage.at("dangling")).await.unwrap();
    for name in ["file", "dir", "link", "dangling", "none", "file/x"] {
        let path = stage.at(name);
        let results = [fs::metadata(&path).await, fs::symlink_metadata(&path).await];
        for metadata in results {
            let shown = metadata.map(|metadata| {
                let kind = metadata.file_type();
                let length = if metadata.is_dir() { 0 } else { metadata.len() };
                (
                    [metadata.is_file(), metadata.is_dir(), metadata.is_symlink()],
                    [kind.is_file(), kind.is_dir(), kind.is_symlink()],
                    length,
                    metadata.mode() & 0o170_000,
                )
            });
            stage.put(name, shown);
        }
    }
    let link = fs::symlink_metadata(stage.at("link")).await.unwrap();
    stage.note("mode of a link", link.mode());
    let file = fs::File::open(stage.at("file")).await.unwrap();
    let metadata = file.metadata().await.unwrap();
    let by_path = fs::metadata(stage.at("link")).await.unwrap();
    stage.note("same", metadata.ino() == by_path.ino());
    stage.note("names", metadata.nlink());
    stage.note("blocks", metadata.blocks() > 0);
}

pub(crate) async fn directories_are_listed(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    fs::create_dir(stage.at("dir")).await.unwrap();
    fs::symlink("file", stage.at("link")).await.unwrap();
    let mut entries = fs::read_dir(&stage.root).await.unwrap();
    let mut lines = Vec::new();
    while let Some(entry) = entries.next_entry().await.unwrap() {
        let kind = entry.file_type().await.unwrap();
        let metadata = entry.metadata().await.unwrap();
        lines.push((
            entry.file_name(),
            entry.path(),
            [kind.is_file(), kind.is_dir(), kind.is_symlink()],
            metadata.is_symlink(),
            entry.ino() == metadata.ino(),
        ));
    }
    lines.sort();
    stage.note("entries", lines);
    stage.put(
        "end",
        entries.next_entry().await.map(|entry| entry.is_none()),
    );
    stage.made("none", fs::read_dir(stage.at("none")).await);
    stage.made("a file", fs::read_dir(stage.at("file")).await);
    stage.made("a link to a file", fs::read_dir(stage.at("link")).await);
    let mut empty = fs::read_dir(stage.at("dir")).await.unwrap();
    stage.put(
        "empty",
        empty.next_entry().await.map(|entry| entry.is_none()),
    );
}

/// What is below a directory, with the content of files.
async fn tree(stage: &Stage) {
    let mut todo = vec![stage.root.clone()];
    let mut lines = Vec::new();
    while let Some(directory) = todo.pop() {
        let mut entries = fs::read_dir(&directory).await.unwrap();
        while let Some(entry) = entries.next_entry().await.unwrap() {
            let kind = entry.file_type().await.unwrap();
            let path = entry.path();
            let content = if kind.is_file() {
                fs::read_to_string(&path).await.unwrap()
            } else {
                String::new()
            };
            if kind.is_dir() {
                todo.push(path.clone());
            }
            lines.push((path, content));
        }
    }
    lines.sort();
    stage.note("tree", lines);
}

pub(crate) async fn renames(stage: Stage) {
    fs::create_dir_all(stage.at("full/below")).await.unwrap();
    fs::create_dir_all(stage.at("empty")).await.unwrap();
    for name in ["a", "b", "full/file"] {
        fs::write(stage.at(name), name).await.unwrap();
    }
    fs::hard_link(stage.at("a"), stage.at("same"))
        .await
        .unwrap();
    fs::symlink("a", stage.at("link")).await.unwrap();
    for (from, to) in [
        ("none", "x"),
        ("a", "none/x"),
        ("a", "a"),
        ("a", "same"),
        ("a", "b"),
        ("b", "empty"),
        ("empty", "b"),
        ("empty", "full"),
        ("full", "full/below/inside"),
        ("full/below", "full"),
        ("full", "empty"),
        ("link", "moved"),
        ("empty/file", "file"),
        ("file", "file/x"),
        ("file/x", "y"),
        (".", "x"),
    ] {
        let renamed = fs::rename(stage.at(from), stage.at(to)).await;
        stage.put(&format!("{from} to {to}"), renamed);
        tree(&stage).await;
    }
}

pub(crate) async fn removals(stage: Stage) {
    fs::create_dir_all(stage.at("full/below")).await.unwrap();
    fs::write(stage.at("file"), "text").await.unwrap();
    fs::symlink("full", stage.at("link")).await.unwrap();
    for name in ["none", "full", "file/x", "link/"] {
        let path = stage.at(name);
        stage.put(&format!("file {name}"), fs::remove_file(&path).await);
    }
    for name in ["none", "full", "file", "link", "full/.", "full/below/.."] {
        let path = stage.at(name);
        stage.put(&format!("directory {name}"), fs::remove_dir(&path).await);
    }
    // A file that is open is there until it is closed.
    let mut file = fs::File::open(stage.at("file")).await.unwrap();
    stage.put("file", fs::remove_file(stage.at("file")).await);
    let mut text = String::new();
    stage.put("read", file.read_to_string(&mut text).await);
    let names = file.metadata().await.map(|metadata| metadata.nlink());
    stage.put("names", names);
    stage.put("link", fs::remove_file(stage.at("link")).await);
    stage.put("below", fs::remove_dir(stage.at("full/below")).await);
    stage.put("full", fs::remove_dir(stage.at("full")).await);
    tree(&stage).await;
}

pub(crate) async fn directories_with_those_above(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    fs::create_dir(stage.at("dir")).await.unwrap();
    fs::symlink("dir", stage.at("link")).await.unwrap();
    for name in [
        "a/b/c", "a/b/c", "a", "file", "file/x", "link", "link/x", ".",
    ] {
        let path = stage.at(name);
        stage.put(&format!("all {name}"), fs::create_dir_all(&path).await);
    }
    for name in ["a", "x/y", "file", "file/x", "link", "z"] {
        let path = stage.at(name);
        stage.put(&format!("one {name}"), fs::create_dir(&path).await);
    }
    let mut builder = fs::DirBuilder::new();
    stage.put("built", builder.create(stage.at("p/q")).await);
    builder.recursive(true).mode(0o700);
    stage.put("built", builder.create(stage.at("p/q")).await);
    let mode = fs::metadata(stage.at("p/q")).await.unwrap().mode();
    stage.note("mode", mode);
    stage.put("nothing", fs::create_dir_all("").await);
    tree(&stage).await;
}

pub(crate) async fn trees_are_removed(stage: Stage) {
    fs::create_dir_all(stage.at("a/b/c")).await.unwrap();
    fs::create_dir_all(stage.at("a/d")).await.unwrap();
    fs::create_dir_all(stage.at("kept")).await.unwrap();
    for name in ["a/1", "a/b/2", "a/b/c/3", "kept/4", "file"] {
        fs::write(stage.at(name), name).await.unwrap();
    }
    fs::symlink("../kept", stage.at("a/link")).await.unwrap();
    fs::symlink("kept", stage.at("link")).await.unwrap();
    for name in ["none", "file", "file/x", "link", "a"] {
        let path = stage.at(name);
        stage.put(name, fs::remove_dir_all(&path).await);
    }
    tree(&stage).await;
}

pub(crate) async fn copies(stage: Stage) {
    fs::write(stage.at("from"), "some text").await.unwrap();
    fs::write(stage.at("longer"), "some longer text")
        .await
        .unwrap();
    fs::create_dir(stage.at("dir")).await.unwrap();
    fs::symlink("from", stage.at("link")).await.unwrap();
    let permissions = Permissions::from_mode(0o640);
    fs::set_permissions(stage.at("from"), permissions)
        .await
        .unwrap();
    for (from, to) in [
        ("from", "new"),
        ("from", "longer"),
        ("link", "through"),
        ("from", "dir"),
        ("dir", "x"),
        ("none", "y"),
        ("from", "none/z"),
    ] {
        let copied = fs::copy(stage.at(from), stage.at(to)).await;
        stage.put(&format!("{from} to {to}"), copied);
    }
    for name in ["new", "longer", "through"] {
        let mode = fs::metadata(stage.at(name)).await.unwrap().mode();
        stage.note(name, mode);
    }
    tree(&stage).await;
}

pub(crate) async fn hard_links(stage: Stage) {
    fs::write(stage.at("file"), "text").await.unwrap();
    fs::create_dir(stage.at("dir")).await.unwrap();
    fs::symlink("file", stage.at("link")).await.unwrap();
    for (original, link) in [
        ("file", "second"),
        ("file", "second"),
        ("none", "x"),
        ("dir", "y"),
        ("file", "dir/third"),
        ("link", "of-link"),
        ("file", "none/z"),
    ] {
        let linked = fs::hard_link(stage.at(original), stage.at(link)).await;
        stage.put(&format!("{original} as {link}"), linked);
    }
    let metadata = fs::metadata(stage.at("file")).await.unwrap();
    stage.note("names", metadata.nlink());
    fs::write(stage.at("second"), "changed").await.unwrap();
    stage.put("content", fs::read_to_string(stage.at("dir/third")).await);
    let of_link = fs::symlink_metadata(stage.at("of-link")).await.unwrap();
    stage.note("a link has two names", of_link.is_symlink());
}

pub(crate) async fn symbolic_links(stage: Stage) {
    fs::create_dir(stage.at("dir")).await.unwrap();
    fs::write(stage.at("dir/file"), "text").await.unwrap();
    for (target, link) in [
        ("dir", "to-dir"),
        ("dir/file", "to-file"),
        ("none", "to-none"),
        ("loop", "loop"),
        ("b", "a"),
        ("a", "b"),
        ("", "empty"),
        ("x", "dir"),
        ("x", "none/y"),
        ("../dir/file", "dir/up"),
    ] {
        let linked = fs::symlink(target, stage.at(link)).await;
        stage.put(&format!("{link} says {target:?}"), linked);
    }
    for name in ["to-dir", "to-none", "dir", "none", "dir/file"] {
        stage.put(&format!("{name} says"), fs::read_link(stage.at(name)).await);
    }
    let paths = ["to-dir/file", "to-file", "to-none", "loop", "a", "dir/up"];
    for name in paths {
        let path = stage.at(name);
        stage.put(&format!("read {name}"), fs::read_to_string(&path).await);
        let exists = fs::try_exists(&path).await;
        stage.put(&format!("exists {name}"), exists);
    }
    stage.put("write", fs::write(stage.at("to-none"), "made").await);
    stage.put("made", fs::read_to_string(stage.at("none")).await);
    stage.made("new", fs::File::create_new(stage.at("to-none")).await);
}

pub(crate) async fn canonical_paths(stage: Stage) {
    fs::create_dir_all(stage.at("a/b")).await.unwrap();
    fs::write(stage.at("a/file"), "text").await.unwrap();
    fs::symlink("a/b", stage.at("link")).await.unwrap();
    fs::symlink("loop", stage.at("loop")).await.unwrap();
    let paths = [
        ".",
        "a/./b//",
        "a/b/..",
        "link",
        "link/..",
        "link/../file",
        "none",
        "a/file/",
    ];
    for name in paths {
        let path = fs::canonicalize(stage.at(name)).await;
        stage.put(name, path);
    }
    stage.put("loop", fs::canonicalize(stage.at("loop")).await);
    stage.put("root", fs::canonicalize("/..").await);
    stage.put("nothing", fs::canonicalize("").await);
}

#[allow(
    clippy::permissions_set_readonly_false,
    reason = "that it lets everybody write is compared"
)]
pub(crate) async fn permissions(stage: Stage) {
    let path = stage.at("file");
    fs::write(&path, "text").await.unwrap();
    let mode = async || fs::metadata(&path).await.unwrap().mode();
    for bits in [0o600, 0o755, 0o444, 0o4_755] {
        let set = fs::set_permissions(&path, Permissions::from_mode(bits)).await;
        stage.put("set", set);
        stage.note("mode", mode().await);
        let read_only = fs::metadata(&path).await.unwrap().permissions().readonly();
        stage.note("read only", read_only);
    }
    let file = fs::File::open(&path).await.unwrap();
    let mut permissions = file.metadata().await.unwrap().permissions();
    permissions.set_readonly(true);
    stage.put("set", file.set_permissions(permissions.clone()).await);
    stage.note("mode", mode().await);
    permissions.set_readonly(false);
    stage.put("set", file.set_permissions(permissions).await);
    stage.note("mode", mode().await);
    let none = fs::set_permissions(stage.at("none"), Permissions::from_mode(0o600)).await;
    stage.put("none", none);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options.open(stage.at("made")).await.unwrap();
    let made = fs::metadata(stage.at("made")).await.unwrap();
    stage.note("made", made.mode());
}
