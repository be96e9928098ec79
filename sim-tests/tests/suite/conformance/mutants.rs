//! Known bugs of streams and datagrams: each makes some case differ, so the suite can see it.

use stormglass::mutants::{Mutant, with_mutant};

use super::CASES;
use super::ours::{Layout, play};

#[test]
fn conformance_catches_each_mutant() {
    let clean: Vec<_> = CASES
        .iter()
        .map(|case| play(case.ours, Layout::Loopback))
        .collect();
    let mut missed = Vec::new();
    for mutant in Mutant::OF_SOCKETS {
        let mut cases = CASES.iter().zip(&clean);
        let caught = cases.find(|(case, clean)| {
            with_mutant(*mutant, || play(case.ours, Layout::Loopback)) != **clean
        });
        match caught {
            Some((case, _)) => eprintln!("{mutant:?} is caught by {}", case.name),
            None => missed.push(mutant),
        }
    }
    assert!(Mutant::OF_SOCKETS.len() >= 20);
    assert!(missed.is_empty(), "no case sees {missed:?}");
}
