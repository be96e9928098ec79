//! `list`: the simulation tests that there are.

use crate::args::{Format, ListArgs};
use crate::discover;
use crate::output::ndjson;
use crate::stop::{FINE, NOTHING_RAN, Stop};

pub fn list(args: &ListArgs) -> Result<u8, Stop> {
    let found = discover::find(&args.cargo)?;
    let tests = found.matching(args.filter.as_deref());
    for test in &tests {
        match args.format {
            Format::Ndjson => ndjson::print(&ndjson::test(&found, *test)),
            Format::Human => println!("{}  ({})", found.id(*test), found.tests[*test].place),
        }
    }
    if tests.is_empty() {
        eprintln!("no simulation test: mark one with #[stormglass::test]");
        return Ok(NOTHING_RAN);
    }
    Ok(FINE)
}
