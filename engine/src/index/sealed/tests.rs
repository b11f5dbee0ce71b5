//! Sealed indexes against a naive twin.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::sample::select as one_of;
use roaring::RoaringBitmap;

use super::*;
use crate::index::build::{IndexBuilder, IndexSections};
use crate::index::select::select;
use crate::index::symbols::SymbolDirectory;
use crate::labels::set::{LabelSet, Labels};

fn build(sets: &[LabelSet]) -> IndexSections {
    let mut builder = IndexBuilder::new();
    for set in sets {
        builder.push(set.as_labels()).unwrap();
    }
    assert_eq!(builder.series_count() as usize, sets.len());
    builder.finish().unwrap()
}

fn with_index<T>(sections: &IndexSections, ask: impl FnOnce(SealedIndex<'_>) -> T) -> T {
    let directory = SymbolDirectory::read(&sections.symbols).unwrap();
    let rows = Rows::read(&sections.rows).unwrap();
    ask(SealedIndex {
        symbols: Symbols::new(&sections.symbols, &directory),
        postings: &sections.postings,
        rows: Some(rows),
        series_count: rows.count(),
    })
}

/// The meaning, told in the plainest way.
fn naive(sets: &[LabelSet], matchers: &[Matcher]) -> Vec<u32> {
    let holds = |set: &LabelSet, matcher: &Matcher| {
        matcher.matches(set.as_labels().value(matcher.name()).unwrap_or(""))
    };
    let all = sets.iter().enumerate();
    all.filter(|(_, set)| matchers.iter().all(|matcher| holds(set, matcher)))
        .map(|(ordinal, _)| ordinal as u32)
        .collect()
}

fn sorted(sets: BTreeSet<LabelSet>) -> Vec<LabelSet> {
    sets.into_iter().collect()
}

const NAMES: [&str; 4] = ["a", "b", "job", "pod"];

fn label_sets() -> impl Strategy<Value = Vec<LabelSet>> {
    let label = (one_of(&NAMES[..]), "[ab]{1,2}[0-9]{0,1}");
    let set = prop::collection::vec(label, 0..5).prop_map(|pairs| {
        let unique: std::collections::BTreeMap<_, _> = pairs.into_iter().collect();
        LabelSet::from_pairs(unique).unwrap()
    });
    prop::collection::btree_set(set, 0..120).prop_map(sorted)
}

fn matchers() -> impl Strategy<Value = Vec<Matcher>> {
    let op = one_of(
        &[
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ][..],
    );
    let plain = one_of(&["", "a", "b", "ab", "b1", "zz"][..]);
    let pattern = one_of(
        &[
            "",
            ".*",
            ".+",
            "a|b1",
            "a|",
            "a.*",
            ".*b.*",
            ".*b1?",
            "a[0-9]",
            "(?i)A.*",
            "b.*1",
            "zz.*",
            "[ab]+",
            "(a|b)[13]",
        ][..],
    );
    let name = one_of(&["a", "b", "job", "pod", "none"][..]);
    let matcher = (op, name, plain, pattern).prop_map(|(op, name, plain, pattern)| {
        let value = if op.is_regex() { pattern } else { plain };
        Matcher::new(op, name, value).unwrap()
    });
    prop::collection::vec(matcher, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn selecting_equals_asking_every_series(sets in label_sets(), matchers in matchers()) {
        let sections = build(&sets);
        let expected = naive(&sets, &matchers);
        with_index(&sections, |mut index| {
            let found: Vec<u32> = select(&index, &matchers).unwrap().iter().collect();
            assert_eq!(found, expected);
            index.rows = None;
            let found: Vec<u32> = select(&index, &matchers).unwrap().iter().collect();
            assert_eq!(found, expected, "without rows");
        });
    }

    #[test]
    fn matching_and_refusing_split_the_series_that_have_a_label(
        sets in label_sets(),
        matchers in matchers(),
    ) {
        with_index(&build(&sets), |index| {
            for matcher in &matchers {
                let name = matcher.name();
                let matching = index.matching(name, matcher).unwrap();
                let refusing = index.refusing(name, matcher).unwrap();
                assert!(matching.is_disjoint(&refusing));
                assert_eq!(matching | refusing, index.with_label(name).unwrap());
            }
        });
    }

    #[test]
    fn labels_names_and_values_equal_the_plain_ones(
        sets in label_sets(),
        picked in prop::collection::btree_set(0u32..120, 0..30),
        name in one_of(&NAMES[..]),
    ) {
        let within: RoaringBitmap =
            picked.into_iter().filter(|&ordinal| (ordinal as usize) < sets.len()).collect();
        let chosen: Vec<Labels<'_>> =
            within.iter().map(|ordinal| sets[ordinal as usize].as_labels()).collect();
        let all: Vec<Labels<'_>> = sets.iter().map(LabelSet::as_labels).collect();
        with_index(&build(&sets), |index| {
            let (mut row, mut texts) = (Vec::new(), index.label_texts());
            for (ordinal, labels) in all.iter().enumerate() {
                let mut bytes = Vec::new();
                index.rows.unwrap().row(ordinal as u32, &mut row).unwrap();
                texts.append(&row, &mut bytes).unwrap();
                assert_eq!(bytes, labels.as_bytes());
            }
            for (within, sets) in [(Some(&within), &chosen), (None, &all)] {
                let names: BTreeSet<&str> =
                    sets.iter().flat_map(|set| set.iter()).map(|(name, _)| name).collect();
                assert!(collect(|each| index.label_names(within, each)).iter().eq(names));
                let values: BTreeSet<&str> =
                    sets.iter().filter_map(|set| set.value(name)).collect();
                let found = collect(|each| index.label_values(name, within, each));
                assert!(found.iter().eq(values), "{found:?}");
                let mut without_rows = index;
                without_rows.rows = None;
                assert_eq!(collect(|each| without_rows.label_values(name, within, each)), found);
            }
        });
    }
}

fn collect(ask: impl FnOnce(&mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<()>) -> Vec<String> {
    let mut out = Vec::new();
    ask(&mut |text: &str| {
        out.push(text.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    out
}

/// Many values of one label, so that small sets are asked series by series.
fn wide(count: u32) -> Vec<LabelSet> {
    let set = |number: u32| {
        let pod = format!("pod-{:05}", number * 7 % count);
        let job = format!("job-{}", number % 10);
        LabelSet::from_pairs([("job", job), ("pod", pod)]).unwrap()
    };
    sorted((0..count).map(set).collect())
}

#[test]
fn a_small_set_is_filtered_by_rows_with_the_same_answer() {
    let sets = wide(3_000);
    with_index(&build(&sets), |index| {
        let equal = Matcher::new(MatchOp::Equal, "job", "job-3").unwrap();
        for (op, pattern) in [
            (MatchOp::Regex, ".*-0[0-4].*"),
            (MatchOp::NotRegex, ".*77.*"),
            (MatchOp::Regex, "pod-0.*"),
        ] {
            let regex = Matcher::new(op, "pod", pattern).unwrap();
            let within: RoaringBitmap = (0..100).chain(2_950..3_000).collect();
            assert!(index.filter(&within, &regex).unwrap().is_some());
            let kept = index.filter_rows(
                index.rows.unwrap(),
                index.values("pod").unwrap(),
                &within,
                &regex,
            );
            let expected: RoaringBitmap = naive(&sets, std::slice::from_ref(&regex))
                .into_iter()
                .collect();
            assert_eq!(kept.unwrap(), expected & within);
            let both = [equal.clone(), regex];
            assert!(
                select(&index, &both)
                    .unwrap()
                    .iter()
                    .eq(naive(&sets, &both))
            );
        }
    });
}

#[test]
fn a_callback_that_breaks_ends_the_listing() {
    with_index(&build(&wide(100)), |index| {
        let few: RoaringBitmap = (0..20).collect();
        for within in [None, Some(&few)] {
            let mut seen = 0;
            let each = |_: &str| {
                seen += 1;
                if seen == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            index.label_values("pod", within, each).unwrap();
            assert_eq!(seen, 3);
        }
    });
}

#[test]
fn an_index_of_no_series_and_one_of_the_empty_set_answer() {
    with_index(&build(&[]), |index| {
        assert!(select(&index, &[]).unwrap().is_empty());
    });
    with_index(&build(&[LabelSet::default()]), |index| {
        assert_eq!(select(&index, &[]).unwrap().len(), 1);
        let absent = Matcher::new(MatchOp::Equal, "a", "").unwrap();
        assert_eq!(select(&index, &[absent]).unwrap().len(), 1);
    });
}

#[test]
fn label_sets_out_of_order_are_refused() {
    let set = |pairs: &[(&str, &str)]| LabelSet::from_pairs(pairs.iter().copied()).unwrap();
    let refused = [set(&[]), set(&[("a", "1")]), set(&[("a", "1"), ("b", "2")])];
    let mut builder = IndexBuilder::new();
    builder.push(refused[2].as_labels()).unwrap();
    for set in &refused {
        assert!(builder.push(set.as_labels()).is_err(), "{set:?}");
    }
    for later in [
        set(&[("a", "1"), ("b", "2"), ("c", "1")]),
        set(&[("a", "2")]),
        set(&[("b", "1")]),
    ] {
        builder.push(later.as_labels()).unwrap();
    }
    assert_eq!(builder.series_count(), 4);
}

#[test]
fn equal_input_gives_equal_sections() {
    let (left, right) = (build(&wide(500)), build(&wide(500)));
    assert_eq!(left.symbols, right.symbols);
    assert_eq!(left.postings, right.postings);
    assert_eq!(left.rows, right.rows);
}
