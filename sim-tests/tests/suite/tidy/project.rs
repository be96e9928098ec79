//! Rules about files that are no source: the changelog, the dependencies, the links of pages.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::source::root;

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is wrong with a changelog whose newest version should be `version`.
///
/// It has a section `## VERSION (DATE or unreleased)` for each version, newest first; in each the
/// sections `Added`, `Changed`, `Fixed`, those that are needed, in this order; and a line that
/// begins with `**Replay**` and says what becomes of old seeds and traces.
fn changelog_faults(text: &str, version: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("# Changelog\n") {
        faults.push("it begins with `# Changelog`".to_owned());
    }
    let versions: Vec<&str> = text.split("\n## ").skip(1).collect();
    if !versions
        .first()
        .is_some_and(|newest| newest.starts_with(&format!("{version} (")))
    {
        faults.push(format!("its newest version is {version}, as in Cargo.toml"));
    }
    let mut newer: Option<Vec<u64>> = None;
    for section in versions {
        let title = section.lines().next().unwrap_or_default();
        let Some((number, date)) = title.split_once(" (") else {
            faults.push(format!("`## {title}` is `## VERSION (DATE or unreleased)`"));
            continue;
        };
        let parts: Vec<u64> = number
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect();
        if parts.len() != 3 || newer.as_ref().is_some_and(|newer| *newer <= parts) {
            faults.push(format!(
                "`{number}` is three numbers, below the version above it"
            ));
        }
        newer = Some(parts);
        let date = date.trim_end_matches(')');
        let is_date = date.len() == 10 && date.split('-').all(|part| part.parse::<u32>().is_ok());
        if date != "unreleased" && !is_date {
            faults.push(format!(
                "`{date}` is a date such as 2026-01-31, or `unreleased`"
            ));
        }
        let kinds: Vec<&str> = section
            .lines()
            .filter_map(|l| l.strip_prefix("### "))
            .collect();
        let mut order = ["Added", "Changed", "Fixed"].iter();
        if kinds.is_empty() || !kinds.iter().all(|kind| order.any(|other| other == kind)) {
            faults.push(format!(
                "{number} has `Added`, `Changed`, `Fixed` in this order"
            ));
        }
        let replays = section
            .lines()
            .filter(|line| line.starts_with("**Replay**"))
            .count();
        if replays != 1 {
            faults.push(format!(
                "{number} has one line that begins with `**Replay**`"
            ));
        }
    }
    faults
}

#[test]
fn the_changelog_has_its_form() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \""))
        .and_then(|rest| rest.strip_suffix('"'))
        .expect("the workspace has a version");
    let faults = changelog_faults(&read("CHANGELOG.md"), version);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn faults_of_a_changelog_are_caught() {
    let good = "# Changelog\n\n## 0.2.0 (unreleased)\n\n### Added\n- x\n\n### Fixed\n- y\n\n\
                **Replay** Old seeds replay.\n\n## 0.1.0 (2026-01-31)\n\n### Added\n- z\n\n\
                **Replay** The first.\n";
    assert!(changelog_faults(good, "0.2.0").is_empty());
    assert_eq!(changelog_faults(good, "0.3.0").len(), 1);
    for (from, to) in [
        ("# Changelog", "# Changes"),
        ("(2026-01-31)", "(January)"),
        ("## 0.1.0 (", "## 0.2.0 ("),
        ("## 0.1.0 (2026-01-31)", "## 0.1.0"),
        ("### Fixed", "### Removed"),
        ("### Fixed", "### Added"),
        ("**Replay** The first.", "It replays."),
    ] {
        let bad = good.replace(from, to);
        assert_eq!(changelog_faults(&bad, "0.2.0").len(), 1, "{from} to {to}");
    }
}

/// The names in a table of a manifest.
fn names_in(manifest: &str, table: &str) -> BTreeSet<String> {
    let lines = manifest
        .lines()
        .skip_while(|line| *line != format!("[{table}]"))
        .skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()))
        .filter_map(|line| line.split([' ', '=', '.']).next())
        .map(str::to_owned)
        .collect()
}

/// Adapters to other crates' traits: built only for whoever asks for them by name, so they are
/// nobody else's burden.
const ADAPTERS: &[&str] = &["hyper", "proptest"];

/// The dependencies that a manifest puts on every user: neither adapters nor our own crates.
fn direct_dependencies(manifest: &str) -> BTreeSet<String> {
    let mut direct = names_in(manifest, "dependencies");
    direct.retain(|name| !name.starts_with("stormglass") && !ADAPTERS.contains(&&**name));
    direct
}

#[test]
fn the_library_has_few_direct_dependencies() {
    let direct = direct_dependencies(&read("Cargo.toml"));
    assert!(
        direct.contains("async-task") && direct.contains("tokio"),
        "{direct:?}"
    );
    assert!(
        direct.len() <= 12,
        "{} dependencies: {direct:?}",
        direct.len()
    );
    let planted = "[dependencies]\n# Why.\na = \"1\"\nb.path = \"b\"\n\n[features]\nc = []\n";
    assert_eq!(direct_dependencies(planted).len(), 2);
}

/// Asks cargo, which knows best what features and targets make of a manifest. Cargo has resolved
/// the workspace to build this test, so it needs no network.
#[test]
#[expect(clippy::disallowed_methods, reason = "no simulation is near")]
fn the_library_has_few_dependencies_all_told() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            "stormglass",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let all: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|n| !n.is_empty())
        .collect();
    assert!(
        all.contains("stormglass") && all.contains("async-task"),
        "{tree}"
    );
    let adapter = ADAPTERS.iter().find(|name| all.contains(**name));
    assert_eq!(
        adapter, None,
        "adapters are built for whoever asks for them"
    );
    // The library itself is not one of them.
    assert!(
        all.len() - 1 <= 42,
        "{} dependencies: {all:?}",
        all.len() - 1
    );
}

/// Where the links of a page lead that are no addresses: what is in `](..)`.
fn links(page: &str) -> Vec<&str> {
    let targets = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let local = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    local
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}

#[test]
fn links_of_pages_lead_somewhere() {
    for page in [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "README.md",
        "benches/README.md",
    ] {
        let text = read(page);
        let dead: Vec<&str> = links(&text)
            .into_iter()
            .filter(|link| !root().join(link).exists())
            .collect();
        assert!(
            dead.is_empty(),
            "{page} links to what is not there: {dead:?}"
        );
    }
    let planted = "[a](src/a.rs#L1) [b](https://b.c/d) [e](#f)";
    assert_eq!(links(planted), ["src/a.rs"]);
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = read("Cargo.toml");
    let lines: Vec<&str> = manifest.lines().collect();
    for name in names_in(&manifest, "dependencies") {
        if name.starts_with("stormglass") {
            continue;
        }
        let at = lines
            .iter()
            .position(|line| line.starts_with(&format!("{name} = ")))
            .unwrap();
        assert!(
            lines[at - 1].starts_with("# "),
            "the dependency `{name}` has no reason above it"
        );
    }
}
