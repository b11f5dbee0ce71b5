//! Every file of the corpus through its target: what was found once stays found.

use chronolith_fuzz::{Mutator, SEEDS, TARGETS, corpus};

#[test]
fn every_corpus_file_is_survived() {
    for (name, target) in TARGETS {
        let inputs = corpus(name).unwrap();
        assert!(
            !inputs.is_empty(),
            "target {name} has no corpus: run `--bin seed`"
        );
        for (file, input) in inputs {
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(
                outcome.is_ok(),
                "corpus/{name}/{file} makes its target panic"
            );
        }
    }
}

#[test]
fn every_seed_and_every_cut_of_it_is_survived() {
    for (name, seeds) in SEEDS {
        let found = TARGETS.iter().find(|(target, _)| target == name);
        let (_, target) = found.unwrap_or_else(|| panic!("seeds for {name}, which is no target"));
        for seed in seeds() {
            for cut in 0..=seed.len() {
                target(&seed[..cut]);
            }
        }
    }
}

#[test]
fn a_thousand_mutations_of_each_corpus_are_survived() {
    for (name, target) in TARGETS {
        let inputs: Vec<Vec<u8>> = corpus(name)
            .unwrap()
            .into_iter()
            .map(|(_, input)| input)
            .collect();
        let mut mutator = Mutator::new(1);
        for count in 0..1_000 {
            let input = mutator.mutate(&inputs);
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(
                outcome.is_ok(),
                "{name}: seed 1 input {count} panics: {input:?}"
            );
        }
    }
}

#[test]
fn no_corpus_is_left_without_a_target() {
    let folder = chronolith_fuzz::corpus_folder("");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            TARGETS.iter().any(|(target, _)| *target == name),
            "corpus/{name} has no target"
        );
    }
}
