//! `check`: a history from elsewhere, judged.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use stormglass::HistoryPage;
use stormglass::check::{Budget, Format, MODELS, Question, judge_file};

use crate::args::CheckArgs;
use crate::output::shown;
use crate::stop::Stop;

pub fn check(args: &CheckArgs) -> Result<u8, Stop> {
    let text = read(&args.file)?;
    let format = match &args.format {
        Some(name) => Some(Format::named(name).ok_or_else(|| {
            Stop::usage(format!(
                "there is no format `{name}`: give jsonl, edn or etcd-log"
            ))
        })?),
        None => None,
    };
    let name = args.model.split(':').next().unwrap_or_default();
    if !MODELS.contains(&name) {
        let known = MODELS.join(", ");
        return Err(Stop::usage(format!(
            "there is no model `{name}`: give one of {known}"
        )));
    }
    let began = Instant::now();
    let mut late = || args.timeout.is_some_and(|limit| began.elapsed() > limit);
    let judgement = judge_file(
        &text,
        Question {
            model: &args.model,
            format,
            budget: Budget {
                late: Some(&mut late),
                ..Budget::configurations(args.configurations)
            },
        },
    );
    if let (Some(path), Some((history, explanation))) = (&args.html, &judgement.drawing) {
        let page = HistoryPage {
            title: &shown(&args.file),
            history,
            explanation,
            replay: None,
        };
        let written = fs::write(path, page.to_string());
        written.map_err(|error| Stop::file("cannot write", path, error))?;
    }
    println!("{}", judgement.text.trim_end());
    Ok(judgement.status)
}

/// The text of a file, or of the standard input for `-`.
fn read(path: &Path) -> Result<String, Stop> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|error| Stop::file("cannot read", path, error))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .split(|byte| *byte == b'\n')
            .count();
        Stop::file("cannot read", path, format!("line {line} is no UTF-8 text"))
    })
}
