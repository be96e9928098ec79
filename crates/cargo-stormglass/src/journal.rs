//! The journal of a campaign: what is finished, on disk before it is told.
//!
//! A line of JSON for each piece of news, appended with one call, so that a runner that is killed
//! leaves whole lines and at most one that is torn. When it has grown it is replaced by its sum.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::stop::Stop;
use crate::tally::Tally;

/// The version of the format.
const FORMAT: u32 = 1;
/// A journal is replaced by its sum when it is this much longer than the last sum.
const GROWN: u64 = 8 << 20;

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Begun(Begun),
    /// Runs of a test were finished.
    Ran {
        test: String,
        tally: Box<Tally>,
        /// Real time of the campaign so far.
        elapsed_ms: u64,
    },
    /// What is known of a failure; a later line of the same failure takes its place.
    Failure(Box<Failure>),
    /// The campaign came to its end.
    Ended,
}

/// What a campaign is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub format: u32,
    /// The arguments of the command.
    pub arguments: Vec<String>,
    /// The tests, each with the hash of its program.
    pub tests: Vec<(String, u64)>,
}

impl Begun {
    pub fn new(arguments: Vec<String>, tests: Vec<(String, u64)>) -> Self {
        Self {
            format: FORMAT,
            arguments,
            tests,
        }
    }
}

/// What a journal tells of a campaign that did not come to its end.
#[derive(Debug, Default)]
pub struct Told {
    pub tallies: Vec<(String, Tally)>,
    pub failures: Vec<Failure>,
    pub elapsed_ms: u64,
}

/// A journal that is open.
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    last_sum: u64,
}

/// Where the journal is in the runner's own directory.
pub fn path(state: &Path) -> PathBuf {
    state.join("campaign.ndjson")
}

impl Journal {
    /// Begins anew.
    pub fn create(path: &Path, begun: &Begun) -> Result<Self, Stop> {
        let lines = [Line::Begun(begun.clone())];
        let open = |path: &Path| -> io::Result<Self> {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            replace(path, &lines)
        };
        open(path).map_err(|error| Stop::file("cannot write", path, error))
    }

    /// Reads what a campaign left behind.
    pub fn read(path: &Path) -> Result<(Begun, Told), Stop> {
        let nothing = |why: &str| Stop::usage(format!("there is nothing to resume: {why}"));
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(nothing("no campaign was begun in this target directory"));
            }
            text => text.map_err(|error| Stop::file("cannot read", path, error))?,
        };
        // The last line may be torn.
        let mut lines = text
            .lines()
            .map_while(|line| serde_json::from_str(line).ok());
        let Some(Line::Begun(begun)) = lines.next() else {
            return Err(nothing(
                "the journal has no beginning that this version reads",
            ));
        };
        if begun.format != FORMAT {
            return Err(nothing("the journal is another version's"));
        }
        let mut told = Told::default();
        for line in lines {
            match line {
                Line::Begun(_) => {}
                Line::Ran {
                    test,
                    tally,
                    elapsed_ms,
                } => {
                    told.elapsed_ms = told.elapsed_ms.max(elapsed_ms);
                    match told.tallies.iter_mut().find(|(other, _)| *other == test) {
                        Some((_, sum)) => sum.add(&tally),
                        None => told.tallies.push((test, *tally)),
                    }
                }
                Line::Failure(failure) => {
                    let mut known = told.failures.iter_mut();
                    match known.find(|known| known.number == failure.number) {
                        Some(known) => *known = *failure,
                        None => told.failures.push(*failure),
                    }
                }
                Line::Ended => return Err(nothing("the last campaign came to its end")),
            }
        }
        Ok((begun, told))
    }

    /// Replaces what is there by its sum.
    pub fn rewrite(&mut self, lines: &[Line]) -> Result<(), Stop> {
        let replaced = replace(&self.path, lines);
        *self = replaced.map_err(|error| Stop::file("cannot write", &self.path, error))?;
        Ok(())
    }

    /// Goes on with a journal that was read.
    pub fn resume(path: &Path, lines: &[Line]) -> Result<Self, Stop> {
        replace(path, lines).map_err(|error| Stop::file("cannot write", path, error))
    }

    /// Adds lines, all with one call.
    pub fn add(&mut self, lines: &[Line]) -> Result<(), Stop> {
        let bytes: Vec<u8> = lines.iter().flat_map(line_bytes).collect();
        let written = self.file.write_all(&bytes);
        written.map_err(|error| Stop::file("cannot write", &self.path, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Whether it should be replaced by its sum.
    pub const fn has_grown(&self) -> bool {
        self.length > self.last_sum + GROWN
    }
}

fn line_bytes(line: &Line) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("a line has text keys only");
    bytes.push(b'\n');
    bytes
}

fn replace(path: &Path, lines: &[Line]) -> io::Result<Journal> {
    let bytes: Vec<u8> = lines.iter().flat_map(line_bytes).collect();
    let draft = path.with_extension("new");
    fs::write(&draft, &bytes)?;
    fs::rename(&draft, path)?;
    let file = OpenOptions::new().append(true).open(path)?;
    let length = bytes.len() as u64;
    Ok(Journal {
        path: path.to_owned(),
        file,
        length,
        last_sum: length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(first: u64, end: u64) -> Line {
        let mut tally = Tally::default();
        tally.seeds.add(first, end);
        tally.steps = 10;
        Line::Ran {
            test: "t".to_owned(),
            tally: Box::new(tally),
            elapsed_ms: end,
        }
    }

    #[test]
    fn a_torn_journal_tells_all_that_was_whole() {
        let name = format!("stormglass-journal-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let begun = Begun::new(vec!["run".to_owned()], vec![("t".to_owned(), 7)]);
        let mut journal = Journal::create(&path, &begun).unwrap();
        journal.add(&[ran(0, 4)]).unwrap();
        journal.add(&[ran(6, 9)]).unwrap();
        drop(journal);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&line_bytes(&ran(4, 6))[..20]);
        fs::write(&path, bytes).unwrap();
        let (read, told) = Journal::read(&path).unwrap();
        assert_eq!(read, begun);
        let (_, tally) = &told.tallies[0];
        assert_eq!(tally.seeds.iter().collect::<Vec<_>>(), [(0, 4), (6, 9)]);
        assert_eq!((tally.steps, told.elapsed_ms), (20, 9));

        let lines = [Line::Begun(begun), ran(0, 4), Line::Ended];
        drop(Journal::resume(&path, &lines).unwrap());
        let error = Journal::read(&path).unwrap_err();
        assert!(
            error.message.contains("came to its end"),
            "{}",
            error.message
        );
        fs::remove_file(&path).unwrap();
        assert!(Journal::read(&path).is_err());
    }
}
