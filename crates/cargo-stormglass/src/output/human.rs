//! Text for a person: reports as they come, a bar or a line of progress, and the end.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Over, shown, table, test_name};
use crate::campaign::Kept;
use crate::corpus;
use crate::failure::{Failure, State};
use crate::goals::Goal;
use crate::units::{count, plural};

/// Where progress goes: a bar on a terminal, else a line now and then.
pub struct Progress {
    bar: Option<ProgressBar>,
    every: Duration,
    last: Instant,
}

/// How far a campaign is.
pub struct Stand {
    pub seeds: u64,
    /// How many are asked for, if there is an end.
    pub of: Option<u64>,
    pub elapsed: Duration,
    pub speed_tenths: u64,
    pub failures: u64,
    pub goals_met: usize,
    pub goals: usize,
}

impl Progress {
    pub fn new(every: Duration, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(8);
            let bar = ProgressBar::with_draw_target(None, target);
            bar.set_style(
                ProgressStyle::with_template("{spinner} [{elapsed}] {wide_bar} {msg}")
                    .expect("the template is right"),
            );
            bar
        });
        Self {
            bar,
            every,
            last: Instant::now(),
        }
    }

    /// Prints a text above the bar.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    /// Whether it is time for a line, or there is a bar.
    pub fn is_due(&self) -> bool {
        self.bar.is_some() || self.last.elapsed() >= self.every
    }

    pub fn show(&mut self, stand: &Stand, quiet: bool) {
        let text = progress_line(stand);
        match &self.bar {
            Some(bar) => {
                if let Some(of) = stand.of {
                    bar.set_length(of);
                }
                bar.set_position(stand.seeds);
                bar.set_message(text);
                bar.tick();
            }
            None if !quiet => eprintln!("{text}"),
            None => {}
        }
        self.last = Instant::now();
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn progress_line(stand: &Stand) -> String {
    let seeds = match stand.of {
        Some(of) => format!("{} of {} seeds", count(stand.seeds), count(of)),
        None => plural(stand.seeds, "seed"),
    };
    let ms = stand.elapsed.as_millis().max(1);
    let rate = u64::try_from(u128::from(stand.seeds) * 1000 / ms).unwrap_or(u64::MAX);
    let speed = tenths(stand.speed_tenths);
    let failures = plural(stand.failures, "distinct failure");
    let goals = if stand.goals == 0 {
        String::new()
    } else {
        format!(", goals {}/{}", stand.goals_met, stand.goals)
    };
    format!(
        "{seeds}, {}/s, {speed} virtual s per CPU s, {failures}{goals}",
        count(rate)
    )
}

fn tenths(number: u64) -> String {
    match number {
        0..1_000 => format!("{}.{}", number / 10, number % 10),
        _ => count(number / 10),
    }
}

/// What is said of a saved failure that was run.
pub fn kept(kept: &Kept) -> String {
    let Some(label) = kept.label else {
        return format!("corpus: {} was not run", shown(&kept.file));
    };
    let mut text = format!(
        "corpus: {:<7}  {} ({})",
        label.name(),
        shown(&kept.file),
        corpus::meaning(label)
    );
    for target in &kept.stale {
        text.push_str(&format!("\n          found no target: {target}"));
    }
    text
}

/// The end of a campaign.
pub fn over(over: &Over<'_>) -> String {
    let campaign = over.campaign;
    let sum = campaign.sum();
    let mut text = String::from("\n");
    if campaign.distinct().next().is_some() {
        text.push_str("failures, each told above:\n");
        let head = ["test", "seeds", "smallest"].map(str::to_owned).to_vec();
        let mut rows = vec![head];
        for failure in campaign.distinct() {
            rows.push(vec![
                format!(
                    "{}  {}",
                    test_name(campaign, over.found, failure),
                    kind(failure)
                ),
                count(failure.count),
                if failure.count == 0 {
                    "-".to_owned()
                } else {
                    failure.seed.to_string()
                },
            ]);
        }
        text.push_str(&table(&rows));
        text.push('\n');
    }
    text.push_str(&broken(over));
    text.push_str(&goals(over.goals));
    if sum.is_excused_too_often() {
        text.push_str(&format!(
            "{} of {} runs were excused, since a quorum was lost for good: more than 1 % prove \
             little\n  give the nemesis a budget that the system survives\n",
            count(sum.excused),
            count(sum.seeds)
        ));
    }
    let tests = plural(campaign.members.len() as u64, "test");
    text.push_str(&format!(
        "{tests}, {}, {} virtual s in {} s\n",
        plural(sum.seeds, "seed"),
        count(u64::try_from(sum.virtual_ns / 1_000_000_000).unwrap_or(u64::MAX)),
        tenths(u64::try_from(over.elapsed.as_millis() / 100).unwrap_or(u64::MAX)),
    ));
    text.push_str(&over.verdict());
    if over.interrupted {
        text.push_str("\ninterrupted; all is saved: `cargo stormglass run --resume` goes on");
    }
    text
}

fn kind(failure: &Failure) -> String {
    match failure.state {
        State::Confirmed => failure.kind().to_owned(),
        State::Suspected => format!("{}, not confirmed", failure.kind()),
        State::Nondeterministic | State::Merged => "not deterministic".to_owned(),
    }
}

fn broken(over: &Over<'_>) -> String {
    let members = over.campaign.members.iter();
    let broken = members.filter_map(|member| Some((&member.id, member.broken.as_ref()?)));
    broken
        .map(|(id, why)| format!("{id} cannot be run: {why}\n"))
        .collect()
}

/// The tables of what was not reached.
fn goals(goals: &[Goal]) -> String {
    let mut properties = vec![
        ["never seen", "reached", "held", "where"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut faults = vec![
        ["never effective", "offered", "fired", "effective"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut means = String::new();
    for goal in goals.iter().filter(|goal| !goal.is_met()) {
        match goal {
            Goal::Property {
                name,
                claim,
                place,
                reached,
                held,
                margin,
            } => {
                let place = place.clone().unwrap_or_else(|| "-".to_owned());
                let near =
                    margin.map_or(String::new(), |margin| format!(", missed by {}", -margin));
                properties.push(vec![
                    format!("{claim} \"{name}\"{near}"),
                    count(*reached),
                    count(*held),
                    place,
                ]);
            }
            Goal::Fault {
                name,
                offered,
                fired,
                effective,
                effective_means,
            } => {
                faults.push(vec![
                    name.clone(),
                    count(*offered),
                    count(*fired),
                    count(*effective),
                ]);
                means.push_str(&format!("  {name} is effective if {effective_means}\n"));
            }
        }
    }
    let mut text = String::new();
    for rows in [properties, faults].iter().filter(|rows| rows.len() > 1) {
        text.push_str(&format!(
            "{} unmet:\n",
            plural(rows.len() as u64 - 1, "goal")
        ));
        text.push_str(&table(rows));
    }
    text + &means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_fits_a_line() {
        let stand = Stand {
            seeds: 12_345,
            of: Some(100_000),
            elapsed: Duration::from_secs(10),
            speed_tenths: 123,
            failures: 1,
            goals_met: 2,
            goals: 3,
        };
        assert_eq!(
            progress_line(&stand),
            "12,345 of 100,000 seeds, 1,234/s, 12.3 virtual s per CPU s, 1 distinct failure, \
             goals 2/3"
        );
    }

    #[test]
    fn what_was_not_reached_is_a_table() {
        let text = goals(&[
            Goal::Property {
                name: "a leader changes".to_owned(),
                claim: "sometimes".to_owned(),
                place: Some("src/a.rs:7".to_owned()),
                reached: 12,
                held: 0,
                margin: Some(-3),
            },
            Goal::Fault {
                name: "disk.full".to_owned(),
                offered: 3,
                fired: 1,
                effective: 0,
                effective_means: "the program was told".to_owned(),
            },
        ]);
        let expected = "\
1 goal unmet:
  never seen                                reached  held       where
  sometimes \"a leader changes\", missed by 3       12     0  src/a.rs:7
1 goal unmet:
  never effective  offered  fired  effective
  disk.full              3      1          0
  disk.full is effective if the program was told
";
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&text), words(expected), "{text}");
    }
}
