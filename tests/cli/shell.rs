//! `completion`, `man` and help.

use super::bed::run;
use crate::http::bed::Folder;

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completion", shell]).good();
        for command in ["query-range", "cardinality", "password-file"] {
            assert!(script.contains(command), "{command} for {shell}");
        }
    }
    assert!(
        run(&["completion", "dos"])
            .bad(2)
            .contains("possible values")
    );
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let page = run(&["man"]).good();
    assert!(page.contains(".TH chronolith 1") && page.contains("chronolith\\-query\\-range"));
    let folder = Folder::new();
    assert_eq!(run(&["man", &folder.0.display().to_string()]).good(), "");
    for name in [
        "chronolith",
        "chronolith-serve",
        "chronolith-push-logs",
        "chronolith-check-metrics",
    ] {
        let page = std::fs::read_to_string(folder.0.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{name}: {page}");
    }
}

#[test]
fn help_tells_what_commands_end_with() {
    let help = run(&["--help"]).good();
    assert!(help.contains("--fail-empty"), "{help}");
    for command in [
        "query", "logs", "push", "stats", "backup", "verify", "bench", "man",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}: {help}"
        );
    }
}
