//! Which marks of a crash point's changes the profile allows, and how others are made so.
//!
//! Owns the closure. Which marks are wanted is [states](super::states)'s to say.

use crate::model::disk::{CrashPoint, Mark, OpSet};

/// What each change of a crash point needs.
pub(crate) struct Legal {
    needs: Vec<OpSet>,
}

impl Legal {
    pub(crate) fn of(point: &CrashPoint) -> Self {
        Self {
            needs: point.profile.needs_of_each(&point.pending),
        }
    }

    /// Loses too what needs something that is not there. Who needs a change needs all of it: one
    /// that is torn is no foundation.
    pub(crate) fn founded(&self, mut marks: Vec<Mark>) -> Vec<Mark> {
        let whole = whole(&marks);
        // Needs of needs are needs, so that nobody's needs are lost in this very loop.
        for (mark, needs) in marks.iter_mut().zip(&self.needs) {
            if *mark != Mark::Lost && !needs.is_within(&whole) {
                *mark = Mark::Lost;
            }
        }
        marks
    }

    /// Keeps too what something needs that is there.
    pub(crate) fn completed(&self, mut marks: Vec<Mark>) -> Vec<Mark> {
        let mut needed = OpSet::new(marks.len());
        for (mark, needs) in marks.iter().zip(&self.needs) {
            if *mark != Mark::Lost {
                needed.add_all(needs);
            }
        }
        for (op, mark) in marks.iter_mut().enumerate() {
            if needed.contains(op) {
                *mark = Mark::Kept;
            }
        }
        marks
    }
}

fn whole(marks: &[Mark]) -> OpSet {
    let mut whole = OpSet::new(marks.len());
    for (op, mark) in marks.iter().enumerate() {
        if *mark == Mark::Kept {
            whole.add(op);
        }
    }
    whole
}
