//! Where the runs of two processes part, and through which leak.

use std::fs::File;
use std::path::Path;

use super::process::{Decoy, How, Lab};
use crate::exec::{Failed, Failure, Leak, Moment};
use crate::explore::{Divergence, first_difference};
use crate::kernel::{NodeId, SimTime, Step};
use crate::report::divergence::difference;
use crate::report::text::record_line;
use crate::sim::Outcome;
use crate::sys::EscapeKind;
use crate::sys::probe::Probe;

/// How the run in a fresh process differs from the first, if it does.
///
/// # Errors
/// Why that could not be found out.
pub(super) fn diagnose<T>(
    lab: &Lab<'_>,
    first: &Path,
    outcome: &Outcome<T>,
) -> Result<Option<Failed>, String> {
    let second = lab.run("second", Decoy::First, None)?;
    let Some(found) = compare(first, &second)? else {
        return Ok(None);
    };
    let (leak, mut evidence) = find_leak(lab, &second, found.step, &outcome.escaped)?;
    if let Some(failed) = &outcome.failed {
        evidence = format!(
            "{evidence}; the first run also failed with {}",
            failed.failure
        );
    }
    let names = &outcome.node_names;
    let lines = |records: &[_]| records.iter().map(|it| record_line(it, names)).collect();
    let place = found.first.last().or(found.second.last());
    let node = place.map_or(NodeId::TEST, |record| record.node);
    let moment = Moment {
        node,
        name: names
            .get(node.index())
            .map_or_else(|| "?".to_owned(), Clone::clone),
        incarnation: 0,
        at: place.map_or(SimTime::ZERO, |record| record.at),
        step: found.step,
    };
    let failure = Failure::Nondeterminism {
        leak,
        evidence,
        difference: difference(&found),
        first: lines(&found.first),
        second: lines(&found.second),
    };
    Ok(Some(Failed { failure, moment }))
}

/// The leak that makes runs differ in this step at the latest, and how it shows itself.
///
/// `second` is the trace of a process without a cure.
fn find_leak(
    lab: &Lab<'_>,
    second: &Path,
    step: Step,
    escaped: &[EscapeKind],
) -> Result<(Leak, String), String> {
    // All processes are alike, so if they agree nothing random is at work: what differs is
    // what happened in the first process before the run, and not in these.
    if agree(lab, second, step, None)? {
        let alone = lab.run("alone", Decoy::None, None)?;
        let evidence = if agree_until(&alone, second, step)? {
            "fresh processes agree with each other, whether or not another seed ran before; the \
             first process had another past, other arguments or another environment"
        } else {
            "fresh processes agree with each other, and not with one in which no other seed ran \
             before"
        };
        return Ok((Leak::ProcessState, evidence.to_owned()));
    }
    let mut tried = Vec::new();
    for cure in &CURES {
        let how = Some(cure.how);
        let agree = lab
            .run("cured", Decoy::First, how)
            .and_then(|cured| agree(lab, &cured, step, how));
        match agree {
            Ok(true) => {
                return Ok((cure.leak, format!("processes with {} agree", cure.name)));
            }
            Ok(false) => tried.push(cure.name.to_owned()),
            Err(error) => tried.push(format!("{} (not tried: {error})", cure.name)),
        }
    }
    let tried = format!("processes differ also with {}", tried.join(", with "));
    if escaped.is_empty() {
        return Ok((Leak::Unknown, tried));
    }
    let leak = if escaped.contains(&EscapeKind::Thread) {
        Leak::Threads
    } else {
        Leak::Unknown
    };
    let ways: Vec<_> = escaped.iter().map(ToString::to_string).collect();
    let ways = ways.join(", ");
    Ok((
        leak,
        format!("the run left the simulation by: {ways}; {tried}"),
    ))
}

/// Whether processes of one kind do the same until after `step` as the one whose trace is
/// `reference`.
fn agree(lab: &Lab<'_>, reference: &Path, step: Step, cure: Option<How>) -> Result<bool, String> {
    for _ in 1..AGREEING {
        let other = lab.run("other", Decoy::First, cure)?;
        if !agree_until(reference, &other, step)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where two written traces part.
fn compare(first: &Path, second: &Path) -> Result<Option<Divergence>, String> {
    let open = |path: &Path| {
        File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    first_difference(open(first)?, open(second)?)
        .map_err(|error| format!("cannot compare two traces: {error}"))
}

/// Whether two written traces are the same until after `step`.
fn agree_until(first: &Path, second: &Path, step: Step) -> Result<bool, String> {
    Ok(compare(first, second)?.is_none_or(|found| found.step > step))
}

/// One source of difference that a process can be rid of.
struct Cure {
    leak: Leak,
    how: How,
    /// What it is, to be read after "processes with".
    name: &'static str,
}

/// From the most specific one on: what one of them cures, some later one may cure too.
const CURES: [Cure; 6] = [
    Cure {
        leak: Leak::HashOrder,
        how: How::Probe(Probe::HashKeys),
        name: "the same hash keys",
    },
    Cure {
        leak: Leak::Entropy,
        how: How::Probe(Probe::RandomDevice),
        name: "the same bytes in /dev/urandom",
    },
    Cure {
        leak: Leak::Entropy,
        how: How::Probe(Probe::Entropy),
        name: "the same entropy",
    },
    Cure {
        leak: Leak::Clock,
        how: How::Probe(Probe::TimeStampCounter),
        name: "a time-stamp counter (rdtsc) that counts its reads",
    },
    Cure {
        leak: Leak::Clock,
        how: How::Probe(Probe::Clocks),
        name: "real clocks that stand still until the simulation begins",
    },
    Cure {
        leak: Leak::Addresses,
        how: How::FixedAddresses,
        name: "the same addresses",
    },
];

/// Processes of one kind whose runs must agree before they are said to. A map of two elements has
/// the same order in that many by chance once in 128 times.
const AGREEING: u32 = 8;
