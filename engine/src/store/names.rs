//! Label names and values over head and blocks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use roaring::RoaringBitmap;

use crate::block::BlockReader;
use crate::error::Result;
use crate::head::index::HeadIndexView;
use crate::index::select::select;
use crate::kind::Kind;
use crate::store::select::Selector;
use crate::store::snapshot::Snapshot;

impl<K: Kind> Snapshot<K> {
    /// The label names of the series that the selector accepts, sorted, at most `limit`.
    ///
    /// The time range is looked at by block and by head window.
    pub fn label_names(&self, selector: &Selector, limit: usize) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        for block in &self.view.state.blocks {
            let retained = &self.view.retained;
            if retained.in_block(&block.entry, selector.range).is_none() {
                continue;
            }
            let block = &block.reader;
            let among = self.among(block, selector)?;
            block.label_names(among.as_ref(), |name: &str| note(&mut names, name))?;
        }
        if let Some(born) = self.view.head_series(selector.range) {
            let index = HeadIndexView::new(self.view.core.head.index());
            let among = select(&index, &selector.matchers)? & born;
            for name in index.names() {
                if !names.contains(&name) && index.has_value(&name, &among) {
                    names.insert(name);
                }
            }
        }
        Ok(names.into_iter().take(limit).collect())
    }

    /// The values of a label among the series that the selector accepts, sorted, at most `limit`.
    ///
    /// The time range is looked at by block and by head window.
    pub fn label_values(
        &self,
        name: &str,
        selector: &Selector,
        limit: usize,
    ) -> Result<Vec<String>> {
        let mut values = BTreeSet::new();
        for block in &self.view.state.blocks {
            let retained = &self.view.retained;
            if retained.in_block(&block.entry, selector.range).is_none() {
                continue;
            }
            let block = &block.reader;
            let among = self.among(block, selector)?;
            block.label_values(name, among.as_ref(), |value: &str| note(&mut values, value))?;
        }
        if let Some(born) = self.view.head_series(selector.range) {
            let index = HeadIndexView::new(self.view.core.head.index());
            let among = select(&index, &selector.matchers)? & born;
            index.each_value(name, &among, |value| {
                let _ = note(&mut values, value);
            });
        }
        Ok(values.into_iter().take(limit).collect())
    }

    /// The series of a block that the selector accepts; `None` where it accepts all.
    fn among(&self, block: &BlockReader, selector: &Selector) -> Result<Option<RoaringBitmap>> {
        match selector.matchers.is_empty() {
            true => Ok(None),
            false => block.select(&selector.matchers).map(Some),
        }
    }
}

fn note(texts: &mut BTreeSet<String>, text: &str) -> ControlFlow<()> {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
    ControlFlow::Continue(())
}
