//! The lines in an engine.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chronolith_engine::logs::{Line as EngineLine, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Durability, Engine, Options};
use chronolith_query::logql::EngineLines;

use crate::shop::Line;

/// Where lines are when a query reads them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    Head,
    Block,
    /// Half of them in a block, the later half in memory.
    Both,
}

/// A data directory under the system's temporary one, removed when dropped.
pub struct Store {
    folder: PathBuf,
    engine: Engine,
}

impl Store {
    pub fn new(lines: &[Line], stage: Stage) -> Store {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chronolith-logql-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // A test run that was killed may have left one behind under the same process id.
        let _ = std::fs::remove_dir_all(&folder);
        let options = Options {
            durability: Durability::Never,
            ..Options::default()
        };
        let store = Store {
            engine: Engine::open(&folder, options).unwrap(),
            folder,
        };
        let (first, second) = lines.split_at(lines.len() / 2);
        for (part, lines) in [first, second].into_iter().enumerate() {
            store.append(lines);
            let freezes = match stage {
                Stage::Head => false,
                Stage::Block => true,
                Stage::Both => part == 0,
            };
            if freezes {
                store.engine.logs().unwrap().freeze().unwrap();
            }
        }
        if stage == Stage::Block {
            store.engine.logs().unwrap().compact().unwrap();
        }
        store
    }

    fn append(&self, lines: &[Line]) {
        let mut batch = Batch::<Lines>::new();
        for line in lines {
            let entry = EngineLine {
                time: Nanos(line.time),
                text: &line.text,
                metadata: line.metadata.as_labels(),
            };
            batch.push(line.labels.as_labels(), entry);
        }
        let report = self.engine.logs().unwrap().append(&batch).unwrap();
        assert_eq!(report.accepted, lines.len() as u64);
    }

    pub fn lines(&self) -> EngineLines {
        EngineLines::new(self.engine.logs().unwrap().snapshot())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary one does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
