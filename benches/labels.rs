//! How long it takes to sort, check and lay out the label set of one series.
#![allow(missing_docs)] // What criterion's macros generate carries no documentation.

use std::hint::black_box;

use chronolith_engine::testing::label_set_bytes;
use criterion::{Criterion, criterion_group, criterion_main};

/// A container metric as cluster monitoring sends it: fifteen labels in no useful order.
const PAIRS: [(&str, &str); 15] = [
    ("__name__", "container_cpu_usage_seconds_total"),
    ("pod", "checkout-7d9f8b6c5d-x2vlp"),
    ("namespace", "shop"),
    ("container", "checkout"),
    ("cpu", "total"),
    ("endpoint", "https-metrics"),
    ("id", "/kubepods/burstable/pod3c1a/77aa"),
    ("image", "registry.example/checkout:1.42.0"),
    ("instance", "10.0.12.7:10250"),
    ("job", "kubelet"),
    ("metrics_path", "/metrics/cadvisor"),
    ("name", "77aa"),
    ("node", "worker-12"),
    ("service", "kubelet"),
    ("cluster", "eu-1"),
];

fn build(criterion: &mut Criterion) {
    criterion.bench_function("labels/build_15", |bencher| {
        bencher.iter(|| label_set_bytes(black_box(&PAIRS)));
    });
}

criterion_group!(benches, build);
criterion_main!(benches);
