//! The planted package, written once and built once, and the runner called on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

use serde_json::Value;

/// The planted package.
pub(crate) fn root() -> PathBuf {
    static WRITTEN: Once = Once::new();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    WRITTEN.call_once(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planted");
        let read = |name: &str| fs::read_to_string(sources.join(name)).unwrap();
        let names = ["broken.rs", "clean.rs", "crashers.rs", "shrinks.rs"];
        write(&root, "planted", &names.map(|name| (name, read(name))));
    });
    root
}

/// Writes a package whose tests are these files.
pub(crate) fn write(root: &Path, name: &str, tests: &[(&str, String)]) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = workspace.canonicalize().unwrap();
    for directory in ["src", "tests"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dev-dependencies]\n\
         stormglass = {{ path = {:?} }}\n\n[workspace]\n",
        workspace.display().to_string()
    );
    put(&root.join("Cargo.toml"), &manifest);
    put(&root.join("src/lib.rs"), "//! Nothing.\n");
    for (name, text) in tests {
        put(&root.join("tests").join(name), text);
    }
    // The versions that are downloaded already.
    let lock = fs::read_to_string(workspace.join("Cargo.lock")).unwrap();
    if !root.join("Cargo.lock").exists() {
        put(&root.join("Cargo.lock"), &lock);
    }
}

/// Writes a file unless it is so already, so that cargo has nothing to build anew.
fn put(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::write(path, text).unwrap();
}

/// One call of the runner after another, with a directory of their own.
pub(crate) struct Runner {
    pub(crate) directory: PathBuf,
}

impl Runner {
    pub(crate) fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("runner")
            .join(name);
        // It is not there the first time.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// The runner in the planted package, as cargo calls its subcommands.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-stormglass"));
        command
            .arg("stormglass")
            .args(words.split_whitespace())
            .current_dir(root())
            .env("CARGO", env!("CARGO"))
            .env("STORMGLASS_DIR", &self.directory)
            .env_remove("GITHUB_STEP_SUMMARY")
            .stdin(Stdio::null());
        build_settings(&mut command);
        command
    }

    /// Calls it, and gives the exit code and what it printed.
    pub(crate) fn call(&self, words: &str) -> Called {
        Called::new(words, &self.command(words).output().unwrap())
    }

    /// `run` with a corpus of its own, as lines of JSON.
    pub(crate) fn run(&self, words: &str) -> Called {
        let corpus = self.file("corpus");
        self.call(&format!("run --format ndjson --corpus {corpus} {words}"))
    }
}

/// Nested builds go apart from this build, and are run little: quickly is better than well.
pub(crate) fn build_settings(command: &mut Command) {
    command
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("nested"),
        )
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("RUST_BACKTRACE");
}

/// What a call gave.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Called {
    pub(crate) fn new(words: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let called = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        println!("{words}\n{}{}", called.stdout, called.stderr);
        called
    }

    /// The events of one name.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let lines = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|event: &Value| event["event"] == name)
            .collect()
    }

    /// The last event.
    pub(crate) fn over(&self) -> Value {
        let mut over = self.events("over");
        assert_eq!(over.len(), 1, "{self:?}");
        over.swap_remove(0)
    }
}
