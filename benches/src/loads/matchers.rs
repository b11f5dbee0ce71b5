//! Matchers over many series whose labels say nothing about their order, in the head and in a
//! sealed block: by the index alone, and with the labels of what was found.
//!
//! One label has a value of its own for each series; it comes first in label order, so that the
//! series of any other value lie scattered.

use chronolith_engine::labels::{MatchOp, Matcher, put_label};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{count_in_blocks, count_in_head};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Durability, Engine, Selector, Store};

use crate::fleet::{START_MS, mix};
use crate::loads::{BATCH, Load, Outcome, say, spread};
use crate::process::{RunDirectory, thread_cpu_ns};

const SERVICES: [&str; 10] = [
    "accounts",
    "cart",
    "checkout",
    "gateway",
    "inventory",
    "payments",
    "pricing",
    "search",
    "shipping",
    "reviews",
];

/// Questions are asked again until this much core time was used, so that its clock is fine enough.
const CPU_NS_MIN: u64 = 20_000_000;

/// A question and how it is called.
struct Question {
    what: &'static str,
    matchers: Vec<Matcher>,
}

/// Fills a head, asks; freezes it, asks again.
pub fn run(load: &Load) -> Outcome {
    let directory = RunDirectory::new(&load.name);
    let options = load.settings;
    let engine = Engine::open(directory.path(), options.options(Durability::Never))?;
    let store = engine.metrics()?;
    fill(&store, load.series)?;
    let questions = questions(load.series)?;
    for question in &questions {
        report("head", question, load, &store, count_in_head)?;
    }
    store.freeze()?;
    for question in &questions {
        report("block", question, load, &store, count_in_blocks)?;
    }
    engine.close()?;
    Ok(())
}

/// The value that only series `number` has.
fn address(number: usize) -> String {
    let (one, two) = (mix(number as u64, 21), mix(number as u64, 22));
    let service = SERVICES[(one >> 40) as usize % SERVICES.len()];
    format!("{service}-{:08x}-{:05x}", one as u32, two & 0xf_ffff)
}

fn put_labels(out: &mut Vec<u8>, number: usize) {
    let of = |count: u64, salt: u64| mix(number as u64, salt) % count;
    put_label(out, "__name__", "requests_total");
    put_label(out, "address", &address(number));
    put_label(out, "job", &format!("job-{:02}", of(20, 31)));
    put_label(
        out,
        "method",
        ["GET", "POST", "PUT", "HEAD"][of(4, 32) as usize],
    );
    put_label(
        out,
        "path",
        &format!("/api/v{}/{:03}", of(3, 33), of(500, 34)),
    );
    put_label(out, "status", &format!("{}", 200 + of(12, 35)));
    put_label(out, "zone", &format!("zone-{}", of(4, 36)));
}

fn fill(store: &Store<Samples>, series: usize) -> Outcome {
    let mut labels: Vec<Vec<u8>> = Vec::new();
    for start in (0..series).step_by(BATCH) {
        labels.clear();
        labels.extend((start..series.min(start + BATCH)).map(|number| {
            let mut bytes = Vec::new();
            put_labels(&mut bytes, number);
            bytes
        }));
        let mut batch = Batch::<Samples>::new();
        for labels in &labels {
            batch
                .series(labels)
                .entry(Sample::float(Millis(START_MS), 1.0));
        }
        store.append(&batch)?;
    }
    match store.stats().head_series == series as u64 {
        true => Ok(()),
        false => Err("not every series was taken".into()),
    }
}

/// An operator, a label and a value.
type Condition<'a> = (MatchOp, &'a str, &'a str);

fn questions(series: usize) -> Result<Vec<Question>, Box<dyn std::error::Error>> {
    use MatchOp::{Equal, NotEqual, Regex};
    let some: Vec<String> = (0..20).map(|at| address(at * series / 20)).collect();
    let asked: [(&str, &[Condition<'_>]); 12] = [
        (
            "three equal",
            &[
                (Equal, "job", "job-07"),
                (Equal, "status", "204"),
                (Equal, "zone", "zone-2"),
            ],
        ),
        (
            "equal, not equal, prefix",
            &[
                (Equal, "job", "job-07"),
                (NotEqual, "method", "GET"),
                (Regex, "path", "/api/v1/00.*"),
            ],
        ),
        (
            "name, regex, alternation",
            &[
                (Equal, "__name__", "requests_total"),
                (Regex, "job", "job-0[12]"),
                (Regex, "status", "203|204|205"),
            ],
        ),
        ("one value of many", &[(Equal, "address", &some[3])]),
        ("prefix, 1 in 160", &[(Regex, "address", "checkout-7.*")]),
        ("prefix, 1 in 10", &[(Regex, "address", "checkout-.*")]),
        ("literal, no hit", &[(Regex, "address", ".*zzz.*")]),
        ("literal, few hits", &[(Regex, "address", ".*7f3a.*")]),
        ("literal, 1 in 20", &[(Regex, "address", ".*7a.*")]),
        ("literal, 3 in 10", &[(Regex, "address", ".*in.*")]),
        (
            "alternation of 20 values",
            &[(Regex, "address", &some.join("|"))],
        ),
        (
            "alternation of 3 prefixes",
            &[(Regex, "address", "(cart-00|search-11|gateway-22).*")],
        ),
    ];
    let mut questions = Vec::new();
    for (what, conditions) in asked {
        let made = conditions
            .iter()
            .map(|(op, name, value)| Matcher::new(*op, name, value));
        let matchers = made.collect::<Result<Vec<_>, _>>()?;
        questions.push(Question { what, matchers });
    }
    Ok(questions)
}

fn report(
    place: &str,
    question: &Question,
    load: &Load,
    store: &Store<Samples>,
    count: fn(&Store<Samples>, &[Matcher]) -> chronolith_engine::Result<u64>,
) -> Outcome {
    let (mut counted, mut found) = (0, 0);
    let mut index = measure(load.rounds, || {
        counted = count(store, &question.matchers)?;
        Ok(())
    })?;
    let selector = Selector::new(question.matchers.clone());
    let mut whole = measure(load.rounds, || {
        found = store.snapshot().select(&selector)?.len();
        Ok(())
    })?;
    if counted != found as u64 {
        return Err(format!("the index has {counted}, select finds {found}").into());
    }
    let ((middle, least, most), (select, ..)) = (spread(&mut index), spread(&mut whole));
    say(&format!(
        "{place}, {}: {middle:.0} us of core time by the index alone ({least:.0} to {most:.0}), \
         {select:.0} us to select with labels; {counted} series",
        question.what
    ));
    Ok(())
}

/// Microseconds of core time that a piece of work takes, once for each round.
fn measure(
    rounds: usize,
    mut work: impl FnMut() -> Outcome,
) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let begun = thread_cpu_ns().ok_or("this system does not tell a thread's time")?;
        let (mut times, mut used) = (0.0, 0);
        while used < CPU_NS_MIN {
            work()?;
            times += 1.0;
            used = thread_cpu_ns().unwrap_or(u64::MAX) - begun;
        }
        taken.push(used as f64 / 1e3 / times);
    }
    Ok(taken)
}
