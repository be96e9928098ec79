//! The library's determinism doctor, called on one seed of a test.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

use stormglass::Failure;
use stormglass::run::Scenario;

use crate::worker::Launch;

/// What the doctor has to say.
pub struct Finding {
    /// The run that failed, if it did, as the doctor saved it.
    pub scenario: Option<Box<Scenario>>,
    /// All that it printed.
    pub text: String,
    /// Whether it could be called.
    pub ran: bool,
}

impl Finding {
    pub fn is_nondeterminism(&self) -> bool {
        let scenario = self.scenario.as_deref();
        scenario.is_some_and(|scenario| {
            matches!(scenario.failed.failure, Failure::Nondeterminism { .. })
        })
    }
}

/// Has a seed of a test, or all its seeds, examined. `directory` is for files, and is cleared.
pub fn examine(launch: &Launch, seed: Option<u64>, directory: &Path) -> Finding {
    match try_examine(launch, seed, directory) {
        Ok(finding) => finding,
        Err(error) => Finding {
            scenario: None,
            text: format!("the doctor cannot be called: {error}"),
            ran: false,
        },
    }
}

fn try_examine(launch: &Launch, seed: Option<u64>, directory: &Path) -> io::Result<Finding> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let mut command = launch.command();
    command
        .env("STORMGLASS_CHECK", "1")
        .env("STORMGLASS_DIR", directory)
        .stdout(Stdio::null());
    if let Some(seed) = seed {
        command.env("STORMGLASS_SEED", seed.to_string());
    }
    let output = command.stderr(Stdio::piped()).output()?;
    let mut scenario = None;
    for entry in fs::read_dir(directory)? {
        let text = fs::read_to_string(entry?.path())?;
        scenario = Scenario::parse(&text).ok().map(Box::new);
    }
    fs::remove_dir_all(directory)?;
    Ok(Finding {
        scenario,
        text: String::from_utf8_lossy(&output.stderr).into_owned(),
        ran: true,
    })
}
