//! What a delete does to the head: a cut, so that no window holds entries from before and after
//! it, and what the writer remembers of the newest entries is forgotten where they may be hidden.
//!
//! Both happen under one hold of the writer's lock: a batch is judged wholly before the delete, and
//! hidden with it, or wholly after, and then never told that an entry is there already which nobody
//! sees.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::head::index::HeadIndexView;
use crate::head::replay::Recovery;
use crate::head::window::Window;
use crate::head::{Head, NO_TIME, Writer};
use crate::index::select::select;
use crate::kind::{Kind, Newest};
use crate::labels::matcher::Matcher;
use crate::time::{TickRange, Ticks};
use crate::wal::Lsn;

/// The series and times that a tombstone may hide, and where it stands in the log.
pub(crate) struct Reach<'a> {
    pub(crate) lsn: u64,
    pub(crate) matchers: &'a [Matcher],
    pub(crate) range: TickRange,
}

impl<K: Kind> Head<K> {
    /// Begins a new window for a delete and returns where that stands in the log. `install` learns
    /// of the window before any entry can be in it; an empty one goes.
    pub(crate) fn cut_for_delete(
        &self,
        matchers: &[Matcher],
        range: TickRange,
        next_lsn: impl FnOnce() -> Lsn,
        install: impl FnOnce(&Arc<Window<K>>),
    ) -> u64 {
        let mut writer = self.writer.lock();
        let lsn = next_lsn().0;
        writer.begin_window(lsn, install);
        writer.deleted_below = lsn;
        self.forget_newest(&mut writer, matchers, range);
        lsn
    }

    /// Recovery: what the log has from `lsn` on goes to a window of its own.
    pub(crate) fn cut_replay(
        &self,
        lsn: u64,
        now: Ticks,
        recovery: &mut Recovery,
        install: impl FnOnce(&Arc<Window<K>>),
    ) {
        let mut writer = self.writer.lock();
        self.keep_gathered(&mut writer, now, recovery);
        writer.begin_window(lsn, install);
        writer.deleted_below = lsn;
    }

    /// Recovery: what the writer remembers is worked out from the windows, each tombstone of
    /// `reaches` (in the order of the log) applied where it was cut.
    pub(crate) fn learn_newest(&self, writer: &mut Writer<K>, reaches: &[Reach<'_>]) {
        let windows = writer.windows();
        let mut reaches = reaches.iter().peekable();
        for (place, window) in windows.iter().enumerate() {
            // Whatever stands below the first window has nothing here to hide.
            while reaches.next_if(|reach| reach.lsn <= window.floor).is_some() {}
            let mut members = RoaringBitmap::new();
            window.each_open(|series, open| {
                writer.states[series].raise_newest(K::newest(open));
                members.insert(series);
            });
            window.write().members = members;
            writer.newest = writer.newest.max(window.range().end);
            let Some(next) = windows.get(place + 1) else {
                return;
            };
            while let Some(reach) = reaches.next_if(|reach| reach.lsn <= next.floor) {
                self.forget_newest(writer, reach.matchers, reach.range);
            }
        }
    }

    /// Forgets the newest entry of each series where it may be hidden: the next one is judged as
    /// if the series were new, which at worst lets in a late one, or one that the merge drops.
    fn forget_newest(&self, writer: &mut Writer<K>, matchers: &[Matcher], range: TickRange) {
        let live = || self.index.read().live().clone();
        let matching = select(&HeadIndexView::new(&self.index), matchers);
        for series in matching.unwrap_or_else(|_| live()) {
            let state = &mut writer.states[series];
            if state
                .newest()
                .is_some_and(|newest| range.contains(newest.time))
            {
                state.set_newest(None);
            }
        }
        if range.contains(writer.newest) {
            let times = live().into_iter().map(|series| &writer.states[series]);
            let newest = times.map(|state| state.newest_time).max();
            writer.newest = Ticks(newest.unwrap_or(NO_TIME));
        }
    }
}

impl<K: Kind> Writer<K> {
    /// Entries from now on stand in the log at or after `lsn`, and in a new window.
    pub(super) fn begin_window(&mut self, lsn: u64, install: impl FnOnce(&Arc<Window<K>>)) {
        let fresh = Arc::new(Window::new(lsn));
        self.active.end_at(lsn);
        install(&fresh);
        let old = std::mem::replace(&mut self.active, fresh);
        if old.entries() > 0 {
            self.frozen.push(old);
        }
        self.definitions += 1;
    }
}

impl super::SeriesState {
    /// Takes over the newest entry of a window, if it is newer.
    fn raise_newest(&mut self, newest: Option<Newest>) {
        if newest.is_some_and(|newest| newest.time.0 > self.newest_time) {
            self.set_newest(newest);
        }
    }
}
