//! One crash state by name: a short text that tells which changes were lost at which moment.
//!
//! Owns the text's form, `crash=3;lost=4,7-9;torn=11:0f.00;fill=garbage`, with one such part for
//! each loss of power, joined by `+`.

use core::fmt;
use core::str::FromStr;

use crate::model::disk::{Change, CrashPoint, Fill, Mark, Sectors};

/// Where power was lost, and what of the changes that were not durable then was lost with it.
///
/// Printed and parsed as a short text, which [`Bounds::only`](super::Bounds::only) takes.
///
/// ```
/// use stormglass::explore::CrashState;
///
/// let state: CrashState = "crash=3;lost=4,7-9;torn=11:0f+crash=0".parse().unwrap();
/// assert_eq!(state.to_string(), "crash=3;lost=4,7-9;torn=11:0f+crash=0");
/// assert!("crash=x".parse::<CrashState>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashState {
    pub(crate) crashes: Vec<Crash>,
}

/// One loss of power.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crash {
    /// Which of the run's moments.
    pub(crate) moment: usize,
    /// The numbers of changes, from low to high.
    pub(crate) lost: Vec<u64>,
    /// Of changes with these numbers, these sectors are kept of each page that they wrote.
    pub(crate) torn: Vec<(u64, Vec<Sectors>)>,
    pub(crate) garbage: bool,
}

/// Why a text names no crash state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCrashStateError(String);

impl Crash {
    /// What stands for bytes that a disk held before. Any number does.
    pub(crate) const GARBAGE: Fill = Fill::Garbage(0x6a72_6261_6765_2121);

    /// What these marks of a moment's changes are called.
    pub(crate) fn named(moment: usize, point: &CrashPoint, marks: &[Mark], fill: Fill) -> Self {
        let mut crash = Self {
            moment,
            garbage: fill != Fill::Zeros,
            ..Self::default()
        };
        for (op, mark) in point.pending.iter().zip(marks) {
            match mark {
                Mark::Lost => crash.lost.push(op.number),
                Mark::Kept => {}
                Mark::Torn(sectors) => crash.torn.push((op.number, sectors.clone())),
            }
        }
        crash
    }

    /// The marks that are meant; `None` if they do not fit the moment's changes.
    pub(crate) fn marks(&self, point: &CrashPoint) -> Option<Vec<Mark>> {
        let mut marks = vec![Mark::Kept; point.pending.len()];
        let place = |number: u64| point.pending.iter().position(|op| op.number == number);
        for &number in &self.lost {
            marks[place(number)?] = Mark::Lost;
        }
        for (number, sectors) in &self.torn {
            let op = place(*number)?;
            let Change::Data { patches, .. } = &point.pending[op].change else {
                return None;
            };
            if patches.len() != sectors.len() {
                return None;
            }
            // Sectors that it never wrote say nothing.
            let pages = patches.iter().zip(sectors);
            let kept: Vec<Sectors> = pages
                .map(|(patch, kept)| patch.sectors.without(Sectors::ALL.without(*kept)))
                .collect();
            let whole = patches
                .iter()
                .zip(&kept)
                .all(|(patch, kept)| patch.sectors == *kept);
            marks[op] = if whole { Mark::Kept } else { Mark::Torn(kept) };
        }
        Some(marks)
    }

    pub(crate) const fn fill(&self) -> Fill {
        if self.garbage {
            Self::GARBAGE
        } else {
            Fill::Zeros
        }
    }
}

impl fmt::Display for CrashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, crash) in self.crashes.iter().enumerate() {
            if number > 0 {
                f.write_str("+")?;
            }
            fmt::Display::fmt(crash, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash={}", self.moment)?;
        if !self.lost.is_empty() {
            f.write_str(";lost=")?;
            for (number, (first, last)) in runs(&self.lost).into_iter().enumerate() {
                let comma = if number > 0 { "," } else { "" };
                if first == last {
                    write!(f, "{comma}{first}")?;
                } else {
                    write!(f, "{comma}{first}-{last}")?;
                }
            }
        }
        for (number, (op, sectors)) in self.torn.iter().enumerate() {
            let before = if number > 0 { "," } else { ";torn=" };
            let pages: Vec<String> = sectors
                .iter()
                .map(|page| format!("{:02x}", page.0))
                .collect();
            write!(f, "{before}{op}:{}", pages.join("."))?;
        }
        if self.garbage {
            f.write_str(";fill=garbage")?;
        }
        Ok(())
    }
}

impl FromStr for CrashState {
    type Err = ParseCrashStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let crashes = text.split('+').map(parse);
        Ok(Self {
            crashes: crashes.collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for ParseCrashStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` names no crash state: give what a report printed, as `crash=3;lost=4,7-9`",
            self.0
        )
    }
}

impl core::error::Error for ParseCrashStateError {}

fn parse(text: &str) -> Result<Crash, ParseCrashStateError> {
    let wrong = || ParseCrashStateError(text.to_owned());
    let mut fields = text.split(';');
    let moment = fields.next().and_then(|field| field.strip_prefix("crash="));
    let mut crash = Crash {
        moment: moment.and_then(|n| n.parse().ok()).ok_or_else(wrong)?,
        ..Crash::default()
    };
    for field in fields {
        match field.split_once('=').ok_or_else(wrong)? {
            ("lost", numbers) => crash.lost = parse_runs(numbers).ok_or_else(wrong)?,
            ("torn", changes) => {
                let changes = changes.split(',').map(parse_torn);
                crash.torn = changes.collect::<Option<_>>().ok_or_else(wrong)?;
            }
            ("fill", "garbage") => crash.garbage = true,
            _ => return Err(wrong()),
        }
    }
    Ok(crash)
}

fn parse_torn(text: &str) -> Option<(u64, Vec<Sectors>)> {
    let (number, pages) = text.split_once(':')?;
    let page = |page| u8::from_str_radix(page, 16).ok().map(Sectors);
    let pages = pages.split('.').map(page).collect::<Option<_>>()?;
    Some((number.parse().ok()?, pages))
}

fn parse_runs(text: &str) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for run in text.split(',') {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        if first > last || last - first > LOST_MAX {
            return None;
        }
        numbers.extend(first..=last);
    }
    numbers.is_sorted().then_some(numbers)
}

/// Numbers in a row as their first and last.
fn runs(numbers: &[u64]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

/// Changes in a run that is parsed: more than a disk can have pending, and no burden for memory.
const LOST_MAX: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Crash>) {
        let parsed = text.parse::<CrashState>().ok();
        let expected = expected.map(|crash| CrashState {
            crashes: vec![crash],
        });
        assert_eq!(parsed, expected, "{text}");
        if let Some(state) = parsed {
            assert_eq!(state.to_string(), text);
        }
    }

    #[test]
    fn texts_and_states() {
        let nothing = Crash {
            moment: 12,
            ..Crash::default()
        };
        check("crash=12", Some(nothing.clone()));
        let much = Crash {
            lost: vec![1, 4, 5, 6],
            torn: vec![(2, vec![Sectors(0x0f), Sectors(0)]), (9, vec![Sectors(1)])],
            garbage: true,
            ..nothing
        };
        check(
            "crash=12;lost=1,4-6;torn=2:0f.00,9:01;fill=garbage",
            Some(much),
        );
        for wrong in [
            "",
            "crash=",
            "lost=1",
            "crash=1;lost=",
            "crash=1;lost=5-4",
            "crash=1;lost=5,4",
            "crash=1;torn=1:xx",
            "crash=1;torn=1",
            "crash=1;fill=zeros",
            "crash=1;more=1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn several_losses_of_power() {
        let state: CrashState = "crash=1;lost=2+crash=0".parse().unwrap();
        assert_eq!(state.crashes.len(), 2);
        assert_eq!(state.to_string(), "crash=1;lost=2+crash=0");
        let error = "crash=1+x".parse::<CrashState>().unwrap_err();
        assert!(error.to_string().starts_with("`x` names no crash state"));
    }
}
