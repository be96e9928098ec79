//! `doctor`: whether a seed is the same run in a fresh process, and if not, why.

use super::launch;
use crate::args::DoctorArgs;
use crate::discover;
use crate::doctor::examine;
use crate::stop::{FAILED, FINE, NONDETERMINISM, Stop};

pub fn doctor(args: &DoctorArgs) -> Result<u8, Stop> {
    let found = discover::find(&args.cargo)?;
    let test = found.one(&args.test)?;
    let scratch = found.workspace.state().join("doctor");
    let finding = examine(
        &launch(&found, test, &args.process, None),
        args.seed,
        &scratch,
    );
    if !finding.ran {
        return Err(Stop::usage(finding.text));
    }
    let name = &found.tests[test].name;
    let report = finding
        .text
        .lines()
        .skip_while(|line| !line.contains("failed with "));
    let report: Vec<&str> = report.take_while(|line| !line.trim().is_empty()).collect();
    match &finding.scenario {
        None => {
            println!("{name} is the same run in a fresh process, event by event");
            Ok(FINE)
        }
        Some(_) => {
            // What it saved was for this command, and is gone.
            let told = report.iter().filter(|line| !line.starts_with("  saved "));
            for line in told {
                println!("{line}");
            }
            Ok(if finding.is_nondeterminism() {
                NONDETERMINISM
            } else {
                FAILED
            })
        }
    }
}
