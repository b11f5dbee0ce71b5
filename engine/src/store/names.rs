//! Label names and values over head and blocks.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use roaring::RoaringBitmap;

use crate::error::Result;
use crate::head::index::HeadIndexView;
use crate::index::select::select;
use crate::kind::Kind;
use crate::store::select::Selector;
use crate::store::snapshot::Snapshot;
use crate::store::visible::Care;
use crate::time::TickRange;

impl<K: Kind> Snapshot<K> {
    /// The label names of the series that the selector accepts, sorted, at most `limit`.
    ///
    /// The time range is looked at by block and by head window.
    pub fn label_names(&self, selector: &Selector, limit: usize) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        for (place, block) in self.view.state.blocks.iter().enumerate() {
            let retained = &self.view.retained;
            let Some(range) = retained.in_block(&block.entry, selector.range) else {
                continue;
            };
            let block = &block.reader;
            let among = self.among(place, range, selector)?;
            block.label_names(among.as_ref(), |name: &str| note(&mut names, name))?;
        }
        if let Some(born) = self.view.head_series(selector.range) {
            let index = HeadIndexView::new(self.view.core.head.index());
            let among = self.among_born(&index, selector, born)?;
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
        for (place, block) in self.view.state.blocks.iter().enumerate() {
            let retained = &self.view.retained;
            let Some(range) = retained.in_block(&block.entry, selector.range) else {
                continue;
            };
            let block = &block.reader;
            let among = self.among(place, range, selector)?;
            block.label_values(name, among.as_ref(), |value: &str| note(&mut values, value))?;
        }
        if let Some(born) = self.view.head_series(selector.range) {
            let index = HeadIndexView::new(self.view.core.head.index());
            let among = self.among_born(&index, selector, born)?;
            index.each_value(name, &among, |value| {
                let _ = note(&mut values, value);
            });
        }
        Ok(values.into_iter().take(limit).collect())
    }

    /// The series of a block that the selector accepts and that show something; `None` where those
    /// are all.
    fn among(
        &self,
        place: usize,
        range: TickRange,
        selector: &Selector,
    ) -> Result<Option<RoaringBitmap>> {
        let block = &self.view.state.blocks[place].reader;
        let selected = match selector.matchers.is_empty() {
            true => None,
            false => Some(block.select(&selector.matchers)?),
        };
        self.view
            .shown_in_block(place, selected, range, Care::Exact)
    }

    fn among_born(
        &self,
        index: &HeadIndexView<'_>,
        selector: &Selector,
        born: &RoaringBitmap,
    ) -> Result<RoaringBitmap> {
        let selected = select(index, &selector.matchers)? & born;
        self.view
            .shown_in_head(selected, selector.range, Care::Exact)
    }
}

fn note(texts: &mut BTreeSet<String>, text: &str) -> ControlFlow<()> {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
    ControlFlow::Continue(())
}
