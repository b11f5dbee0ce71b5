//! Tests of the room: layers, complaints with their places, and the page of the documentation.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::docs::page;
use super::*;
use crate::settings::Settings;
use crate::settings::table::SETTINGS;

/// A file that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Scratch {
        let name = format!("chronolith-config-{}-{name}.yml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn given(file: &Scratch) -> Given {
    Given {
        file: Some(file.0.clone()),
        ..Given::default()
    }
}

fn variable(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn without_anything_given_the_defaults_hold() {
    assert_eq!(load(&Given::default()).unwrap(), Settings::default());
    let empty = Scratch::new("empty", "");
    assert_eq!(load(&given(&empty)).unwrap(), Settings::default());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = Scratch::new(
        "layers",
        "retention: 1d\nlog:\n  labels_max: 1\n  tails_max: 1\n",
    );
    let mut given = given(&file);
    given.environment = vec![
        variable("CHRONOLITH_LOG_LABELS_MAX", "2"),
        variable("CHRONOLITH_LOG_TAILS_MAX", "2"),
    ];
    given.flags = vec![("log.tails_max", "3".to_owned())];
    let settings = load(&given).unwrap();
    assert_eq!(settings.retention, Some(Duration::from_secs(24 * 3600)));
    assert_eq!(settings.logs.labels_max, 2);
    assert_eq!(settings.logs.tails_max, 3);
}

#[test]
fn what_is_not_given_follows_from_the_memory_and_what_is_given_counts() {
    let file = Scratch::new("memory", "store:\n  cache_bytes_max: 3MiB\n");
    let mut given = Given {
        memory: Some(1 << 30),
        ..given(&file)
    };
    let settings = load(&given).unwrap();
    assert_eq!(settings.memory_max, Some(1 << 30));
    assert_eq!(settings.store.head_bytes_max, 128 << 20);
    assert_eq!(settings.store.cache_bytes_max, 3 << 20);
    given.flags = vec![("memory_max", "2GiB".to_owned())];
    let settings = load(&given).unwrap();
    assert_eq!(settings.memory_max, Some(2 << 30));
    assert_eq!(settings.store.head_bytes_max, 256 << 20);
    assert_eq!(settings.store.cache_bytes_max, 3 << 20);
}

#[test]
fn every_complaint_is_told_with_its_place() {
    let text = "retenton: 1d\nlog:\n  labels_max: many\nquery: 5\nlisten:\n  loki: ${NOWHERE}\n\
                data: ${SECRET}\nstore:\n  series_max: ${SECRET}\n";
    let file = Scratch::new("complaints", text);
    let mut given = given(&file);
    given.environment = vec![
        variable("SECRET", "hunter2"),
        variable("CHRONOLITH_CONNECTIONS_MAX", "0"),
    ];
    given.flags = vec![("retention", "0s".to_owned())];
    let said = load(&given).unwrap_err().to_string();
    let expected = [
        ":1: unknown key retenton: did you mean retention?",
        ":3: log.labels_max: \"many\" is no count: write a whole number",
        ":4: query is a section",
        ":6: listen.loki: the environment variable NOWHERE is not set",
        ":9: store.series_max: \"…\" is no count",
        "CHRONOLITH_CONNECTIONS_MAX: \"0\" is no count: write a number from 1 on",
        "--retention: \"0s\" is no duration: a retention of nothing",
    ];
    for expected in expected {
        assert!(said.contains(expected), "{expected}\nin\n{said}");
    }
    assert_eq!(said.lines().count(), expected.len(), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_is_wrong_with_a_tenant_is_told_with_its_place() {
    let text = "tenants:\n  a:\n    data: /elsewhere\n    query:\n      timout: 1s\n    log:\n\
                \x20     line_bytes_max: 1GiB\n  ../b:\n    retention: 1d\n  c: 5\n";
    let file = Scratch::new("tenants", text);
    let said = load(&given(&file)).unwrap_err().to_string();
    let expected = [
        ":3: tenants.a.data: all tenants have this in common",
        ":5: unknown key tenants.a.query.timout: did you mean query.timeout?",
        ":7: tenants.a.log.line_bytes_max: \"1GiB\" is no amount of bytes: limits.line_bytes_max",
        ":9: tenants.../b.retention: \"../b\" is no name of a tenant",
        ":10: \"5\" is no setting",
    ];
    let (last, others) = expected.split_last().unwrap();
    // What is no section is no file that could be looked at further.
    assert!(said.contains(last), "{said}");
    let file = Scratch::new("tenants-but-one", text.trim_end_matches("  c: 5\n"));
    let said = load(&given(&file)).unwrap_err().to_string();
    for expected in others {
        assert!(said.contains(expected), "{expected}\nin\n{said}");
    }
    assert_eq!(said.lines().count(), others.len(), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = Given {
        file: Some(PathBuf::from("/no/such/file.yml")),
        ..Given::default()
    };
    let said = load(&missing).unwrap_err().to_string();
    assert!(said.contains("/no/such/file.yml"), "{said}");
    assert!(check_file(Path::new("/no/such/file.yml"), Vec::new()).is_err());
}

#[test]
fn settings_that_are_written_out_are_read_back() {
    let mut settings = Settings {
        retention: Some(Duration::from_secs(90 * 60)),
        multi_tenant: true,
        ..Settings::default()
    };
    for (path, text) in [
        ("retention", "1d"),
        ("retention_rules", "{a=\"b\"} = 3d; up{} = 1d"),
        ("query.timeout", "3s"),
        ("log.labels_max", "3"),
        ("log.retention", "1d"),
    ] {
        settings.own.set("team.a", path, text).unwrap();
    }
    settings.own.set("b", "ingest.burst", "1s").unwrap();
    let whole = yaml(&settings);
    let file = Scratch::new("every", &whole);
    assert_eq!(load(&given(&file)).unwrap(), settings, "{whole}");
    assert_eq!(
        check_file(&file.0, Vec::new()).unwrap().1,
        SETTINGS.len() + 6
    );
}

#[test]
fn flags_and_variables_are_made_of_paths_and_are_unique() {
    let mut flags: Vec<String> = SETTINGS.iter().map(|setting| setting.flag()).collect();
    assert!(flags.contains(&"log-line-bytes-max".to_owned()));
    flags.sort();
    flags.dedup();
    assert_eq!(flags.len(), SETTINGS.len());
    let setting = SETTINGS.iter().find(|it| it.path == "listen.otlp_grpc");
    assert_eq!(setting.unwrap().variable(), "CHRONOLITH_LISTEN_OTLP_GRPC");
}

#[test]
fn the_page_of_the_documentation_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    if std::env::var_os("CHRONOLITH_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == page(),
        "docs/config.md is behind: run this test with CHRONOLITH_WRITE_DOCS=1"
    );
}

#[test]
fn the_file_that_is_packaged_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/chronolith.yml");
    check_file(&path, Vec::new()).unwrap();
}

#[test]
fn a_variable_that_is_nearly_a_settings_is_told_and_others_are_left_alone() {
    let with = |name: &str| Given {
        environment: vec![(name.to_owned(), "5d".to_owned())],
        ..Given::default()
    };
    let said = load(&with("CHRONOLITH_RETENTON")).unwrap_err().to_string();
    assert!(
        said.contains("did you mean CHRONOLITH_RETENTION?"),
        "{said}"
    );
    // What a cluster puts into the environment of whatever has this name.
    for name in [
        "CHRONOLITH_PORT",
        "CHRONOLITH_SERVICE_HOST",
        "CHRONOLITH_PORT_9090_TCP_ADDR",
        "CHRONOLITH_URL",
        "CHRONOLITH_CONFIG",
        "CHRONOLITH_SHARED",
        "RETENTON",
    ] {
        assert_eq!(load(&with(name)).unwrap(), Settings::default(), "{name}");
    }
}
