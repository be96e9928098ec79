//! A fault plan: faults with their times and targets.
//!
//! Owns the list, its checks and its table. It must never know how a fault is done.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind::FaultKind;
use super::target::Target;
use crate::kernel::span::{self, Span};

/// What goes wrong in a run: faults in any order, each with an id that is its own.
///
/// In a file it looks like this, in TOML:
///
/// ```toml
/// heal = "10s"
///
/// [[faults]]
/// id = 1
/// at = "2s"
/// duration = "3s"
/// fault = "cut"
/// target = { groups = [["db-1"], ["*"]] }
///
/// [[faults]]
/// id = 2
/// at = "4s"
/// fault = { clock_step = { by = "+90s" } }
/// target = { nodes = ["db-2"] }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// When all that still lasts ends, from the beginning of the plan; `None` is never.
    #[serde(with = "span::optional_text", skip_serializing_if = "Option::is_none")]
    pub heal: Option<Duration>,
    /// The faults.
    pub faults: Vec<PlannedFault>,
}

/// A fault with its time and its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// Which it is; it keeps its id when others are taken out.
    pub id: FaultId,
    /// When it begins, from the beginning of the plan.
    #[serde(with = "span::text")]
    pub at: Duration,
    /// How long it lasts; `None` is until the plan [heals](FaultPlan::heal). A fault that happens
    /// at one instant has none.
    #[serde(
        default,
        with = "span::optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration: Option<Duration>,
    /// What happens.
    pub fault: FaultKind,
    /// To whom.
    pub target: Target,
}

/// The number of a fault in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u32);

impl FaultPlan {
    /// A plan in which nothing goes wrong.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heal: None,
            faults: Vec::new(),
        }
    }

    /// Adds a fault without a duration, and gives it for setting one. Its id is the next.
    ///
    /// # Panics
    /// If there are 2^32 faults already.
    pub fn add(&mut self, at: Duration, fault: FaultKind, target: Target) -> &mut PlannedFault {
        let highest = self.faults.iter().map(|planned| planned.id.0).max();
        let next = highest.map_or(Some(1), |id| id.checked_add(1));
        let id = FaultId(next.expect("fewer than 2^32 faults"));
        self.faults.push(PlannedFault {
            id,
            at,
            duration: None,
            fault,
            target,
        });
        let last = self.faults.len() - 1;
        &mut self.faults[last]
    }

    /// The plan without some faults, the others as they were.
    #[must_use]
    pub fn without(&self, ids: &[FaultId]) -> Self {
        let kept = |planned: &&PlannedFault| !ids.contains(&planned.id);
        Self {
            heal: self.heal,
            faults: self.faults.iter().filter(kept).cloned().collect(),
        }
    }

    /// When the last fault has ended, from the beginning of the plan; `None` if one never does.
    #[must_use]
    pub fn end(&self) -> Option<Duration> {
        let ends = self.faults.iter().map(|planned| self.end_of(planned));
        let ends: Option<Vec<Duration>> = ends.collect();
        ends.map(|ends| ends.into_iter().max().unwrap_or_default())
    }

    /// When a fault has ended.
    pub(crate) fn end_of(&self, planned: &PlannedFault) -> Option<Duration> {
        if planned.fault.is_instant() {
            return Some(planned.at);
        }
        let own = planned
            .duration
            .map(|duration| planned.at.saturating_add(duration));
        match (own, self.heal) {
            (Some(own), Some(heal)) => Some(own.min(heal).max(planned.at)),
            (own, heal) => own.or(heal.map(|heal| heal.max(planned.at))),
        }
    }

    /// Checks that the faults make sense.
    ///
    /// # Errors
    /// The first that makes none.
    pub fn validate(&self) -> Result<(), PlanError> {
        for (number, planned) in self.faults.iter().enumerate() {
            let wrong = |reason: String| PlanError {
                id: planned.id,
                fault: planned.fault.name(),
                reason,
            };
            let before = &self.faults[..number];
            if before.iter().any(|other| other.id == planned.id) {
                return Err(wrong("another has this id: give each its own".to_owned()));
            }
            planned.fault.check().map_err(wrong)?;
            if planned.fault.is_instant() && planned.duration.is_some() {
                let reason = "it happens at one instant: take its duration away";
                return Err(wrong(reason.to_owned()));
            }
            if !planned.fault.fits(&planned.target) {
                return Err(wrong(format!(
                    "it strikes {}, and not {:?}",
                    planned.fault.aim().words(),
                    planned.target
                )));
            }
            let checked = planned.target.check();
            checked.map_err(|reason| wrong(reason.to_owned()))?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultPlan {
    /// A table, in the order in which the faults begin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<&PlannedFault> = self.faults.iter().collect();
        sorted.sort_by_key(|planned| (planned.at, planned.id));
        let row = |planned: &&PlannedFault| {
            let lasts = match planned.duration {
                Some(duration) => Span(duration).to_string(),
                None if planned.fault.is_instant() => "-".to_owned(),
                None => "to the end".to_owned(),
            };
            let at = Span(planned.at).to_string();
            let fault = planned.fault.to_string();
            [
                planned.id.to_string(),
                at,
                lasts,
                fault,
                planned.target.to_string(),
            ]
        };
        let head = ["id", "at", "for", "fault", "target"].map(str::to_owned);
        let rows: Vec<[String; 5]> = [head].into_iter().chain(sorted.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..4).filter_map(width).collect();
        for (number, [id, at, lasts, fault, target]) in rows.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let [a, b, c, d] = [widths[0], widths[1], widths[2], widths[3]];
            write!(f, "{id:<a$}  {at:>b$}  {lasts:>c$}  {fault:<d$}  {target}")?;
        }
        match self.heal {
            Some(heal) => write!(f, "\nall ends at {}", Span(heal)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("f{}", self.0))
    }
}

/// Why a plan makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanError {
    /// Which fault.
    pub id: FaultId,
    /// The name of its kind.
    pub fault: &'static str,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {} ({}): {}", self.id, self.fault, self.reason)
    }
}

impl core::error::Error for PlanError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Probability;
    use crate::model::Shift;

    const S: Duration = Duration::from_secs(1);

    fn plan() -> FaultPlan {
        let mut plan = FaultPlan::new();
        plan.add(4 * S, FaultKind::Crash, Target::node("db-1"))
            .duration = Some(S / 2);
        plan.add(2 * S, FaultKind::Cut, Target::isolate("db-10"));
        let by = Shift::Back(90 * S);
        plan.add(3 * S, FaultKind::ClockStep { by }, Target::node("zone=eu"));
        let loss = Probability::percent(25);
        let gray = plan.add(S, FaultKind::Gray { loss }, Target::link("a", "b"));
        gray.duration = Some(9 * S);
        plan.heal = Some(8 * S);
        plan
    }

    #[test]
    fn a_plan_is_a_table() {
        let table = "\
id       at         for  fault            target
f4       1s          9s  gray 25/100      a -> b
f2       2s  to the end  cut              db-10 | *
f3       3s           -  clock_step -90s  zone=eu
f1       4s       500ms  crash            db-1
all ends at 8s";
        let written = plan().to_string();
        let lines = written.lines().zip(table.lines());
        for (line, expected) in lines {
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(line), words(expected), "{written}");
        }
        assert_eq!(written.lines().count(), table.lines().count());
    }

    #[test]
    fn a_plan_survives_a_file() {
        let text = serde_json::to_string(&plan()).unwrap();
        assert_eq!(serde_json::from_str::<FaultPlan>(&text).unwrap(), plan());
        assert!(
            text.contains(r#""fault":{"clock_step":{"by":"-90s"}}"#),
            "{text}"
        );
        assert!(
            text.contains(r#"{"id":1,"at":"4s","duration":"500ms","fault":"crash","#),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_field_or_kind_is_an_error_that_names_it() {
        let read = |fault: &str, more: &str| {
            let text = format!(
                r#"{{"faults":[{{"id":1,"at":"1s",
                    "fault":{fault},"target":{{"nodes":["a"]}}{more}}}]}}"#
            );
            serde_json::from_str::<FaultPlan>(&text)
        };
        assert!(read(r#""crash""#, "").is_ok());
        for (fault, more, word) in [
            (r#""crush""#, "", "crush"),
            (r#"{"clock_step":{"by":"+1s","to":1}}"#, "", "to"),
            (r#"{"clock_step":{"by":"1s"}}"#, "", "no sign"),
            (r#"{"link":{"lost":"1%"}}"#, "", "lost"),
            (r#""crash""#, r#","lasts":"1s""#, "lasts"),
        ] {
            let error = read(fault, more).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_fault_ends_with_its_duration_or_the_plan() {
        let plan = plan();
        let ends: Vec<_> = plan
            .faults
            .iter()
            .map(|planned| plan.end_of(planned))
            .collect();
        assert_eq!(
            ends,
            [Some(9 * S / 2), Some(8 * S), Some(3 * S), Some(8 * S)]
        );
        assert_eq!(plan.end(), Some(8 * S));
        let endless = FaultPlan { heal: None, ..plan };
        assert_eq!(endless.end(), None);
        assert_eq!(endless.without(&[FaultId(2)]).end(), Some(10 * S));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_id() {
        let check = |fault: FaultKind, target: Target, part: &str| {
            let mut plan = plan();
            plan.add(S, fault, target);
            let error = plan.validate().unwrap_err();
            assert_eq!(error.id, FaultId(5));
            assert!(error.to_string().contains(part), "{error}");
        };
        assert_eq!(plan().validate(), Ok(()));
        check(FaultKind::Crash, Target::link("a", "b"), "it strikes nodes");
        check(FaultKind::Cut, Target::node("a"), "it strikes links");
        check(FaultKind::Crash, Target::Nodes(Vec::new()), "names no node");
        check(
            FaultKind::Cut,
            Target::Groups(vec![vec!["a".to_owned()]]),
            "two groups",
        );
        let point = "p".to_owned();
        check(
            FaultKind::CrashAt { point, pass: 0 },
            Target::node("a"),
            "from 1",
        );
        let ppm = -1_000_000;
        check(
            FaultKind::ClockDrift { ppm },
            Target::node("a"),
            "a drift of",
        );
        let mut twice = plan();
        twice.faults[1].id = FaultId(1);
        assert!(
            twice
                .validate()
                .unwrap_err()
                .to_string()
                .contains("has this id")
        );
        let mut long = plan();
        long.faults[2].duration = Some(S);
        assert!(
            long.validate()
                .unwrap_err()
                .to_string()
                .contains("one instant")
        );
    }
}
