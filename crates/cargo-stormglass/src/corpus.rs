//! Saved failures: a directory of scenario files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stormglass::explore::{Fingerprint, Label};
use stormglass::run::Scenario;
use stormglass::run::worker::Ran;

use crate::cargo::Package;
use crate::stop::Stop;
use crate::units::hash;

/// A file of the corpus.
pub struct Entry {
    pub path: PathBuf,
    pub scenario: Scenario,
}

/// Where a package's failures are saved.
pub fn directory(package: &Package, given: Option<&Path>) -> PathBuf {
    let own = || package.root.join("stormglass/corpus");
    given.map_or_else(own, |given| {
        std::path::absolute(given).unwrap_or_else(|_| given.to_owned())
    })
}

/// Reads a scenario.
pub fn read(path: &Path) -> Result<Scenario, Stop> {
    let text = fs::read_to_string(path).map_err(|error| Stop::file("cannot read", path, error))?;
    Scenario::parse(&text).map_err(|error| Stop::usage(format!("{}: {error}", path.display())))
}

/// The entries of a directory, and what is wrong with files that are none. A directory that is not
/// there has none.
pub fn load(directory: &Path) -> Result<(Vec<Entry>, Vec<String>), Stop> {
    let unreadable = |error| Stop::file("cannot read", directory, error);
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((vec![], vec![])),
        listed => listed.map_err(unreadable)?,
    };
    let mut paths = Vec::new();
    for entry in listed {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match read(&path) {
            Ok(scenario) => entries.push(Entry { path, scenario }),
            Err(stop) => wrong.push(stop.message),
        }
    }
    Ok((entries, wrong))
}

/// The name of the file of a failure: one for each test and fingerprint.
pub fn file_name(test: &str, fingerprint: &Fingerprint) -> String {
    let letter = |letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
        _ => '_',
    };
    let test: String = test.replace("::", "-").chars().map(letter).collect();
    format!("{test}-{:016x}.json", hash(fingerprint.as_str().as_bytes()))
}

/// Writes a scenario, whole or not at all.
pub fn save(path: &Path, scenario: &Scenario) -> Result<(), Stop> {
    let unwritable = |error| Stop::file("cannot write", path, error);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(unwritable)?;
    }
    let draft = path.with_extension("json.new");
    fs::write(&draft, scenario.to_json()).map_err(unwritable)?;
    fs::rename(&draft, path).map_err(unwritable)
}

/// What became of a saved failure.
pub fn label(scenario: &Scenario, ran: &Ran) -> Label {
    let seen = ran.failed.as_ref().map(|failed| &failed.fingerprint);
    Label::of(&scenario.fingerprint, seen, &ran.stale)
}

/// What a label means, in a few words.
pub const fn meaning(label: Label) -> &'static str {
    match label {
        Label::Live => "fails as it did",
        Label::Changed => "fails in another way",
        Label::Fixed => "fails no more",
        _ => "says nothing any more: what it names is not there",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_test_and_failure() {
        let print = |text: &str| -> Fingerprint { serde_json::from_str(text).unwrap() };
        let one = file_name("kv::loses writes", &print("\"Panic: a\""));
        assert!(
            one.starts_with("kv-loses_writes-") && one.ends_with(".json"),
            "{one}"
        );
        assert_ne!(one, file_name("kv::loses writes", &print("\"Panic: b\"")));
    }
}
