//! `to-test`: a saved failure as a Rust test.

use crate::args::ToTestArgs;
use crate::corpus;
use crate::stop::{FINE, Stop};

pub fn to_test(args: &ToTestArgs) -> Result<u8, Stop> {
    let scenario = corpus::read(&args.file)?;
    let file = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    let function = scenario.test.rsplit("::").next().unwrap_or(&scenario.test);
    let failure = scenario.failed.failure.to_string();
    let what = failure.lines().next().unwrap_or_default();
    println!(
        "/// Beside `{}`. The scenario was saved for:",
        scenario.test
    );
    println!("///");
    println!("/// ```text");
    println!("/// {what}");
    let plans = scenario
        .decisions
        .plans
        .iter()
        .filter(|plan| !plan.faults.is_empty());
    for line in plans.flat_map(|plan| {
        plan.to_string()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    }) {
        println!("/// {}", line.trim_end());
    }
    println!("/// ```");
    println!("#[test]");
    println!("fn {function}_with_seed_{}() {{", scenario.seed);
    println!(
        "    let scenario = include_str!({:?});",
        file.display().to_string()
    );
    println!("    stormglass::run::replay(scenario, {function});");
    println!("}}");
    Ok(FINE)
}
