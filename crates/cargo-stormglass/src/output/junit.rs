//! JUnit's XML: a case for each test, and one for each goal.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Over;
use crate::failure::Failure;

pub fn write(over: &Over<'_>) -> Result<String, String> {
    let mut report = Report::new("stormglass");
    report.set_time(over.elapsed);
    for (number, binary) in over.found.binaries.iter().enumerate() {
        let program = &binary.program;
        let mut suite = TestSuite::new(format!("{}::{}", program.package.name, program.target));
        let members = over.campaign.members.iter();
        for member in members.filter(|member| over.found.tests[member.test].binary == number) {
            let failures = over.campaign.distinct();
            let failures: Vec<&Failure> = failures.filter(|it| it.test == member.id).collect();
            let mut case = TestCase::new(&*over.found.tests[member.test].name, status(&failures));
            if let Some(why) = &member.broken {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_message(&**why);
                case.status = status;
            }
            case.set_classname(format!("{}::{}", program.package.name, program.target));
            case.set_time(Duration::from_nanos(member.tally.real_ns));
            case.add_property(("seeds", &*member.tally.seeds.count().to_string()));
            for failure in failures {
                case.add_property(("seed", &*failure.seed.to_string()));
                case.add_property(("fingerprint", failure.fingerprint.as_str()));
            }
            suite.add_test_case(case);
        }
        if !suite.test_cases.is_empty() {
            report.add_test_suite(suite);
        }
    }
    let mut suite = TestSuite::new("goals");
    for goal in over.goals {
        let mut status = TestCaseStatus::success();
        if !goal.is_met() {
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message("never seen in the campaign");
        }
        suite.add_test_case(TestCase::new(goal.name(), status));
    }
    if !suite.test_cases.is_empty() {
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn status(failures: &[&Failure]) -> TestCaseStatus {
    let Some(first) = failures.first() else {
        return TestCaseStatus::success();
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(first.rule());
    let messages: Vec<String> = failures.iter().map(|failure| failure.message()).collect();
    status.set_message(messages.join("; "));
    let reports: Vec<&str> = failures.iter().map(|failure| &*failure.report).collect();
    status.set_description(reports.join("\n\n"));
    status
}
