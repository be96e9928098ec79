//! SARIF 2.1.0, as code scanning reads it: a rule for each property, a result for each failure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Over, shown, test_name};
use crate::failure::Failure;

pub fn write(over: &Over<'_>) -> Value {
    let rules: BTreeSet<String> = over.campaign.distinct().map(Failure::rule).collect();
    let rules: Vec<Value> = rules.iter().map(|rule| json!({ "id": rule })).collect();
    let results: Vec<Value> = over
        .campaign
        .distinct()
        .map(|it| result(over, it))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cargo-stormglass",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    })
}

fn result(over: &Over<'_>, failure: &Failure) -> Value {
    let name = test_name(over.campaign, over.found, failure);
    let mut result = json!({
        "ruleId": failure.rule(),
        "level": "error",
        "message": { "text": format!("{name}: {}\n\n{}", failure.message(), failure.report) },
        "partialFingerprints": { "stormglass/v1": failure.hash() },
        "properties": {
            "test": failure.test,
            "seed": failure.seed,
            "count": failure.count,
            "file": failure.file.as_deref().map(shown),
        },
    });
    // The test's own line, if the failure has none.
    let member = over.campaign.member_by_id(&failure.test);
    let own = member.and_then(|member| {
        let test = &over.found.tests[over.campaign.members[member].test];
        let (file, line) = test.place.rsplit_once(':')?;
        Some((file.to_owned(), line.parse().ok()?))
    });
    if let Some((file, line)) = failure.place().or(own) {
        result["locations"] = json!([{ "physicalLocation": {
            "artifactLocation": { "uri": file },
            "region": { "startLine": line },
        } }]);
    }
    result
}
