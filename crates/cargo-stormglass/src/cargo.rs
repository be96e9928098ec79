//! What cargo is asked: where packages are, and to build their tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::args::CargoArgs;
use crate::stop::{self, Stop};

/// The workspace.
pub struct Workspace {
    /// By cargo's id.
    pub packages: BTreeMap<String, Package>,
    pub target: PathBuf,
}

impl Workspace {
    /// Where the runner keeps what it is about: `STORMGLASS_DIR`, or else `stormglass` in the
    /// target directory.
    pub fn state(&self) -> PathBuf {
        let given = std::env::var_os("STORMGLASS_DIR").filter(|path| !path.is_empty());
        given.map_or_else(|| self.target.join("stormglass"), PathBuf::from)
    }
}

/// A package of the workspace.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    /// Where its Cargo.toml is.
    pub root: PathBuf,
}

/// A program of tests.
#[derive(Clone, Debug)]
pub struct Program {
    pub package: Package,
    /// The name of the target, such as that of the file in `tests`.
    pub target: String,
    pub path: PathBuf,
}

fn cargo() -> Command {
    // Cargo tells its subcommands which cargo called them.
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Asks where things are.
pub fn workspace(args: &CargoArgs) -> Result<Workspace, Stop> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Described>,
        target_directory: PathBuf,
    }
    #[derive(Deserialize)]
    struct Described {
        id: String,
        name: String,
        manifest_path: PathBuf,
    }
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    if let Some(path) = &args.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
    let output = command.output();
    let output = output.map_err(|error| Stop::usage(format!("cannot run cargo: {error}")))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Stop::usage(message.trim().to_owned()));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| Stop::usage(format!("cargo metadata makes no sense: {error}")))?;
    let package = |described: Described| {
        let root = described.manifest_path.parent().unwrap_or(Path::new("."));
        let package = Package {
            name: described.name,
            root: root.to_owned(),
        };
        (described.id, package)
    };
    Ok(Workspace {
        packages: metadata.packages.into_iter().map(package).collect(),
        target: args.target_dir.clone().unwrap_or(metadata.target_directory),
    })
}

/// Builds the tests. What cargo and the compiler have to say goes to the standard error.
pub fn build(args: &CargoArgs, workspace: &Workspace) -> Result<Vec<Program>, Stop> {
    let mut child = cargo()
        .args([
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .args(args.selection())
        .args(args.to_words())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Stop::usage(format!("cannot run cargo: {error}")))?;
    let mut programs = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            programs.extend(program(&line, workspace));
        }
    }
    let status = child.wait();
    if !status.is_ok_and(|status| status.success()) {
        return Err(Stop {
            code: stop::BUILD_FAILED,
            message: String::new(),
        });
    }
    Ok(programs)
}

/// The program of tests that a line of cargo's tells of, if it does.
fn program(line: &str, workspace: &Workspace) -> Option<Program> {
    #[derive(Deserialize)]
    struct Artifact {
        package_id: String,
        target: Target,
        profile: Profile,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    #[derive(Deserialize)]
    struct Profile {
        test: bool,
    }
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    let package = workspace.packages.get(&artifact.package_id)?.clone();
    Some(Program {
        package,
        target: artifact.target.name,
        path: artifact.executable.filter(|_| artifact.profile.test)?,
    })
}
