//! How a program came to a call: the places of its own code, and of its libraries', on a stack.
//!
//! Owns what of a printed stack is the program's. std gives a stack as text only.

use core::panic::Location;
use std::env;

/// The places above `place` on a printed stack, the innermost first, up to where this crate began
/// to run the program. Files of packages are told by package, others as `place` tells its own.
pub(crate) fn way_to(stack: &str, place: &Location<'_>) -> Vec<String> {
    let here = env::current_dir().unwrap_or_default();
    let here = here.display().to_string();
    way(stack, (place.file(), place.line()), &here)
}

fn way(stack: &str, (file, line): (&str, u32), here: &str) -> Vec<String> {
    let mut places: Vec<(String, String)> = Vec::new();
    let mut symbol = "";
    for text in stack.lines().map(str::trim_start) {
        let Some(at) = text.strip_prefix("at ") else {
            symbol = symbol_of(text);
            continue;
        };
        let is_host = HOSTS.iter().any(|host| symbol.starts_with(host));
        if is_host && !places.is_empty() || symbol.starts_with(BOTTOM) {
            break;
        }
        let is_own = OWN.iter().any(|own| symbol.starts_with(own));
        if let Some(place) = place_of(at, here)
            && !is_own
            && !is_std(&place.0)
            && places.last() != Some(&place)
        {
            places.push(place);
        }
    }
    // The innermost is the place itself, by a path that begins somewhere else.
    let root = places.first().and_then(|(innermost, at)| {
        let root = innermost.strip_suffix(file)?;
        (*at == line.to_string()).then(|| root.to_owned())
    });
    let first = usize::from(root.is_some());
    let places = places.iter().skip(first).take(PLACES);
    let mut directory = file.rsplit_once('/').map_or("", |(above, _)| above);
    let mut told = Vec::new();
    for (file, line) in places {
        let file = in_package(file).unwrap_or_else(|| {
            let root = root.as_deref().unwrap_or_default();
            file.strip_prefix(root).unwrap_or(file)
        });
        let (above, name) = file.rsplit_once('/').unwrap_or(("", file));
        // Of a file that lies beside the one before, the name is enough.
        let shown = if above == directory { name } else { file };
        told.push(format!("{shown}:{line}"));
        directory = above;
    }
    told
}

/// What `12: a::symbol` names, without the bracket of a method of a trait.
fn symbol_of(text: &str) -> &str {
    let named = text.split_once(": ").filter(|(number, _)| {
        let mut digits = number.bytes();
        digits.all(|byte| byte.is_ascii_digit())
    });
    let symbol = named.map_or(text, |(_, symbol)| symbol);
    symbol.strip_prefix('<').unwrap_or(symbol)
}

/// File and line of `/a/file.rs:12:5`.
fn place_of(at: &str, here: &str) -> Option<(String, String)> {
    let (rest, _) = at.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let file = match file.strip_prefix("./") {
        Some(below) => format!("{here}/{below}"),
        None => file.to_owned(),
    };
    Some((file, line.to_owned()))
}

/// A file of a package that cargo has downloaded, from the package's directory on.
fn in_package(file: &str) -> Option<&str> {
    let (_, below) = ["/registry/src/", "/git/checkouts/"]
        .iter()
        .find_map(|sources| file.split_once(sources))?;
    let (_, file) = below.split_once('/')?;
    Some(file)
}

fn is_std(file: &str) -> bool {
    file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/library/")
}

/// Symbols of this crate, and of what std and the compiler put between.
const OWN: &[&str] = &["stormglass::", "std::", "core::", "alloc::", "__rust"];
/// Whatever runs programs: below it on the stack is nothing of theirs.
const HOSTS: &[&str] = &[
    "stormglass::explore::",
    "stormglass::exec::",
    "async_task::",
];
/// Where each run of a program begins.
const BOTTOM: &str = "stormglass::explore::crashes::engine::";
/// Places of one stack that are told.
const PLACES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "   0: std::backtrace::Backtrace::create
             at /rustc/5980/library/std/src/backtrace.rs:331:13
   1: stormglass::model::disk::stacks::Stacks::met
             at /h/storm/src/model/disk/stacks.rs:52:40
   2: <stormglass::fs::blocking::file::File>::write_all_at
             at /h/storm/src/fs/blocking/file.rs:300:5
   3: <engine::Backend as redb::backends::StorageBackend>::write
             at ./engines/redb.rs:184:19
   4: redb::tree::cached_file::PagedCachedFile::flush
             at /h/.cargo/registry/src/index-1949/redb-4.1.0/src/tree/cached_file.rs:450:30
      redb::tree::page_manager::commit
             at /h/.cargo/registry/src/index-1949/redb-4.1.0/src/tree/page_manager.rs:612:22
   5: core::ops::function::FnOnce::call_once
             at /h/.rustup/lib/rustlib/src/rust/library/core/src/ops/function.rs:250:5
   6: <Box<F> as core::ops::FnOnce>::call_once
             at /h/.rustup/lib/rustlib/src/rust/library/alloc/src/boxed.rs:1:5
   7: engine::commit
             at ./engines/redb.rs:100:5
   8: stormglass::explore::crashes::entry::explore_crashes
             at /h/storm/src/explore/crashes/entry.rs:190:5
   9: engine::explore
             at ./engines/redb.rs:80:5
";

    #[test]
    fn a_stack_is_told_by_its_places() {
        let expected = [
            "redb-4.1.0/src/tree/cached_file.rs:450",
            "page_manager.rs:612",
            "sim-tests/engines/redb.rs:100",
        ];
        let place = ("sim-tests/engines/redb.rs", 184);
        assert_eq!(way(STACK, place, "/h/storm/sim-tests"), expected);
    }

    #[test]
    fn a_stack_without_a_program_tells_nothing() {
        let only = "   0: stormglass::model::disk::stacks::Stacks::met
             at /h/storm/src/model/disk/stacks.rs:52:40
   1: stormglass::explore::crashes::engine::explore
             at /h/storm/src/explore/crashes/engine.rs:52:40
   2: main
             at ./nptl/pthread_create.c:442:8
";
        let told = way(only, ("a.rs", 1), "/");
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn a_stack_without_files_tells_nothing() {
        let bare: Vec<&str> = STACK
            .lines()
            .filter(|line| !line.contains(" at "))
            .collect();
        let told = way(&bare.join("\n"), ("a.rs", 1), "/");
        assert!(told.is_empty(), "{told:?}");
    }
}
