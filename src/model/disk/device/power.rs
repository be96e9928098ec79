//! A loss of power, and what is counted of it.

use super::Device;
use crate::kernel::{Choices, Family};
use crate::model::disk::change::Change;
use crate::model::disk::crash::{CrashPoint, Fill, Mark};
use crate::model::disk::image::Image;

impl Device {
    /// The node loses power: a legal subset of what is pending is kept.
    pub(crate) fn power_lost(&mut self, choices: &mut Choices) {
        let point = CrashPoint::of(&self.fs.store);
        let (marks, fill) = {
            let (odds, sector_bytes) = (&self.crash_odds, self.sector_bytes);
            point.draw(choices, &mut self.crash, odds, sector_bytes)
        };
        let image = point.image(&marks, fill);
        if !marks.is_empty() {
            self.count_loss(&point, &marks, fill, &image);
        }
        self.fs.remount(image);
        // The cache is gone, and with it what was wrong only there.
        self.unseen
            .retain(|_, family| *family != Family::MisdirectedRead);
        self.forget_errors();
    }

    fn count_loss(&mut self, point: &CrashPoint, marks: &[Mark], fill: Fill, image: &Image) {
        let mut as_seen = self.fs.store.visible().clone();
        as_seen.settle();
        let differs = as_seen.hash() != image.hash();
        let changes = || point.pending.iter().map(|op| &op.change).zip(marks);
        let is_lost = |mark: &Mark| *mark == Mark::Lost;
        let is_data = |change: &Change| matches!(change, Change::Data { .. });
        let is_growth =
            |change: &Change| matches!(change, Change::Size { from, to, .. } if to > from);
        let is_name = |change: &Change| {
            matches!(
                change,
                Change::Link { .. } | Change::Unlink { .. } | Change::Rename { .. }
            )
        };
        let grows =
            point.profile.exposes_garbage() && changes().any(|(change, _)| is_growth(change));
        let exposed = grows
            && changes().any(|(change, mark)| is_growth(change) && !is_lost(mark))
            && !point.exposed(marks).is_empty();
        for (family, offered, fired) in [
            (
                Family::UnsyncedLoss,
                true,
                changes().any(|(_, mark)| is_lost(mark)),
            ),
            (
                Family::TornWrite,
                changes().any(|(change, _)| is_data(change)),
                changes().any(|(_, mark)| matches!(mark, Mark::Torn(_))),
            ),
            (
                Family::EntryLost,
                changes().any(|(change, _)| is_name(change)),
                changes().any(|(change, mark)| is_name(change) && is_lost(mark)),
            ),
            (Family::SizeWithoutData, grows, exposed),
            (
                Family::StaleGarbage,
                exposed,
                matches!(fill, Fill::Garbage(_)),
            ),
        ] {
            let counters = self.faults.counters_mut();
            if offered {
                counters.offered(family);
            }
            if offered && fired {
                counters.fired(family);
                if differs {
                    counters.effective(family);
                }
            }
        }
        let mut changes = point.pending.iter().zip(marks);
        if differs && changes.any(|(op, mark)| op.number < self.lied_below && is_lost(mark)) {
            self.faults.was_seen(Family::SyncLie);
        }
    }
}
