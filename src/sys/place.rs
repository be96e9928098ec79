//! Finds the line of the program that made a call, by reading a backtrace as text.
//!
//! std offers a backtrace's frames in no other form on stable Rust. Its text is not a promise, so
//! what cannot be read is left out: a place is a help to the reader and decides nothing.

use std::backtrace::Backtrace;

use super::inside::outside;

/// The innermost frame of the calling thread that belongs to the program under test.
pub(super) fn of_caller() -> Option<String> {
    outside(|| in_backtrace(&Backtrace::force_capture().to_string()))
}

/// The innermost frame of the program in a backtrace's text.
///
/// A frame of a package from a registry is second choice: the reader looks for their own line.
fn in_backtrace(text: &str) -> Option<String> {
    let mut of_dependency = None;
    for frame in frames(text) {
        if is_plumbing(frame) {
            continue;
        }
        if frame
            .location
            .is_none_or(|location| !is_dependency(location))
        {
            return Some(frame.to_string());
        }
        of_dependency.get_or_insert(frame);
    }
    of_dependency.map(|frame| frame.to_string())
}

/// One frame: its function and, with line tables, `file:line`.
#[derive(Clone, Copy)]
struct Frame<'a> {
    function: &'a str,
    location: Option<&'a str>,
}

impl core::fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The body of an async function or a closure is shown as the function it stands in.
        let mut function = self.function;
        while let Some(outer) = function
            .rsplit_once("::{")
            .filter(|(_, last)| last.contains("closure"))
        {
            function = outer.0;
        }
        match self.location {
            Some(location) => write!(f, "{location} in {function}"),
            None => f.write_str(function),
        }
    }
}

/// The frames of a backtrace's text, innermost first.
///
/// A frame is a line `12: function` (without the number if it was inlined), and then, with line
/// tables, a line `at file:line:column`.
fn frames(text: &str) -> impl Iterator<Item = Frame<'_>> {
    let mut lines = text.lines().map(str::trim).peekable();
    core::iter::from_fn(move || {
        let line = lines.next()?;
        let location = lines.next_if(|next| next.starts_with("at ")).map(|at| {
            let place = at.trim_start_matches("at ").trim_start_matches("./");
            place
                .rsplit_once(':')
                .map_or(place, |(without_column, _)| without_column)
        });
        let function = match line.split_once(": ") {
            Some((number, function)) if number.parse::<u32>().is_ok() => function,
            _ => line,
        };
        Some(Frame { function, location })
    })
}

/// Whether a frame belongs to std, to libc, or to this crate.
fn is_plumbing(frame: Frame<'_>) -> bool {
    const CRATES: [&str; 6] = [
        "std::",
        "core::",
        "alloc::",
        "test::",
        "stormglass::",
        "__rustc::",
    ];
    // `<std::thread::Builder as ..>::f` belongs to std like `std::thread::f`.
    let function = frame.function.trim_start_matches(['<', '&']);
    // A function of C has no path.
    let is_c = !function.contains("::");
    is_c || CRATES.iter().any(|name| function.starts_with(name))
        || frame
            .location
            .is_some_and(|location| location.starts_with("/rustc/"))
}

/// Whether a source file comes from a package that cargo fetched.
fn is_dependency(location: &str) -> bool {
    location.contains("/registry/src/") || location.contains("/git/checkouts/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(in_backtrace(text).as_deref(), expected);
    }

    #[test]
    fn skips_std_libc_and_this_crate() {
        check(
            "   0: std::backtrace::Backtrace::force_capture\n             \
                at /rustc/abc/library/std/src/backtrace.rs:312:9\n   \
                1: stormglass::sys::place::of_caller\n             at ./src/sys/place.rs:12:1\n   \
                2: open64\n             at ./src/sys/symbols/file.rs:40:5\n   \
                3: <std::fs::File>::open::<&str>\n   \
                4: my_crate::load::{{closure}}\n             at ./src/store.rs:12:20\n   \
                5: my_crate::main\n             at ./src/main.rs:3:1\n",
            Some("src/store.rs:12 in my_crate::load"),
        );
    }

    #[test]
    fn prefers_the_readers_own_crate_to_a_dependency() {
        let dependency = "   3: mio::net::bind\n             \
            at /home/u/.cargo/registry/src/index.crates.io-1/mio-1.0.0/src/lib.rs:5:6\n";
        let own = "   4: my_crate::serve::{closure#0}::{closure#1}\n             \
            at ./src/serve.rs:9:1\n";
        check(
            &format!("{dependency}{own}"),
            Some("src/serve.rs:9 in my_crate::serve"),
        );
        check(
            dependency,
            Some(
                "/home/u/.cargo/registry/src/index.crates.io-1/mio-1.0.0/src/lib.rs:5 \
                 in mio::net::bind",
            ),
        );
    }

    #[test]
    fn names_the_function_without_line_tables() {
        check(
            "   0: pthread_create\n   1: my_crate::f\n",
            Some("my_crate::f"),
        );
    }

    #[test]
    fn an_inlined_frame_has_no_number() {
        check(
            "   0: core::option::map\n      my_crate::inner\n             at src/a.rs:1:2\n",
            Some("src/a.rs:1 in my_crate::inner"),
        );
    }

    #[test]
    fn no_frame_of_the_program_is_no_place() {
        check("   0: std::thread::spawn\n   1: clone3\n", None);
        check("", None);
    }
}
