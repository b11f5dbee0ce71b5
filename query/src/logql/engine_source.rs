//! [`EngineLines`]: the logs of the engine as a source.

use std::sync::Arc;

use chronolith_engine::labels::Labels;
use chronolith_engine::logs::{Abridge, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Selector, Series, Snapshot, Wanted};

use crate::logql::source::{Direction, LineRequest, LineSource, LineStream, Runs};
use crate::logql::{Error, Result};

/// A snapshot of a tenant's logs as a source.
pub struct EngineLines {
    snapshot: Snapshot<Lines>,
}

impl EngineLines {
    /// Reads from this snapshot.
    pub fn new(snapshot: Snapshot<Lines>) -> Self {
        EngineLines { snapshot }
    }
}

impl LineSource for EngineLines {
    fn streams<'s>(&'s self, request: &LineRequest<'_>) -> Result<Vec<Box<dyn LineStream + 's>>> {
        let mut selector = Selector::new(request.matchers.to_vec())
            .between(Nanos(request.start), Nanos(request.end));
        for needle in request.needles {
            selector = selector.containing(needle.as_slice());
        }
        let streams = self.snapshot.select(&selector)?.into_iter();
        Ok(streams.map(|stream| Box::new(stream) as Box<_>).collect())
    }
}

impl LineStream for Series<Lines> {
    fn labels(&self) -> Labels<'_> {
        Series::labels(self)
    }

    fn runs(&self, wanted: Wanted, direction: Direction) -> Result<Runs<'_>> {
        let cursor = self.cursor_wanting(wanted)?;
        Ok(match direction {
            Direction::Forward => Box::new(cursor.map(|run| run.map_err(Error::from))),
            Direction::Backward => Box::new(cursor.rev().map(|run| run.map_err(Error::from))),
        })
    }

    fn runs_abridged(&self, abridge: &Arc<dyn Abridge>) -> Result<Runs<'_>> {
        let cursor = self.cursor_abridged(Arc::clone(abridge))?;
        Ok(Box::new(cursor.map(|run| run.map_err(Error::from))))
    }
}
