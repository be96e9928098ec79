//! What people and other programs are told of a campaign.

pub mod human;
pub mod junit;
pub mod markdown;
pub mod ndjson;
pub mod sarif;

use std::path::Path;
use std::time::Duration;

use crate::campaign::Campaign;
use crate::discover::Found;
use crate::failure::Failure;
use crate::goals::Goal;
use crate::units::{count, plural};

/// A campaign that is over.
pub struct Over<'a> {
    pub found: &'a Found,
    pub campaign: &'a Campaign,
    pub goals: &'a [Goal],
    pub elapsed: Duration,
    pub interrupted: bool,
    pub code: u8,
}

impl Over<'_> {
    /// What the campaign proves, in a sentence or two.
    pub fn verdict(&self) -> String {
        let sum = self.campaign.sum();
        let distinct = self.campaign.distinct().count() as u64;
        if sum.seeds == 0 {
            return "nothing ran, and nothing is known".to_owned();
        }
        if distinct > 0 {
            return format!(
                "{} in {}: {} in {} did not pass",
                plural(distinct, "distinct failure"),
                plural(sum.seeds, "seed"),
                count(sum.failed),
                count(sum.seeds),
            );
        }
        let mut text = format!(
            "0 failures in {}: with 95 % confidence fewer than {} of such seeds fail",
            plural(sum.seeds, "seed"),
            rate(sum.seeds)
        );
        if self.campaign.members.len() > 1 {
            let least = self
                .campaign
                .members
                .iter()
                .map(|member| member.tally.seeds.count())
                .min();
            if let Some(least) = least.filter(|least| *least > 0) {
                text.push_str(&format!(
                    "; of the test that ran least, fewer than {}",
                    rate(least)
                ));
            }
        }
        text
    }
}

/// The upper bound of a rate that was never seen in `n` independent runs: the rule of three.
fn rate(n: u64) -> String {
    if n <= 3 {
        "any share".to_owned()
    } else {
        format!("3 in {}", count(n))
    }
}

/// A path as a person would type it here.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The name of the test of a failure, without package and program.
pub fn test_name<'a>(campaign: &Campaign, found: &'a Found, failure: &'a Failure) -> &'a str {
    match campaign.member_by_id(&failure.test) {
        Some(member) => &found.tests[campaign.members[member].test].name,
        None => &failure.test,
    }
}

/// Rows as a table with aligned columns; the first row is the head, and the first column is words.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (number, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count());
            if number == 0 {
                line.push_str(&format!("  {cell}{gap}"));
            } else {
                line.push_str(&format!("  {gap}{cell}"));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
