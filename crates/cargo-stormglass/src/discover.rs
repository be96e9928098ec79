//! Which simulation tests there are.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::args::CargoArgs;
use crate::cargo::{self, Program, Workspace};
use crate::marks::{self, PropertyMark};
use crate::stop::Stop;
use crate::units::hash;

/// A program that has simulation tests.
#[derive(Debug)]
pub struct Binary {
    pub program: Program,
    pub properties: Vec<PropertyMark>,
    /// The hash of its bytes: another build has other results.
    pub hash: u64,
    /// How many simulation tests it has that are not ignored.
    pub tests: usize,
}

/// A simulation test.
#[derive(Debug)]
pub struct Test {
    /// As test runners have it: without the crate.
    pub name: String,
    /// `file:line`.
    pub place: String,
    /// The number of its program.
    pub binary: usize,
}

/// All simulation tests that were built.
pub struct Found {
    pub workspace: Workspace,
    pub binaries: Vec<Binary>,
    pub tests: Vec<Test>,
}

impl Found {
    pub fn binary(&self, test: usize) -> &Binary {
        &self.binaries[self.tests[test].binary]
    }

    /// What tells a test from all others, in files and on lines of JSON.
    pub fn id(&self, test: usize) -> String {
        let program = &self.binary(test).program;
        let name = &self.tests[test].name;
        format!("{}::{}::{name}", program.package.name, program.target)
    }

    /// The tests whose name has `filter` in it.
    pub fn matching(&self, filter: Option<&str>) -> Vec<usize> {
        let matches =
            |test: &usize| filter.is_none_or(|filter| self.tests[*test].name.contains(filter));
        (0..self.tests.len()).filter(matches).collect()
    }

    /// The one test that is called so: exactly, or in part if no other is.
    pub fn one(&self, name: &str) -> Result<usize, Stop> {
        let all = 0..self.tests.len();
        let exact: Vec<usize> = all
            .filter(|test| self.tests[*test].name == name || self.id(*test) == name)
            .collect();
        let found = if exact.is_empty() {
            self.matching(Some(name))
        } else {
            exact
        };
        match found[..] {
            [test] => Ok(test),
            [] => Err(Stop::usage(format!(
                "there is no simulation test `{name}`: `cargo stormglass list` lists them"
            ))),
            [..] => {
                let names: Vec<String> = found.iter().map(|test| self.id(*test)).collect();
                Err(Stop::usage(format!(
                    "several tests are called `{name}`; say which, or choose a package by -p: {}",
                    names.join(", ")
                )))
            }
        }
    }
}

/// Builds the tests and finds those that are simulations. Programs that have none are not run.
pub fn find(args: &CargoArgs) -> Result<Found, Stop> {
    let workspace = cargo::workspace(args)?;
    let programs = cargo::build(args, &workspace)?;
    let (mut binaries, mut tests) = (Vec::new(), Vec::new());
    for program in programs {
        let bytes = fs::read(&program.path)
            .map_err(|error| Stop::file("cannot read", &program.path, error))?;
        let mut marks = marks::scan(&bytes);
        if marks.tests.is_empty() {
            continue;
        }
        let names = runnable(&program)?;
        marks
            .tests
            .retain(|mark| names.contains(name_of(&mark.path)));
        let binary = binaries.len();
        binaries.push(Binary {
            program,
            properties: marks.properties,
            hash: hash(&bytes),
            tests: marks.tests.len(),
        });
        tests.extend(marks.tests.into_iter().map(|mark| Test {
            name: name_of(&mark.path).to_owned(),
            place: mark.place,
            binary,
        }));
    }
    Ok(Found {
        workspace,
        binaries,
        tests,
    })
}

/// A test's path without its crate.
fn name_of(path: &str) -> &str {
    path.split_once("::").map_or(path, |(_, name)| name)
}

/// The names of a program's tests that are not ignored.
fn runnable(program: &Program) -> Result<BTreeSet<String>, Stop> {
    let listed = |more: &[&str]| {
        let output = Command::new(&program.path)
            .args(["--list", "--format", "terse"])
            .args(more)
            .current_dir(&program.package.root)
            .output()
            .map_err(|error| Stop::file("cannot run", &program.path, error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect::<BTreeSet<String>>())
    };
    let (all, ignored) = (listed(&[])?, listed(&["--ignored"])?);
    Ok(all.difference(&ignored).cloned().collect())
}
