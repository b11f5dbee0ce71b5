//! An engine as the shelf of a script.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{Histogram, Sample, SampleValue, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Durability, Engine, Limits, Options, Store};
use chronolith_query::promql::script::{Loaded, Shelf};
use chronolith_query::promql::source::{Request, Source, SourceSeries};
use chronolith_query::promql::{self, EngineSource, ErrorKind};

/// Where the samples are when a query reads them.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    Head,
    Block,
}

/// A data directory under the system's temporary one, removed when dropped. Each clearing of the
/// shelf goes on with a tenant of its own.
pub struct EngineShelf {
    folder: PathBuf,
    engine: Engine,
    tenant: u32,
    stage: Stage,
}

impl EngineShelf {
    pub fn new(stage: Stage) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chronolith-promql-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // A test run that was killed may have left one behind under the same process id.
        let _ = std::fs::remove_dir_all(&folder);
        let options = Options {
            durability: Durability::Never,
            limits: Limits::default(),
            ..Options::default()
        };
        let engine = Engine::open(&folder, options).unwrap();
        EngineShelf {
            folder,
            engine,
            tenant: 0,
            stage,
        }
    }

    fn store(&self) -> Store<Samples> {
        let tenant = self.engine.tenant(&format!("t{}", self.tenant)).unwrap();
        tenant.metrics().unwrap()
    }
}

impl Drop for EngineShelf {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary one does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Source for EngineShelf {
    fn select(&self, request: &Request<'_>) -> promql::Result<Vec<SourceSeries>> {
        EngineSource::new(self.store().snapshot()).select(request)
    }
}

impl Shelf for EngineShelf {
    fn clear(&mut self) {
        self.tenant += 1;
    }

    fn fill(&mut self, labels: &LabelSet, samples: &[Loaded]) -> promql::Result<()> {
        let histograms: Vec<Option<Histogram>> = samples
            .iter()
            .map(|loaded| match &loaded.sample {
                promql::Sample::Float(_) => None,
                promql::Sample::Histogram(histogram) => Some(histogram.to_stored()),
            })
            .collect();
        let mut batch = Batch::<Samples>::new();
        batch.series(labels.as_labels().as_bytes());
        for (loaded, histogram) in samples.iter().zip(&histograms) {
            batch.entry(Sample {
                time: Millis(loaded.time),
                start: (loaded.start != 0).then_some(Millis(loaded.start)),
                value: match histogram {
                    Some(histogram) => SampleValue::Histogram(histogram),
                    None => SampleValue::Float(loaded.sample.as_float().unwrap()),
                },
            });
        }
        let store = self.store();
        let report = store.append(&batch)?;
        if let Some(refused) = report.refused.first() {
            let message = format!("the engine refuses a sample of {labels:?}: {refused:?}");
            return Err(promql::Error::new(ErrorKind::Storage, message));
        }
        if let Stage::Block = self.stage {
            store.freeze()?;
        }
        Ok(())
    }
}
