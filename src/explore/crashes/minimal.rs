//! Less of a crash that fails a check: the fewest changes whose loss is enough.
//!
//! Owns the search. What a crash is tried on is the caller's.
//!
use super::super::ddmin::ddmin;
use super::state::Crash;
use crate::model::disk::Sectors;

/// Makes each of some crashes lose as little as it can, the last one first, while they fail.
///
/// `fails` tries crashes; what it is given need not be legal, and stands for what it implies. But
/// where pages are written whole they stay so.
pub(crate) fn minimal(
    mut crashes: Vec<Crash>,
    whole_pages: bool,
    mut fails: impl FnMut(&[Crash]) -> bool,
) -> Vec<Crash> {
    let mut tries = TRIES_MAX;
    let mut fails = |crashes: &[Crash]| {
        tries = tries.saturating_sub(1);
        tries > 0 && fails(crashes)
    };
    for number in (0..crashes.len()).rev() {
        let mut with = |change: &dyn Fn(&mut Crash)| {
            let mut other = crashes.clone();
            change(&mut other[number]);
            fails(&other).then(|| other[number].clone())
        };
        let mut crash = with(&|crash| crash.garbage = false);
        let mut best = crash.take().unwrap_or_else(|| crashes[number].clone());
        best.lost = ddmin(best.lost.clone(), |lost| {
            with(&|crash| *crash = with_lost(&best, lost)).is_some()
        });
        for change in 0..best.torn.len() {
            let torn = best.clone();
            let rest = untorn(&torn, change);
            if with(&|crash| *crash = rest.clone()).is_some() {
                // The next one has its number now; the rest is tried no more.
                best = rest;
                break;
            }
            let missing = ddmin(missing(&torn, change, whole_pages), |missing| {
                with(&|crash| *crash = with_missing(&torn, change, missing)).is_some()
            });
            best = with_missing(&torn, change, &missing);
        }
        crashes[number] = best;
    }
    crashes
}

fn with_lost(crash: &Crash, lost: &[u64]) -> Crash {
    Crash {
        lost: lost.to_vec(),
        ..crash.clone()
    }
}

fn untorn(crash: &Crash, change: usize) -> Crash {
    let mut other = crash.clone();
    other.torn.remove(change);
    other
}

/// The sectors that a torn change lacks, of all that a page can have: what it never wrote is
/// lacking too, and leaving that out changes nothing.
fn missing(crash: &Crash, change: usize, whole_pages: bool) -> Vec<(usize, Sectors)> {
    let pages = crash.torn[change].1.iter().enumerate();
    let of_page = |(number, kept): (usize, &Sectors)| {
        let lacking = Sectors::ALL.without(*kept);
        if whole_pages && !lacking.is_empty() {
            return vec![(number, lacking)];
        }
        let sectors = lacking.iter().map(|sector| Sectors(1 << sector));
        sectors.map(|sector| (number, sector)).collect()
    };
    pages.flat_map(of_page).collect()
}

fn with_missing(crash: &Crash, change: usize, missing: &[(usize, Sectors)]) -> Crash {
    let mut other = crash.clone();
    let pages = &mut other.torn[change].1;
    pages.fill(Sectors::ALL);
    for (number, sectors) in missing {
        pages[*number] = pages[*number].without(*sectors);
    }
    other
}

/// Tries of one failure. Each runs the check once, so that ten times more would be felt.
const TRIES_MAX: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tears_are_mended_where_they_do_not_matter() {
        let crash = Crash {
            lost: vec![1, 2, 3],
            torn: vec![(7, vec![Sectors(0), Sectors(0)])],
            garbage: true,
            ..Crash::default()
        };
        for (whole_pages, left) in [(false, Sectors(!0b100)), (true, Sectors::NONE)] {
            let found = minimal(vec![crash.clone()], whole_pages, |crashes| {
                let [crash] = crashes else {
                    panic!("one crash")
                };
                let lacks = |(_, pages): &(u64, Vec<Sectors>)| pages[1].0 & 0b100 == 0;
                crash.lost.contains(&2) && crash.torn.iter().any(lacks)
            });
            let [found] = &found[..] else {
                panic!("one crash")
            };
            assert_eq!(found.lost, [2]);
            assert_eq!(found.torn, [(7, vec![Sectors::ALL, left])]);
            assert!(!found.garbage);
        }
    }
}
