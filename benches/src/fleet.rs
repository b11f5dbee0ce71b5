//! A fleet of scraped targets: its series by label bytes, and the values that its exporters would
//! show.
//!
//! Everything follows from the number of a series and a step, so that no run differs from another.

use chronolith_engine::labels::put_label;

/// Series of one target; they follow each other, as in a scrape.
pub const METRICS: usize = 1_000;

/// Time between two scrapes.
pub const STEP_MS: i64 = 15_000;

/// The time of step 0; the past, because the engine refuses the future.
pub const START_MS: i64 = 1_750_000_000_000;

const SUBSYSTEMS: [&str; 25] = [
    "node_network",
    "node_disk",
    "node_cpu",
    "node_memory",
    "node_filesystem",
    "container_cpu",
    "container_memory",
    "container_network",
    "container_fs",
    "kube_pod",
    "kube_deployment",
    "kube_node",
    "http_server",
    "grpc_client",
    "go_gc",
    "go_memstats",
    "process",
    "etcd_disk",
    "apiserver_request",
    "jvm_memory",
    "redis_commands",
    "postgres_stat",
    "kafka_consumer",
    "nginx_ingress",
    "coredns_cache",
];
const SUBJECTS: [&str; 20] = [
    "receive",
    "transmit",
    "read",
    "write",
    "requests",
    "responses",
    "connections",
    "errors",
    "retries",
    "timeouts",
    "usage",
    "limit",
    "working_set",
    "cache_hits",
    "cache_misses",
    "queue",
    "pending",
    "active",
    "duration",
    "restarts",
];
const UNITS: [&str; 2] = ["bytes_total", "seconds_total"];
const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2"];
const NAMESPACES: [&str; 8] = [
    "checkout",
    "payments",
    "inventory",
    "search",
    "accounts",
    "shipping",
    "monitoring",
    "ingress",
];

/// Appends the canonical bytes of series `number`: ten labels.
pub fn put_labels(out: &mut Vec<u8>, number: usize) {
    let (target, metric) = (number / METRICS, number % METRICS);
    let region = REGIONS[target % REGIONS.len()];
    let namespace = NAMESPACES[target / 4 % NAMESPACES.len()];
    let zone = ["a", "b", "c"][target / 7 % 3];
    let mixed = mix(target as u64, 1);
    let (replica_set, pod) = (mix(target as u64 / 5, 2) as u32, mixed as u32 & 0xf_ffff);
    let (third, fourth) = (target / 250 % 250, target % 250);
    let name = format!(
        "{}_{}_{}",
        SUBSYSTEMS[metric / 40],
        SUBJECTS[metric / 2 % 20],
        UNITS[metric % 2]
    );
    put_label(out, "__name__", &name);
    put_label(out, "cluster", &format!("prod-{region}-{}", target % 3 + 1));
    put_label(out, "container", &format!("{namespace}-api"));
    put_label(out, "env", "production");
    put_label(out, "instance", &format!("10.42.{third}.{fourth}:9100"));
    put_label(out, "job", &format!("kubernetes-{namespace}"));
    put_label(out, "namespace", namespace);
    put_label(
        out,
        "pod",
        &format!("{namespace}-api-{replica_set:08x}-{pod:05x}"),
    );
    put_label(out, "region", region);
    put_label(out, "zone", &format!("{region}{zone}"));
}

/// Label bytes of many series, made before a measurement.
pub struct LabelBytes {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl LabelBytes {
    /// The label bytes of these series, in this order.
    pub fn of(numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut made = LabelBytes {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        for number in numbers {
            put_labels(&mut made.bytes, number);
            made.ends.push(made.bytes.len());
        }
        made
    }

    /// The label bytes of the series at a place.
    pub fn at(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.bytes[start..self.ends[place]]
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all label sets.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// What the exporters show now.
pub struct Values {
    now: Vec<f64>,
    step: u64,
}

impl Values {
    /// The values at step 0.
    pub fn new(series: usize) -> Self {
        let now = (0..series)
            .map(|number| (mix(number as u64, 3) % 1_000_000) as f64)
            .collect();
        Values { now, step: 0 }
    }

    /// All values at the current step.
    pub fn now(&self) -> &[f64] {
        &self.now
    }

    /// The time of the current step.
    pub fn time_ms(&self) -> i64 {
        START_MS + self.step as i64 * STEP_MS
    }

    /// Moves on by one scrape.
    ///
    /// Of ten series, three are counters of events, of which one is mostly still; one is a counter
    /// of seconds; two are gauges of bytes; one is a ratio; three never change.
    pub fn advance(&mut self) {
        self.step += 1;
        for (number, value) in self.now.iter_mut().enumerate() {
            let chance = mix(number as u64, self.step.wrapping_mul(0x9e37) + 4);
            let low = chance % 1_000;
            *value = match number % 10 {
                0 | 1 => *value + low as f64,
                2 => *value + if low < 50 { 1.0 } else { 0.0 },
                3 => ((*value + low as f64 / 100.0) * 100.0).round() / 100.0,
                4 | 5 => (*value + (low as f64 - 499.0) * 4096.0).abs(),
                6 => low as f64 / 1_000.0,
                _ => *value,
            };
        }
    }
}

/// A well mixed number of two.
pub fn mix(number: u64, salt: u64) -> u64 {
    let mut mixed = number.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The numbers below `count` in an order that follows from the seed.
pub fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for place in (1..count).rev() {
        let other = (mix(place as u64, seed) % (place as u64 + 1)) as usize;
        order.swap(place, other);
    }
    order
}
