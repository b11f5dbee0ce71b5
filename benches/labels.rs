//! How long it takes to sort, check and lay out the label set of one series, and to find its
//! retention class.
#![allow(missing_docs)] // What criterion's macros generate carries no documentation.

use std::hint::black_box;

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::testing::{RetentionClasses, label_set_bytes};
use chronolith_engine::{Limits, RetentionRule};
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

/// Sixteen rules that a series must be compared with, of which none accepts it.
fn class(criterion: &mut Criterion) {
    let rule = |number: usize| RetentionRule {
        matchers: vec![
            Matcher::new(MatchOp::Equal, "namespace", "shop").expect("a sound matcher"),
            Matcher::new(MatchOp::Regex, "pod", &format!("cart-{number}-.*|audit.*"))
                .expect("a sound pattern"),
        ],
        keep: None,
    };
    let labels = LabelSet::from_pairs(PAIRS).expect("a sound label set");
    for count in [0, 1, 16] {
        let limits = Limits {
            retention_rules: (0..count).map(rule).collect(),
            ..Limits::default()
        };
        let classes = RetentionClasses::new(&limits);
        criterion.bench_function(&format!("labels/class_under_{count}_rules"), |bencher| {
            bencher.iter(|| classes.class_of(black_box(labels.as_labels())));
        });
    }
}

criterion_group!(benches, build, class);
criterion_main!(benches);
