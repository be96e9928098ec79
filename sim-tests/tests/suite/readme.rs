//! The README's tests, of an echo and of crash states, typed into a new crate by a stranger.

use std::fs;
use std::io;
use std::path::Path;

use super::nested;

/// The README's code blocks of one language.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = readme.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// Makes the README's crate, with its tests, and runs them.
fn run(dependency: &str, tests: &str) -> io::Result<(bool, String)> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(directory.join("src"))?;
    fs::create_dir_all(directory.join("tests"))?;
    let package = "[package]\nname = \"storm\"\nedition = \"2024\"\n";
    // Not a member of this workspace, in whose target directory it lies.
    let manifest = format!("{package}\n{dependency}\n[workspace]\n");
    fs::write(directory.join("Cargo.toml"), manifest)?;
    fs::write(directory.join("src/lib.rs"), "")?;
    fs::write(directory.join("tests/echo.rs"), tests)?;
    // The versions that are downloaded already.
    fs::copy(
        nested::workspace().join("Cargo.lock"),
        directory.join("Cargo.lock"),
    )?;
    Ok(nested::cargo(&directory, &["test", "--test", "echo"]))
}

#[test]
fn its_tests_run_as_written_and_fail_as_shown() {
    let readme = fs::read_to_string(nested::workspace().join("README.md")).unwrap();
    let path = "../stormglass";
    let dependency = blocks(&readme, "toml").swap_remove(0);
    assert!(dependency.contains(path), "{dependency}");
    let dependency = dependency.replace(path, &nested::workspace().display().to_string());
    let tests = blocks(&readme, "rust");

    let crashes = tests
        .iter()
        .find(|block| block.contains("explore_crashes("));
    let crashes = format!(
        "#[test]\nfn crash_states() {{\n{}\n{}}}\n",
        crashes.expect("an example of crash states"),
        "let missing = found.unwrap_err().missing()[0].clone();\n\
         assert!(missing.starts_with(\"sync of the content of /name, \"), \"{missing}\");\n",
    );
    let (passed, text) = run(&dependency, &(tests[0].clone() + &crashes)).unwrap();
    assert!(passed && text.contains("2 passed"), "{text}");

    let (passed, text) = run(&dependency, &(tests[0].clone() + &tests[1])).unwrap();
    assert!(!passed && text.contains("1 passed; 1 failed"), "{text}");
    // All but the place where the scenario is saved.
    let shown = blocks(&readme, "text").swap_remove(1);
    for line in shown.lines().filter(|line| !line.contains("saved")) {
        assert!(
            text.contains(line),
            "the README shows\n{line}\nand the test printed\n{text}"
        );
    }
}
