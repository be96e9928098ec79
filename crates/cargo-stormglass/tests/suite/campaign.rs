//! A campaign over tests that go wrong in every way: it ends, and tells each failure once.

use std::fs;

use serde_json::Value;

use super::package::Runner;

/// Each test of `crashers.rs`, the kind of its failure, and what its message says.
const EXPECTED: [(&str, &str, &str); 12] = [
    ("aborts", "Died", "SIGABRT"),
    ("deadlocks", "Deadlock", "nothing can ever run again"),
    ("eats_memory", "Died", "memory allocation of"),
    ("leaks_a_clock", "Nondeterminism", "the leak: clock"),
    ("leaks_addresses", "Nondeterminism", "the leak: addresses"),
    ("leaks_entropy", "Nondeterminism", "the leak: entropy"),
    (
        "leaks_the_state_of_the_process",
        "Nondeterminism",
        "the leak: process-state",
    ),
    ("livelocks", "Livelock", "virtual time does not move"),
    ("loops_without_end", "Hang", "has not returned"),
    ("overflows_its_stack", "Died", "has overflowed its stack"),
    ("panics", "Panic", "is bad"),
    ("violates_a_property", "Violation", "no seed is bad"),
];

#[test]
fn every_crasher_is_told_once_and_the_campaign_ends() {
    let runner = Runner::new("crashers");
    let canary = runner.file("canary");
    let [junit, sarif, summary] =
        ["junit.xml", "sarif.json", "summary.md"].map(|it| runner.file(it));
    let words = format!(
        "run --test crashers --format ndjson --corpus {} --junit {junit} --sarif {sarif} \
         --summary {summary} -j 2",
        runner.file("corpus")
    );
    let output = runner
        .command(&words)
        .env("PLANTED_CANARY", &canary)
        .output()
        .unwrap();
    let called = super::package::Called::new(&words, &output);
    assert_eq!(called.code, 100);
    assert!(
        !fs::exists(&canary).unwrap(),
        "a test that is no simulation was run"
    );

    let mut failures = called.events("failure");
    failures.sort_by_key(|failure| failure["name"].to_string());
    let names: Vec<&str> = failures
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, EXPECTED.map(|(name, ..)| name));
    for (failure, (name, kind, message)) in failures.iter().zip(EXPECTED) {
        let text = failure.to_string();
        assert_eq!(failure["kind"], kind, "{text}");
        let report = failure["report"].as_str().unwrap();
        assert!(report.contains(message), "{name}: {report}");
        assert!(report.lines().count() <= 25, "{report}");
        assert!(report.contains("  replay  cargo stormglass "), "{report}");
        assert!(report.contains("  saved   "), "{report}");
        let is_kept = failure["file"]
            .as_str()
            .is_some_and(|file| fs::exists(file).unwrap());
        assert_eq!(is_kept, kind != "Nondeterminism", "{text}");
        let state = if is_kept {
            "confirmed"
        } else {
            "nondeterministic"
        };
        assert_eq!(failure["state"], state, "{text}");
        // Each of the first eight seeds is run; 2 and 6 are bad, and only 2 of the first four.
        let hang = name == "loops_without_end";
        if is_kept {
            assert_eq!(failure["seed"].as_u64().unwrap() % 4, 2);
        }
        let over = called.over();
        let told = over["failures"].as_array().unwrap();
        let told = told.iter().find(|told| told["name"] == name).unwrap();
        let count = if !is_kept || hang { 1 } else { 2 };
        assert_eq!(told["count"], count, "{told}");
    }
    // 11 tests of 8 seeds and one of 4.
    assert_eq!(called.over()["seeds"], 92);
    assert_eq!(called.over()["exit_code"], 100);
    check_schema(&called.stdout);
    check_junit(&fs::read_to_string(&junit).unwrap());
    check_sarif(&serde_json::from_str(&fs::read_to_string(&sarif).unwrap()).unwrap());
    let summary = fs::read_to_string(&summary).unwrap();
    assert!(summary.starts_with("## Stormglass: failed"), "{summary}");
    assert!(
        summary.contains("12 distinct failures in 92 seeds"),
        "{summary}"
    );
    assert!(summary.contains("`cargo stormglass replay "), "{summary}");
}

fn check_junit(text: &str) {
    assert!(
        text.contains("<testsuite name=\"planted::crashers\" tests=\"12\""),
        "{text}"
    );
    for (name, ..) in EXPECTED {
        assert!(
            text.contains(&format!("<testcase name=\"{name}\"")),
            "{name}: {text}"
        );
    }
    assert_eq!(text.matches("<failure").count(), 12, "{text}");
    assert!(
        text.contains("<property name=\"seed\" value=\"2\"/>"),
        "{text}"
    );
}

fn check_sarif(sarif: &Value) {
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 12);
    let mut prints = Vec::new();
    for result in results {
        assert!(
            rules.contains(&result["ruleId"].as_str().unwrap()),
            "{result}"
        );
        let print = result["partialFingerprints"]["stormglass/v1"]
            .as_str()
            .unwrap();
        assert_eq!(print.len(), 16);
        prints.push(print);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            place["artifactLocation"]["uri"], "tests/crashers.rs",
            "{result}"
        );
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
    }
    assert!(
        rules.contains(&"no seed is bad"),
        "a property is its own rule: {rules:?}"
    );
}

/// Checks each line against the schema, as far as this crate uses JSON Schema: an object for each
/// event, with the fields that it must have, their types, and no others.
fn check_schema(lines: &str) {
    let schema: Value = serde_json::from_str(include_str!("../../schema/events.json")).unwrap();
    let events = schema["oneOf"].as_array().unwrap();
    let mut seen = Vec::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let of_it = |it: &&Value| it["properties"]["event"]["const"] == event["event"];
        let schema = events
            .iter()
            .find(of_it)
            .unwrap_or_else(|| panic!("no schema of {event}"));
        for name in schema["required"].as_array().unwrap() {
            assert!(
                event.get(name.as_str().unwrap()).is_some(),
                "no {name} in {event}"
            );
        }
        for (name, value) in event.as_object().unwrap() {
            let property = schema["properties"].get(name);
            let property = property.unwrap_or_else(|| panic!("`{name}` is not in the schema"));
            check_type(property, value);
        }
        seen.push(event["event"].as_str().unwrap().to_owned());
    }
    for event in ["begun", "test", "failure", "over"] {
        assert!(seen.iter().any(|seen| seen == event), "{event}");
    }
}

fn check_type(schema: &Value, value: &Value) {
    if let Some(constant) = schema.get("const") {
        assert_eq!(constant, value);
        return;
    }
    if let Some(listed) = schema.get("enum") {
        assert!(
            listed.as_array().unwrap().contains(value),
            "{value} is not of {listed}"
        );
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = &schema["type"];
    let fits = types == kind
        || types
            .as_array()
            .is_some_and(|types| types.contains(&kind.into()));
    assert!(fits, "{value} is no {types}");
}
