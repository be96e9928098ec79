//! The same calls in the model and on the kernel's file system: same results, errors and trees.
//!
//! The kernel's arm works in a fresh directory below the system's one for temporary files, which
//! takes the root's place. Not compared: times, inode numbers and blocks; the length of
//! directories; their links, where the file system does not count directories in them (Btrfs,
//! overlayfs); places in directories. Permissions are compared only if the tests do not run as
//! root, whom none stops; then the model alone must give what is expected.

mod cases;
mod kernel;
mod random;

use super::script::{PUT, Step, show};
use super::*;
use kernel::{Kernel, Place};

/// Carries out each step on both, and compares what they give and what is there in the end. The
/// outcome of the last step.
fn compare(place: Place, script: &[String]) -> Result<String, String> {
    let mut kernel = Kernel::new(place);
    let mut disk = disk();
    disk.set_umask(place.facts().umask);
    let mut last = String::new();
    for (number, line) in script.iter().enumerate() {
        let step = Step::parse(line);
        if !kernel.is_comparable(&step) {
            continue;
        }
        let (real, ours) = (kernel.show(&step), show(&disk.step(&step)));
        let ours = kernel.comparable(ours);
        disk.check();
        if real != ours {
            return Err(format!(
                "step {number}, `{line}`: the kernel gives {real}, the model {ours}"
            ));
        }
        last = ours;
    }
    let mut trees = [Vec::new(), Vec::new()];
    list(&mut |step| kernel.show(step), "", &mut trees[0]);
    list(&mut |step| show(&disk.step(step)), "", &mut trees[1]);
    for line in &mut trees[1] {
        *line = kernel.comparable(core::mem::take(line));
    }
    // What is open, by name or not.
    for fd in 3..13 {
        for line in [format!("read {fd} 20480 @0"), format!("fstat {fd}")] {
            let step = Step::parse(&line);
            trees[0].push(format!("{line}: {}", kernel.show(&step)));
            let ours = kernel.comparable(show(&disk.step(&step)));
            trees[1].push(format!("{line}: {ours}"));
        }
    }
    if trees[0] != trees[1] {
        return Err(format!(
            "what is left: the kernel has {:#?}, the model {:#?}",
            trees[0], trees[1]
        ));
    }
    Ok(last)
}

/// Everything below a directory, a line for each name.
fn list(show: &mut dyn FnMut(&Step) -> String, dir: &str, lines: &mut Vec<String>) {
    let entries = show(&Step::parse(&format!("ls /{dir}")));
    lines.push(format!("/{dir}: {entries}"));
    for entry in entries.trim_matches(['[', ']']).split(' ') {
        let name = entry.trim_end_matches(['/', '@']).trim_matches('"');
        if name.is_empty() || name.contains('{') {
            continue;
        }
        let path = format!("{dir}/{name}");
        let mut line = |call: &str| {
            let shown = show(&Step::parse(&format!("{call} {path}")));
            lines.push(format!("{path}: {shown}"));
        };
        line("lstat");
        if entry.ends_with('@') {
            line("readlink");
        } else if entry.ends_with('/') {
            list(show, &path, lines);
        } else {
            let open = Step::parse(&format!("open {path} read"));
            let opened = show(&open);
            if let Some(fd) = opened.strip_prefix("fd ") {
                let content = show(&Step::parse(&format!("read {fd} 20000")));
                lines.push(format!("{path}: {content}"));
                show(&Step::parse(&format!("close {fd}")));
            } else {
                lines.push(format!("{path}: {opened}"));
            }
        }
    }
}
