//! `push`: samples and lines, to servers that are there, busy, or away for a while.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::bed::{Place, Running, everywhere, free_address, run, run_with, with};
use crate::http::bed::{Bed, Folder};

#[test]
fn what_is_pushed_is_there() {
    let bed = Bed::new();
    let place = Place::server(&bed);
    let lines: String = (0..12_345)
        .map(|number| format!("line {number}\n"))
        .collect();
    let asked = with(
        &["push", "logs", "-l", "app=x", "-l", "env=test"],
        &place.logs,
    );
    let pushed = run_with(&asked, &lines);
    assert_eq!(pushed.err, "chronolith: pushed 12345 lines\n");
    let samples: String = (0..6_789)
        .map(|number| format!("x{{n=\"{number}\"}} 1\n"))
        .collect();
    let pushed = run_with(&with(&["push", "metrics"], &place.metrics), &samples);
    assert_eq!(pushed.err, "chronolith: pushed 6789 lines\n");
    everywhere(bed, |place| {
        let asked = [
            "logs",
            "{app=\"x\",env=\"test\"}",
            "--limit",
            "0",
            "--forward",
            "-o",
            "raw",
        ];
        assert!(place.logs(&asked).good() == lines);
        let count = place.metrics(&["query", "count(x)", "-o", "csv"]).good();
        assert!(count.ends_with(",6789\n"), "{count}");
    });
}

#[test]
fn a_directory_takes_what_is_pushed_and_files_are_read_in_turn() {
    let (folder, files) = (Folder::new(), Folder::new());
    std::fs::create_dir_all(&files.0).unwrap();
    let file = |name: &str, text: &str| {
        let path = files.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (one, two) = (file("one", "a\nb\n"), file("two", "\nc\r\nd"));
    let data = folder.0.display().to_string();
    let asked = [
        "push", "logs", "--label", "app=x", &one, &two, "--data", &data,
    ];
    assert_eq!(run(&asked).code, Some(0));
    let metrics = file("metrics", "up 1\n");
    assert_eq!(
        run(&["push", "metrics", &metrics, "--data", &data]).code,
        Some(0)
    );
    let asked = [
        "logs",
        "{app=\"x\"}",
        "--forward",
        "-o",
        "raw",
        "--data",
        &data,
    ];
    assert_eq!(run(&asked).good(), "a\nb\nc\nd\n");
    let up = run(&["query", "up", "-o", "csv", "--data", &data]).good();
    assert!(up.ends_with(",1\n"), "{up}");
}

#[test]
fn a_server_that_restarts_gets_everything_once() {
    let address = free_address();
    let mut bed = Bed::with(|settings| settings.listen_loki = address);
    let place = Place::server(&bed);
    let asked = with(&["push", "logs", "--label", "app=x"], &place.logs);
    let mut push = Running::start(&asked);
    push.write("before\n");
    let there = ["logs", "{app=\"x\"}", "--forward", "-o", "raw"];
    while place.logs(&there).good() != "before\n" {}
    bed.stop();
    push.write("while it is away\n");
    assert!(push.said().contains("trying again"));
    bed.start(|settings| settings.listen_loki = address);
    push.write("after\n");
    assert_eq!(push.finish(), Some(0));
    assert_eq!(
        place.logs(&there).good(),
        "before\nwhile it is away\nafter\n"
    );
}

/// A server of one line of code, which answers each request with the next of these.
fn scripted(answers: &[&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !request.ends_with(b"}]}") && !request.ends_with(b"up 1\n") {
                let read = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let head = format!("HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n");
            stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn a_busy_server_is_asked_again_and_one_that_refuses_is_not() {
    let push = |answers: &[&'static str]| {
        let url = scripted(answers);
        run_with(
            &["push", "metrics", "--url", &url, "--retry-for", "1m"],
            "up 1\n",
        )
    };
    let busy = "429 Too Many Requests\r\nRetry-After: 0";
    let away = "503 Service Unavailable\r\nRetry-After: 0";
    assert_eq!(push(&[busy, away, "204 No Content"]).code, Some(0));
    let refused = push(&["400 Bad Request"]);
    assert!(refused.bad(1).contains("of lines 1 to 1"));
    let denied = push(&["401 Unauthorized"]).bad(1);
    assert!(denied.contains("--bearer-token-file"), "{denied}");
}

#[test]
fn what_is_refused_is_told_with_its_line_and_the_rest_is_stored() {
    let bed = Bed::new();
    let place = Place::server(&bed);
    let mut text: String = (0..5_000)
        .map(|number| format!("x{{n=\"{number}\"}} 1\n"))
        .collect();
    text += "y 1\ny{ 2\n";
    let pushed = run_with(&with(&["push", "metrics"], &place.metrics), &text);
    let error = pushed.bad(1);
    assert!(
        error.contains("of lines 5001 to 5002: line 5002:"),
        "{error}"
    );
    assert_eq!(bed.count("x"), 5_000);
}

#[test]
fn a_server_that_stays_away_is_told_with_the_line_to_begin_again_with() {
    let url = format!("http://{}", free_address());
    let asked = ["push", "metrics", "--url", &url, "--retry-for", "10ms"];
    let error = run_with(&asked, "up 1\n").bad(1);
    assert!(
        error.contains(&url) && error.contains("begin again with line 1"),
        "{error}"
    );
}
