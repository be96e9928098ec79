//! Whom a module may name: only modules of lower floors.

use super::source::{Source, paths};
use super::{Complaints, catches, complain, judge};

/// The floors of ARCHITECTURE.md: a module may name only modules of lower floors.
const FLOORS: &[(u32, &[&str])] = &[
    (0, &["kernel"]),
    (1, &["model"]),
    (2, &["fault"]),
    (3, &["exec", "sys"]),
    (
        4,
        &[
            "fs", "io", "net", "point", "property", "rand", "real", "select", "sync", "task",
            "time",
        ],
    ),
    (5, &["hyper", "sim"]),
    (6, &["check"]),
    (7, &["explore"]),
    (8, &["report"]),
    (9, &["run"]),
];

/// Modules of one floor of which the first may name the second.
const NEIGHBOURS: &[(&str, &str)] = &[
    // The executor opens and closes the gate of the interposed symbols around each poll; `sys`
    // knows it only as a table of functions.
    ("exec", "sys"),
];

/// The floor of a top-level module of the library; `None` for `lib` and for what is unknown.
pub(super) fn floor_of(module: &str) -> Option<u32> {
    FLOORS
        .iter()
        .find(|(_, modules)| modules.contains(&module))
        .map(|(floor, _)| *floor)
}

fn floors_rule(source: &Source) -> Complaints {
    let module = source.module().expect("a file of the library");
    if module == "lib" || source.is_test() {
        return Vec::new();
    }
    let Some(floor) = floor_of(module) else {
        return vec![complain(
            source,
            1,
            &format!("`{module}` is on no floor: give it one"),
        )];
    };
    let mut complaints = Vec::new();
    for (line, path) in paths(&source.code_without_tests, "crate") {
        let named = path.split("::").next().expect("a path has a beginning");
        let allowed = match floor_of(named) {
            Some(other) => {
                other < floor || named == module || NEIGHBOURS.contains(&(module, named))
            }
            // The crate's face: only the top floor may use what a user does.
            None => floor == 9,
        };
        if !allowed {
            let what = format!("`{module}` is on floor {floor} and may not name `crate::{path}`");
            complaints.push(complain(source, line, &what));
        }
    }
    complaints
}

#[test]
fn floors() {
    judge(&["src"], floors_rule);
    catches(
        floors_rule,
        "src/exec/a.rs",
        "use crate::sim::Sim;",
        "use crate::sys::enter;",
    );
    catches(
        floors_rule,
        "src/sys/a.rs",
        "use crate::exec::World;",
        "use crate::sys::place;",
    );
    catches(
        floors_rule,
        "src/model/net/a.rs",
        "fn f() { crate::{kernel::Queue, exec::context::with(g)} }",
        "use crate::{kernel::Queue, model::clock};",
    );
    catches(
        floors_rule,
        "src/time/a.rs",
        "use crate::net::X;",
        "// crate::sim::Sim\n",
    );
    catches(
        floors_rule,
        "src/report/a.rs",
        "x: crate::Policy",
        "#[cfg(test)] use crate::run;",
    );
    assert!(!floors_rule(&Source::new("src/nowhere/a.rs", "")).is_empty());
}
