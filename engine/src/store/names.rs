//! Label names and values over head and blocks.

use std::collections::BTreeSet;

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
            if !block.entry.range.overlaps(&selector.range) {
                continue;
            }
            let block = &block.reader;
            match selector.matchers.is_empty() {
                true => block.label_names(&mut |name| note(&mut names, name))?,
                false => {
                    let among = block.select(&selector.matchers)?;
                    block.label_names_among(&among, &mut |name| note(&mut names, name))?;
                }
            }
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
            if !block.entry.range.overlaps(&selector.range) {
                continue;
            }
            let block = &block.reader;
            match selector.matchers.is_empty() {
                true => block.label_values(name, &mut |value| note(&mut values, value))?,
                false => {
                    let among = block.select(&selector.matchers)?;
                    block.label_values_among(name, &among, &mut |value| note(&mut values, value))?;
                }
            }
        }
        if let Some(born) = self.view.head_series(selector.range) {
            let index = HeadIndexView::new(self.view.core.head.index());
            let among = select(&index, &selector.matchers)? & born;
            index.each_value(name, &among, |value| note(&mut values, value));
        }
        Ok(values.into_iter().take(limit).collect())
    }
}

fn note(texts: &mut BTreeSet<String>, text: &str) {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
}
