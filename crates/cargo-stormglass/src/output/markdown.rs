//! The summary of a campaign in Markdown, for the page of a job.

use super::{Over, shown, test_name};
use crate::goals::Goal;
use crate::units::count;

pub fn write(over: &Over<'_>) -> String {
    let campaign = over.campaign;
    let sign = if over.code == 0 { "passed" } else { "failed" };
    let mut text = format!("## Stormglass: {sign}\n\n{}.\n\n", over.verdict());
    if campaign.distinct().next().is_some() {
        text.push_str("| test | failure | seeds | smallest | replay |\n|---|---|---|---|---|\n");
        for failure in campaign.distinct() {
            let replay = match failure.replay() {
                Some(command) => format!("`{command}`"),
                None => format!("seed {}", failure.seed),
            };
            text.push_str(&format!(
                "| {} | {} | {} | {} | {replay} |\n",
                cell(test_name(campaign, over.found, failure)),
                cell(&failure.message()),
                count(failure.count),
                failure.seed,
            ));
        }
        text.push('\n');
        for failure in campaign.distinct() {
            text.push_str(&format!(
                "<details><summary>{}</summary>\n\n```text\n{}\n```\n\n</details>\n\n",
                html(&failure.fingerprint.to_string()),
                failure.report.replace("```", "'''"),
            ));
        }
    }
    for (kept, label) in campaign
        .kept
        .iter()
        .filter_map(|kept| Some((kept, kept.label?)))
    {
        text.push_str(&format!(
            "- corpus: {} `{}`\n",
            label.name(),
            shown(&kept.file)
        ));
    }
    let unmet: Vec<&Goal> = over.goals.iter().filter(|goal| !goal.is_met()).collect();
    if !unmet.is_empty() {
        text.push_str("\n| unmet goal | offered or reached | fired | effective or held |\n");
        text.push_str("|---|---|---|---|\n");
    }
    for goal in unmet {
        let (a, b, c) = match goal {
            Goal::Property { reached, held, .. } => (count(*reached), String::new(), count(*held)),
            Goal::Fault {
                offered,
                fired,
                effective,
                ..
            } => (count(*offered), count(*fired), count(*effective)),
        };
        text.push_str(&format!("| {} | {a} | {b} | {c} |\n", cell(goal.name())));
    }
    text
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    html(text).replace('|', "\\|").replace('\n', " ")
}
