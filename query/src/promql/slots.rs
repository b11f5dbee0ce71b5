//! [`Slots`]: where the floats of a series go, one for each step.
//!
//! Knows which steps have something; what it is of is the caller's.

/// What there is at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Absent,
    Float,
    Histogram,
}

/// Whether there is a float at each step.
pub(crate) fn are_full(marks: &[Mark]) -> bool {
    // Of short parts all marks are looked at: that is quicker than to stop.
    let is_full = |part: &[Mark]| {
        part.iter()
            .fold(true, |all, mark| all & (*mark == Mark::Float))
    };
    marks.chunks(MARKS_A_LOOK).all(is_full)
}

const MARKS_A_LOOK: usize = 64;

/// Room for a float at each step, and marks of those that have one.
pub(crate) struct Slots<'a> {
    marks: &'a mut [Mark],
    floats: &'a mut [f64],
}

impl<'a> Slots<'a> {
    /// Of two slices that are equally long.
    pub(crate) fn of(marks: &'a mut [Mark], floats: &'a mut [f64]) -> Slots<'a> {
        debug_assert_eq!(marks.len(), floats.len(), "a mark for each float");
        Slots { marks, floats }
    }

    /// Puts a float at a step.
    pub(crate) fn put(&mut self, step: usize, value: f64) {
        self.marks[step] = Mark::Float;
        self.floats[step] = value;
    }

    /// Marks `count` steps as having floats, and gives the room for them.
    pub(crate) fn fill(&mut self, step: usize, count: usize) -> &mut [f64] {
        let steps = step..step + count;
        self.marks[steps.clone()].fill(Mark::Float);
        &mut self.floats[steps]
    }

    /// Takes the floats out of `count` steps that `is_gone` holds of.
    pub(crate) fn clear(&mut self, step: usize, count: usize, is_gone: impl Fn(f64) -> bool) {
        let steps = step..step + count;
        let marks = self.marks[steps.clone()].iter_mut();
        for (mark, float) in marks.zip(&mut self.floats[steps]) {
            if is_gone(*float) {
                (*mark, *float) = (Mark::Absent, 0.0);
            }
        }
    }
}
