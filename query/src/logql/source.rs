//! [`LineSource`]: what a LogQL query reads from.
//!
//! The engine's snapshots are one source, lines in memory another. A source knows streams, times
//! and texts to look for; it knows no pipeline.

use std::sync::Arc;

use chronolith_engine::Wanted;
use chronolith_engine::labels::{Labels, Matcher};
use chronolith_engine::logs::{Abridge, LineRun};

use crate::logql::Result;

/// Which lines a query may look at.
#[derive(Clone, Copy, Debug)]
pub struct LineRequest<'a> {
    /// What the labels of the streams must be.
    pub matchers: &'a [Matcher],
    /// The first time, in nanoseconds.
    pub start: i64,
    /// The last time, included.
    pub end: i64,
    /// Texts that a line must all contain to be of use. Lines without them may be left out.
    pub needles: &'a [Vec<u8>],
}

/// What a query reads from.
pub trait LineSource: Sync {
    /// The streams that all matchers accept, in label order. Streams without a line in the range
    /// may be among them.
    fn streams<'s>(&'s self, request: &LineRequest<'_>) -> Result<Vec<Box<dyn LineStream + 's>>>;
}

/// Runs of lines, one after the other.
pub type Runs<'s> = Box<dyn Iterator<Item = Result<LineRun>> + 's>;

/// One stream of a source, and its lines of the range that was asked for.
pub trait LineStream: Send + Sync {
    /// Its labels.
    fn labels(&self) -> Labels<'_>;

    /// Its lines in runs, each in order of time, lines of one time in order of arrival. What is not
    /// wanted may be missing. The runs themselves come in the direction that is asked for.
    fn runs(&self, wanted: Wanted, direction: Direction) -> Result<Runs<'_>>;

    /// Its lines from the oldest on, with no more of their texts than `abridge` says is enough,
    /// where the source can tell. Whole lines are right as well.
    fn runs_abridged(&self, abridge: &Arc<dyn Abridge>) -> Result<Runs<'_>> {
        let _ = abridge;
        self.runs(Wanted::Everything, Direction::Forward)
    }
}

/// Which lines come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The oldest.
    Forward,
    /// The newest.
    #[default]
    Backward,
}
