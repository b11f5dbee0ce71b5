//! What commands end with, what they say when they fail, and how they end when nobody listens.

use std::io::Read;

use super::bed::{Place, ended, everywhere, filled, free_address, program, run, with};
use crate::http::bed::{Bed, Folder};

#[test]
fn what_is_misused_ends_with_2_and_says_what_would_be_right() {
    for (arguments, told) in [
        (&["query"][..], "EXPR"),
        (&["query", "up", "--time", "soon"], "RFC 3339"),
        (
            &["query", "up", "--url", "localhost:9090"],
            "http://127.0.0.1:9090",
        ),
        (
            &["query", "up", "--url", "http://a", "--data", "b"],
            "--data",
        ),
        (
            &["query", "up", "--data", "no/such/folder"],
            "no data directory no/such/folder",
        ),
        (&["query", "up", "--user", "a"], "--password-file"),
        (
            &["logs", "{}", "--from", "now", "--to", "-1h"],
            "--from must not be after --to",
        ),
        (&["push", "logs", "--label", "app"], "name=value"),
        (&["push", "logs"], "--label"),
        (&["push", "metrics", "no/such/file"], "no/such/file"),
        (&["backup", "somewhere"], "leave the folder out"),
        (&["verify", "--data", "no/such/folder"], "no data directory"),
        (&["check"], "Usage"),
        (&["nonsense"], "nonsense"),
    ] {
        let error = run(arguments).bad(2);
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let url = format!("http://{}", free_address());
    for arguments in [
        &["query", "up"][..],
        &["logs", "{a=\"b\"}"],
        &["logs", "{a=\"b\"}", "--tail"],
        &["stats"],
        &["backup"],
    ] {
        let error = run(&[arguments, &["--url", &url]].concat()).bad(1);
        let told = error.contains(&url) && error.contains("chronolith serve");
        assert!(told, "{arguments:?}: {error}");
    }
    let by_variable = program(&["query", "up"])
        .env("CHRONOLITH_URL", &url)
        .spawn();
    assert!(ended(by_variable.unwrap()).bad(1).contains(&url));
}

#[test]
fn a_wrong_query_ends_with_1_and_the_servers_reason() {
    everywhere(filled(), |place| {
        let error = place.metrics(&["query", "sum("]).bad(1);
        assert!(error.contains("parse error"), "{error}");
        let error = place.logs(&["logs", "{app="]).bad(1);
        assert!(
            error.contains("parse error") || error.contains("syntax"),
            "{error}"
        );
    });
}

#[test]
fn no_result_ends_with_3_for_those_who_ask() {
    everywhere(filled(), |place| {
        for arguments in [
            &["query", "nothing"][..],
            &["query-range", "nothing"],
            &["series", "nothing"],
            &["labels", "nothing"],
        ] {
            assert_eq!(place.metrics(arguments).good(), "");
            let asked = [arguments, &["--fail-empty"]].concat();
            assert_eq!(place.metrics(&asked).code, Some(3), "{arguments:?}");
        }
        let asked = ["logs", "{app=\"nothing\"}", "--fail-empty"];
        assert_eq!(place.logs(&asked).code, Some(3));
        let time = [
            "query",
            "hits_total",
            "--time",
            "2026-01-15T11:30:00Z",
            "--fail-empty",
        ];
        assert_eq!(place.metrics(&time).code, Some(0));
    });
}

#[test]
fn a_directory_that_a_server_has_open_is_not_written_and_the_error_says_what_to_do() {
    let bed = Bed::new();
    let place = Place::directory(&bed);
    let folder = Folder::new();
    let target = folder.0.display().to_string();
    for arguments in [
        &["push", "metrics"][..],
        &["push", "logs", "-l", "a=b"],
        &["backup", &target],
        &["repair"],
    ] {
        let error = place.metrics(arguments).bad(1);
        assert!(
            error.contains("ask the server with --url"),
            "{arguments:?}: {error}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let bed = filled();
    let place = Place::server(&bed);
    let range = [
        "--from",
        "2026-01-15T10:30:00Z",
        "--to",
        "2026-01-15T11:30:00Z",
        "--step",
        "1s",
    ];
    let asked = [&["query-range", "hits_total"][..], &range].concat();
    for format in ["table", "csv", "json"] {
        let all = [&asked[..], &["--output", format]].concat();
        let mut child = program(&with(&all, &place.metrics)).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let ran = ended(child);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{format}");
    }
}

#[test]
fn whoever_asks_is_told_to_the_server_and_to_nobody_else() {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut part = [0; 4096];
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut part).unwrap();
            request.extend_from_slice(&part[..read]);
        }
        let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(refusal).unwrap();
        String::from_utf8(request).unwrap()
    });
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    let file = file.display().to_string();
    let who = [
        "--user",
        "Aladdin",
        "--password-file",
        &file,
        "--tenant",
        "cave",
    ];
    let error = run(&[&["stats", "--url", &url], &who[..]].concat()).bad(1);
    let request = server.join().unwrap().to_lowercase();
    assert!(
        request.contains("authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq=="),
        "{request}"
    );
    assert!(request.contains("x-scope-orgid: cave"), "{request}");
    assert!(
        error.contains("403") && !error.contains("sesame"),
        "{error}"
    );
}
