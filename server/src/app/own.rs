//! The server's own metrics: what all doors share, the process, the settings in force, the engine
//! and the stores of all tenants.
//!
//! Names are kept, docs/operations.md lists them. Labels come from the table of settings and from
//! the tenants that there are, whose number is bounded.

use std::time::SystemTime;

use chronolith_engine::{Engine, EngineStats, StoreStats};

use super::App;
use super::process::write_resources;
use crate::meters::Text;
use crate::settings::Settings;
use crate::settings::table::SETTINGS;

impl App {
    /// The server's own metrics in text format.
    pub(crate) fn own_metrics(&self) -> String {
        let mut out = Text::default();
        self.write_process(&mut out);
        let settings = self.settings();
        write_resources(&mut out, &settings.data);
        write_settings(&mut out, &settings);
        let deltas = self.deltas.lock().map_or(0, |all| {
            let counts = all.values().map(|deltas| deltas.lock());
            counts
                .map(|deltas| deltas.map_or(0, |deltas| deltas.len()))
                .sum()
        });
        out.gauge(
            "chronolith_otlp_delta_series",
            "Series of delta temporality that are added up.",
            deltas as f64,
        );
        out.gauge(
            "chronolith_query_samples",
            "Samples that queries hold, lines counted as such.",
            self.room.held() as f64,
        );
        self.bodies.write(&mut out);
        self.meters.write(&mut out);
        self.security.write(&mut out);
        self.active.write(&mut out);
        self.write_lanes(&mut out);
        self.paces.write(&mut out, self.settings().multi_tenant);
        if let Ok(engine) = self.engine() {
            write_engine(&mut out, &engine.stats());
            write_trouble(&mut out, &engine);
            self.write_tenants(&mut out, &engine);
        }
        out.into_string()
    }

    /// What this process is, since when, and how it was started.
    fn write_process(&self, out: &mut Text) {
        let version = env!("CARGO_PKG_VERSION");
        out.family("chronolith_build_info", "gauge", "Which version this is.");
        out.sample(
            "chronolith_build_info",
            &format!("{{version=\"{version}\"}}"),
            1.0,
        );
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH);
        out.gauge(
            "process_start_time_seconds",
            "When the process began to serve, since 1970.",
            started.map_or(0.0, |started| started.as_secs_f64()),
        );
        out.gauge(
            "chronolith_uptime_seconds",
            "For how long it has been serving.",
            self.since.elapsed().as_secs_f64(),
        );
        out.gauge(
            "chronolith_ready",
            "Whether everything is recovered and requests are let in.",
            f64::from(u8::from(self.is_ready())),
        );
        out.gauge(
            "chronolith_recovery_replayed_bytes",
            "Bytes of the log that recovery has read back.",
            self.progress.replayed_bytes() as f64,
        );
        out.gauge(
            "chronolith_recovery_total_bytes",
            "Bytes that the log had when recovery began.",
            self.progress.total_bytes() as f64,
        );
        let reload = self.reloads.last();
        let success = reload.success.duration_since(SystemTime::UNIX_EPOCH);
        out.gauge(
            "chronolith_config_last_reload_successful",
            "Whether the configuration was read without a fault when it was read last.",
            f64::from(u8::from(reload.succeeded)),
        );
        out.gauge(
            "chronolith_config_last_reload_success_timestamp_seconds",
            "When it was last read without a fault, since 1970.",
            success.map_or(0.0, |success| success.as_secs_f64()),
        );
    }

    fn write_lanes(&self, out: &mut Text) {
        const NAME: &str = "chronolith_lane_jobs";
        out.family(NAME, "gauge", "Blocking work that runs and that waits.");
        for (name, lane) in self.lanes() {
            let (running, waiting) = lane.load();
            for (state, count) in [("running", running), ("waiting", waiting)] {
                let labels = format!("{{lane=\"{name}\",state=\"{state}\"}}");
                out.sample(NAME, &labels, count as f64);
            }
        }
    }

    /// What the stores of all tenants hold together, and how much each tenant has.
    fn write_tenants(&self, out: &mut Text, engine: &Engine) {
        let (mut metrics, mut logs) = (Sums::default(), Sums::default());
        let names = engine.tenants();
        let mut of_each = Vec::new();
        for name in &names {
            let Ok(tenant) = engine.tenant_to_read(name) else {
                continue;
            };
            if let Ok(store) = tenant.metrics() {
                metrics.add(store.stats(), store.damage().len());
                of_each.push((name, "metrics", store.stats()));
            }
            if let Ok(store) = tenant.logs() {
                logs.add(store.stats(), store.damage().len());
                of_each.push((name, "logs", store.stats()));
            }
        }
        write_stores(out, "metrics", &metrics);
        write_stores(out, "logs", &logs);
        out.gauge("chronolith_tenants", "Tenants.", names.len() as f64);
        if !self.settings().multi_tenant {
            return;
        }
        // There are no more of them than are allowed, and their names need no escapes.
        type Figure = (&'static str, &'static str, fn(&StoreStats) -> u64);
        let figures: [Figure; 2] = [
            (
                "chronolith_tenant_head_series",
                "Series known to the heads of a tenant.",
                |stats| stats.head_series,
            ),
            (
                "chronolith_tenant_block_bytes",
                "Bytes of the blocks of a tenant.",
                |stats| stats.block_bytes,
            ),
        ];
        for (family, help, value) in figures {
            out.family(family, "gauge", help);
            for (name, kind, stats) in &of_each {
                let labels = format!("{{tenant=\"{name}\",kind=\"{kind}\"}}");
                out.sample(family, &labels, value(stats) as f64);
            }
        }
    }
}

/// The settings that are numbers, so that what is bounded can be compared with its bound.
fn write_settings(out: &mut Text, settings: &Settings) {
    const NAME: &str = "chronolith_setting";
    let help = "Settings in force that are numbers: counts, bytes, percentages, seconds.";
    out.family(NAME, "gauge", help);
    for row in SETTINGS {
        if let Some(number) = row.number(settings) {
            out.sample(NAME, &format!("{{name=\"{}\"}}", row.path), number);
        }
    }
}

/// Figures of the stores of one kind.
#[derive(Default)]
struct Sums {
    stores: Vec<StoreStats>,
    damage: usize,
}

impl Sums {
    fn add(&mut self, stats: StoreStats, damage: usize) {
        self.stores.push(stats);
        self.damage += damage;
    }

    fn of(&self, figure: impl Fn(&StoreStats) -> u64) -> u64 {
        self.stores.iter().map(figure).sum()
    }
}

fn write_engine(out: &mut Text, stats: &EngineStats) {
    let gauges = [
        ("head_series", "Series in memory.", stats.head_series),
        (
            "head_bytes",
            "Bytes that entries take in memory.",
            stats.head_bytes,
        ),
        ("wal_bytes", "Bytes of the log.", stats.wal_bytes),
        ("block_bytes", "Bytes of all blocks.", stats.block_bytes),
    ];
    for (name, help, value) in gauges {
        out.gauge(&format!("chronolith_engine_{name}"), help, value as f64);
    }
    let counters = [
        (
            "wal_groups",
            "Groups of records that were written to the log together.",
            stats.wal_groups as f64,
        ),
        (
            "wal_syncs",
            "Syncs of the log that went well.",
            stats.wal_syncs as f64,
        ),
        (
            "wal_sync_seconds",
            "The time that syncs of the log took.",
            stats.wal_syncing.as_secs_f64(),
        ),
        (
            "wal_failures",
            "How often the log failed and took no writes until it was revived.",
            stats.wal_failures as f64,
        ),
        (
            "cache_hits",
            "Page reads that the cache answered.",
            stats.cache_hits as f64,
        ),
        (
            "cache_misses",
            "Page reads that went to the disk.",
            stats.cache_misses as f64,
        ),
    ];
    for (name, help, value) in counters {
        out.counter(&format!("chronolith_engine_{name}_total"), help, value);
    }
}

/// What the engine cannot do at the moment.
fn write_trouble(out: &mut Text, engine: &Engine) {
    out.gauge(
        "chronolith_engine_wal_failed",
        "Whether the log has failed and takes no writes until it is revived.",
        f64::from(u8::from(engine.wal_error().is_some())),
    );
    out.gauge(
        "chronolith_engine_background_failing",
        "Sorts of background work, keeping house and merging, that failed when last tried.",
        engine.background_errors().len() as f64,
    );
}

fn write_stores(out: &mut Text, kind: &str, sums: &Sums) {
    let gauges = [
        (
            "head_series",
            "Series known to the head.",
            sums.of(|stats| stats.head_series),
        ),
        (
            "head_entries",
            "Entries in memory.",
            sums.of(|stats| stats.head_entries),
        ),
        ("blocks", "Sealed blocks.", sums.of(|stats| stats.blocks)),
        (
            "block_bytes",
            "Their size on disk.",
            sums.of(|stats| stats.block_bytes),
        ),
        (
            "block_entries",
            "Their entries.",
            sums.of(|stats| stats.block_entries),
        ),
        (
            "expired_blocks",
            "Blocks of which nothing is kept any more.",
            sums.of(|stats| stats.expired_blocks),
        ),
        (
            "damaged",
            "Damage met since the store was opened.",
            sums.damage as u64,
        ),
    ];
    for (name, help, value) in gauges {
        out.gauge(&format!("chronolith_{kind}_{name}"), help, value as f64);
    }
    let counters = [
        (
            "frozen_bytes",
            "Bytes of blocks that freezes have written.",
            sums.of(|stats| stats.frozen_bytes),
        ),
        (
            "merged_bytes",
            "Bytes of blocks that merges have written.",
            sums.of(|stats| stats.merged_bytes),
        ),
        ("merges", "Merges.", sums.of(|stats| stats.merges)),
        (
            "dropped_blocks",
            "Blocks that retention has dropped.",
            sums.of(|stats| stats.dropped_blocks),
        ),
    ];
    for (name, help, value) in counters {
        out.counter(
            &format!("chronolith_{kind}_{name}_total"),
            help,
            value as f64,
        );
    }
}
