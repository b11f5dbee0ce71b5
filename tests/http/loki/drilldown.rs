//! What Logs Drilldown asks for.

use super::*;

const RANGE: [(&str, &str); 2] = [
    ("start", "2026-01-15T11:00:00.000Z"),
    ("end", "2026-01-15T12:00:00.000Z"),
];

fn ask(bed: &Bed, path: &str, more: &[(&str, &str)]) -> Value {
    let mut params = RANGE.to_vec();
    params.extend(more);
    let reply = get(bed, path, &params);
    assert_eq!(reply.code, 200, "{path}: {}", reply.text());
    reply.json()
}

#[test]
fn the_first_page_lists_services_by_their_volume() {
    let bed = filled();
    let query = [("query", "{service_name=~`.+`}"), ("limit", "5000")];
    let data = &ask(&bed, "index/volume", &query)["data"];
    assert_eq!(data["resultType"], "vector");
    let result = data["result"].as_array().unwrap();
    let names: Vec<&Value> = result
        .iter()
        .map(|one| &one["metric"]["service_name"])
        .collect();
    assert_eq!(names, ["shop", "cron"]);
    for one in result {
        assert_eq!(one["value"][0], 1_768_478_400_i64);
        assert!(one["value"][1].as_str().unwrap().parse::<u64>().unwrap() > 0);
    }
    // A search in it.
    let query = [
        ("query", "{service_name=~`(?i).*CRO.*`}"),
        ("limit", "5000"),
    ];
    let data = &ask(&bed, "index/volume", &query)["data"];
    assert_eq!(data["result"].as_array().unwrap().len(), 1);
}

#[test]
fn volumes_are_told_by_label_and_over_time() {
    let bed = filled();
    let query = ("query", "{app=\"shop\"}");
    let by_env = &ask(&bed, "index/volume", &[query, ("targetLabels", "env")])["data"];
    let result = by_env["result"].as_array().unwrap();
    assert_eq!(result.len(), 2);
    // Equal volumes, since both are of less than a kibibyte: by name.
    assert_eq!(result[0]["metric"], json!({ "env": "dev" }));
    assert_eq!(result[1]["metric"], json!({ "env": "prod" }));
    let by_name = &ask(&bed, "index/volume", &[query, ("aggregateBy", "labels")])["data"];
    let names: Vec<&Value> = by_name["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["metric"])
        .collect();
    assert!(names.contains(&&json!({ "env": "" })), "{by_name}");
    let by_stream = &ask(&bed, "index/volume", &[("query", "{}")])["data"];
    let result = by_stream["result"].as_array().unwrap();
    assert!(result.len() >= 2, "{by_stream}");
    for one in result {
        assert!(one["metric"]["service_name"].is_string(), "{by_stream}");
        let bytes: u64 = one["value"][1].as_str().unwrap().parse().unwrap();
        assert!(bytes > 0 && bytes.is_multiple_of(1024), "{by_stream}");
    }
    let over_time = &ask(&bed, "index/volume_range", &[query, ("step", "1800")])["data"];
    // All lines are of one half hour.
    assert_eq!(over_time["resultType"], "vector");
    push_line(
        &bed,
        "{app=\"shop\", env=\"dev\"}",
        NOON - 1800 * SECOND,
        "earlier",
    );
    let over_time = &ask(&bed, "index/volume_range", &[query, ("step", "1800")])["data"];
    assert_eq!(over_time["resultType"], "matrix");
    let values = over_time["result"][0]["values"].as_array().unwrap();
    assert_eq!(
        (&values[0][0], &values[1][0]),
        (&json!(1_768_476_599.999), &json!(1_768_478_400))
    );
}

#[test]
fn a_stream_without_one_of_the_labels_that_are_named_has_no_volume() {
    let bed = filled();
    push_line(&bed, "{app=\"stall\"}", NOON, "x");
    let metrics = |query: &str, targets: &str, by: &str| {
        let params = [
            ("query", query),
            ("targetLabels", targets),
            ("aggregateBy", by),
        ];
        let answer = ask(&bed, "index/volume", &params);
        let volumes = answer["data"]["result"].as_array().unwrap().iter();
        volumes
            .map(|one| one["metric"].to_string())
            .collect::<Vec<_>>()
    };
    let all = "{service_name=~\".+\"}";
    let (dev, prod) = (
        r#"{"app":"shop","env":"dev"}"#,
        r#"{"app":"shop","env":"prod"}"#,
    );
    assert_eq!(metrics(all, "app,env", "series"), [dev, prod]);
    assert_eq!(metrics("{}", "app,env", ""), [dev, prod]);
    let apps = [r#"{"app":"shop"}"#, r#"{"app":"stall"}"#];
    assert_eq!(metrics(all, "app", "series"), apps);
    assert!(metrics("{job=\"cron\"}", "app,job", "series").is_empty());
    // What a matcher of the query says about a label holds.
    let without = metrics("{service_name=~\".+\", env=\"\"}", "env,job", "series");
    assert_eq!(without, [r#"{"job":"cron"}"#]);
    let mut names = metrics(all, "app,env", "labels");
    names.sort();
    assert_eq!(names, [r#"{"app":""}"#, r#"{"env":""}"#]);
    assert!(metrics("{app=\"stall\"}", "app,env", "labels").is_empty());
}

#[test]
fn labels_are_found_also_without_a_query() {
    let bed = filled();
    let found = ask(&bed, "detected_labels", &[("query", "")]);
    let labels = found["detectedLabels"].as_array().unwrap();
    assert!(
        labels.contains(&json!({ "label": "env", "cardinality": 2 })),
        "{found}"
    );
    push_line(&bed, "{app=\"shop\", number=\"7\", pod=\"8\"}", NOON, "x");
    let found = ask(&bed, "detected_labels", &[("query", "{number=\"7\"}")]);
    let labels = found["detectedLabels"].to_string();
    assert!(
        labels.contains("\"pod\"") && !labels.contains("\"number\""),
        "{labels}"
    );
    assert_eq!(
        ask(&bed, "detected_labels", &[("query", "{app=\"no\"}")]),
        json!({})
    );
}

#[test]
fn fields_of_lines_are_found_with_their_types() {
    let bed = filled();
    let found = ask(&bed, "detected_fields", &[("query", "{app=\"shop\"}")]);
    assert_eq!(found["limit"], 1000);
    let fields = found["fields"].as_array().unwrap();
    let field = |label: &str| {
        let mut found = fields.iter().filter(|field| field["label"] == label);
        found.next().unwrap().clone()
    };
    assert_eq!(
        field("took"),
        json!({ "label": "took", "type": "duration", "cardinality": 2, "parsers": ["logfmt"] })
    );
    assert_eq!(
        field("user_name"),
        json!({ "label": "user_name", "type": "string", "cardinality": 1, "parsers": ["json"],
                "jsonPath": ["user", "name"] })
    );
    assert_eq!(field("trace_id")["parsers"], Value::Null);
    assert_eq!(field("code")["type"], "int");
    let values = ask(
        &bed,
        "detected_field/took/values",
        &[("query", "{app=\"shop\"}")],
    );
    assert_eq!(values, json!({ "values": ["12ms", "3s"], "limit": 1000 }));
    assert_eq!(
        ask(
            &bed,
            "detected_field/no/values",
            &[("query", "{app=\"shop\"}")]
        ),
        json!({})
    );
    assert_eq!(
        ask(&bed, "detected_fields", &[("query", "{app=\"no\"}")]),
        json!({})
    );
}

#[test]
fn the_limits_tell_what_the_app_may_show() {
    let bed = Bed::new();
    let limits = ask(&bed, "drilldown-limits", &[]);
    assert_eq!(limits["limits"].as_object().unwrap().len(), 17);
    assert_eq!(limits["limits"]["volume_enabled"], true);
    assert_eq!(limits["pattern_ingester_enabled"], false);
    assert!(limits["version"].is_string());
}

#[test]
fn the_queries_of_its_pages_are_answered() {
    let bed = filled();
    for query in [
        "sum by (detected_level) (count_over_time({ service_name=\"shop\"} [1m]))",
        "sum(count_over_time({service_name=`shop` , env != \"\"}  [1m])) by (env)",
        "sum by (took) (count_over_time({service_name=`shop`}  | logfmt | drop __error__, \
         __error_details__ | took!=\"\" [1m]))",
        "avg_over_time({service_name=`shop`} | logfmt | unwrap duration(took) | __error__=\"\" \
         [1m]) by ()",
        "sum by (trace_id) (count_over_time({service_name=`shop`} | keep trace_id [1m]))",
    ] {
        let data = query_range(&bed, query, &[("step", "60000ms")]);
        assert_eq!(data["resultType"], "matrix", "{query}");
        assert!(!data["result"].as_array().unwrap().is_empty(), "{query}");
    }
    let query = "{service_name=`shop`} | detected_level=\"error\" or detected_level=\"warn\" | \
                 json  | logfmt | drop __error__, __error_details__";
    assert_eq!(lines(&query_range(&bed, query, &[])).len(), 2);
}

#[test]
fn patterns_are_found_where_the_operator_wants_it() {
    let bed = Bed::with(|settings| settings.log_patterns = true);
    for (place, name) in ["alice", "bob"].into_iter().enumerate() {
        let line = format!("level=info user {name} logged in after {place} tries");
        push_line(&bed, "{app=\"shop\"}", NOON + place as i64, &line);
    }
    let found = ask(
        &bed,
        "patterns",
        &[("query", "{app=\"shop\"}"), ("step", "10s")],
    );
    assert_eq!(
        found,
        json!({ "status": "success", "data": [{
            "pattern": "level=info user <_> logged in after <_> tries",
            "level": "info",
            "samples": [[NOON / SECOND, 2]],
        }] })
    );
    assert_eq!(
        ask(&bed, "drilldown-limits", &[])["pattern_ingester_enabled"],
        true
    );
    let query = "{app=\"shop\"} |> `level=info user <_> logged in after <_> tries`";
    assert_eq!(lines(&query_range(&bed, query, &[])).len(), 2);
}
