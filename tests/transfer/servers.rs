//! From running servers: here our own, which speak as Prometheus and Loki do.

use super::bed::{START, fill_logs, fill_metrics, inside, logs, metrics, ran, text};
use crate::http::bed::{Bed, Folder};

#[test]
fn remote_read_brings_all_that_a_server_has() {
    let folder = Folder::new();
    let (one, two) = (inside(&folder, "one"), inside(&folder, "two"));
    fill_metrics(&one);
    let mut bed = Bed::with(|settings| settings.data = one.clone());
    let url = format!("http://{}", bed.address());
    let (start, end) = (
        (START / 1000).to_string(),
        (START / 1000 + 11_000).to_string(),
    );
    let command = ["import", "remote-read", &url, "--data", text(&two)];
    let range = ["--start", &start, "--end", &end, "--window", "20m"];
    assert!(ran(&[&command[..], &range].concat()));
    bed.stop();
    assert_eq!(metrics(&two), metrics(&one));
}

#[test]
fn pages_of_loki_lose_no_line_and_double_none_at_equal_times() {
    let folder = Folder::new();
    let (one, two, three) = (
        inside(&folder, "one"),
        inside(&folder, "two"),
        inside(&folder, "three"),
    );
    fill_logs(&one);
    let mut bed = Bed::with(|settings| settings.data = one.clone());
    let url = format!("http://{}", bed.loki_address());
    let (start, end) = (
        (START / 1000 - 5).to_string(),
        (START / 1000 + 5).to_string(),
    );
    let range = [
        "--start",
        &start,
        "--end",
        &end,
        "--match",
        "{service_name=\"shop\"}",
    ];
    // Ten lines share each time: eleven fill a page in the middle of the next ten.
    let command = ["import", "loki", &url, "--data", text(&two), "--page", "11"];
    assert!(ran(&[&command[..], &range].concat()));
    // A page that cannot hold one time is an error and no loss that nobody sees.
    let command = [
        "import",
        "loki",
        &url,
        "--data",
        text(&three),
        "--page",
        "10",
    ];
    assert!(!ran(&[&command[..], &range].concat()));
    bed.stop();
    assert_eq!(logs(&two), logs(&one));
}
