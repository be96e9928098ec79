//! A line of JSON for each event; `schema/events.json` describes them.

use serde_json::{Value, json};

use super::human::Stand;
use super::{Over, test_name};
use crate::campaign::{Campaign, Kept};
use crate::discover::Found;
use crate::failure::Failure;

/// The version of the events. A change that a reader could trip over raises it.
pub const VERSION: u32 = 1;

pub fn print(event: &Value) {
    println!("{event}");
}

fn event(name: &str, mut fields: Value) -> Value {
    fields["version"] = VERSION.into();
    fields["event"] = name.into();
    fields
}

pub fn test(found: &Found, test: usize) -> Value {
    let program = &found.binary(test).program;
    event(
        "test",
        json!({
            "id": found.id(test),
            "name": found.tests[test].name,
            "package": program.package.name,
            "target": program.target,
            "place": found.tests[test].place,
        }),
    )
}

pub fn begun(tests: usize, resumed: bool) -> Value {
    event("begun", json!({ "tests": tests, "resumed": resumed }))
}

pub fn kept(campaign: &Campaign, kept: &Kept) -> Value {
    event(
        "corpus",
        json!({
            "test": campaign.members[kept.member].id,
            "file": kept.file,
            "label": kept.label.map(stormglass::explore::Label::name),
            "stale": kept.stale,
        }),
    )
}

pub fn progress(stand: &Stand) -> Value {
    event(
        "progress",
        json!({
            "seeds": stand.seeds,
            "of": stand.of,
            "elapsed_ms": u64::try_from(stand.elapsed.as_millis()).unwrap_or(u64::MAX),
            "failures": stand.failures,
            "goals": stand.goals,
            "goals_met": stand.goals_met,
        }),
    )
}

fn failure_fields(campaign: &Campaign, found: &Found, failure: &Failure) -> Value {
    let place = failure.place().map(|(file, line)| format!("{file}:{line}"));
    json!({
        "test": failure.test,
        "name": test_name(campaign, found, failure),
        "kind": failure.kind(),
        "rule": failure.rule(),
        "message": failure.message(),
        "place": place,
        "fingerprint": failure.fingerprint,
        "hash": failure.hash(),
        "state": failure.state,
        "seed": failure.seed,
        "count": failure.count,
        "file": failure.file,
        "report": failure.report,
    })
}

pub fn failure(campaign: &Campaign, found: &Found, failure: &Failure) -> Value {
    event("failure", failure_fields(campaign, found, failure))
}

pub fn over(over: &Over<'_>) -> Value {
    let sum = over.campaign.sum();
    let failures: Vec<Value> = over
        .campaign
        .distinct()
        .map(|failure| {
            let mut fields = failure_fields(over.campaign, over.found, failure);
            fields.as_object_mut().map(|fields| fields.remove("report"));
            fields
        })
        .collect();
    event(
        "over",
        json!({
            "tests": over.campaign.members.len(),
            "seeds": sum.seeds,
            "steps": sum.steps,
            "failed": sum.failed,
            "excused": sum.excused,
            "virtual_ms": u64::try_from(sum.virtual_ns / 1_000_000).unwrap_or(u64::MAX),
            "elapsed_ms": u64::try_from(over.elapsed.as_millis()).unwrap_or(u64::MAX),
            "failures": failures,
            "goals": over.goals,
            "interrupted": over.interrupted,
            "exit_code": over.code,
            "verdict": over.verdict(),
        }),
    )
}
