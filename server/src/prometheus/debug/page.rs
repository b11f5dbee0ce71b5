//! The page: tables of what the JSON has. Everything that comes from anybody is escaped, and there
//! is no script in it.

use std::fmt::Write;

use serde_json::Value;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>Chronolith</title><style>body{font:14px sans-serif;margin:2em}\
    table{border-collapse:collapse;margin:0 0 2em}td,th{border:1px solid #bbb;padding:.2em .6em;\
    text-align:left;vertical-align:top}td.n{text-align:right}td.q{font-family:monospace;\
    white-space:pre-wrap;max-width:60em;overflow-wrap:anywhere}</style></head><body>\n";

/// The whole page.
pub(super) fn written(queries: &[Value], lanes: &Value, state: &Value) -> String {
    let mut out = HEAD.to_owned();
    out.push_str("<h1>Queries</h1>\n");
    let columns = [
        "id",
        "tenant",
        "client",
        "language",
        "kind",
        "since",
        "seconds",
        "read",
        "endsInSeconds",
        "query",
    ];
    table(&mut out, &columns, queries);
    out.push_str("<h1>Lanes</h1>\n");
    let lanes = lanes.as_array().map_or(&[][..], Vec::as_slice);
    table(&mut out, &["name", "running", "waiting"], lanes);
    out.push_str("<h1>Engine</h1>\n");
    pairs(&mut out, &state["engine"]);
    for tenant in state["tenants"].as_array().into_iter().flatten() {
        for kind in ["metrics", "logs"] {
            let name = text(&tenant["tenant"]);
            let _ = writeln!(out, "<h1>{kind} of {}</h1>", escaped(&name));
            pairs(&mut out, &tenant[kind]);
        }
    }
    out.push_str("</body></html>\n");
    out
}

fn table(out: &mut String, columns: &[&str], rows: &[Value]) {
    out.push_str("<table><tr>");
    for column in columns {
        let _ = write!(out, "<th>{column}</th>");
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        columns
            .iter()
            .for_each(|column| cell(out, column, &row[column]));
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn pairs(out: &mut String, object: &Value) {
    out.push_str("<table>\n");
    for (name, value) in object.as_object().into_iter().flatten() {
        let _ = write!(out, "<tr><th>{}</th>", escaped(name));
        cell(out, name, value);
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn cell(out: &mut String, column: &str, value: &Value) {
    let class = match value {
        Value::Number(_) => " class=\"n\"",
        _ if column == "query" => " class=\"q\"",
        _ => "",
    };
    let _ = write!(out, "<td{class}>{}</td>", escaped(&text(value)));
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A text that means nothing to a browser, within an element and within quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_anybody_wrote_is_markup() {
        let evil = "</td><script>alert('1')</script>\"&amp;";
        let query = json!({ "query": evil, "tenant": evil, "client": evil, "read": 3 });
        let store = json!({ evil: evil, "blocks": [evil] });
        let state = json!({
            "engine": { evil: evil },
            "tenants": [{ "tenant": evil, "metrics": store, "logs": store }],
        });
        let page = written(&[query], &json!([{ "name": evil }]), &state);
        let plain = written(&[], &json!([]), &json!({}));
        assert!(
            !page.contains("<script") && !page.contains("alert('"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;amp;"));
        // Every angle bracket belongs to a tag of ours.
        let body = &page[page.find("<body>").unwrap()..];
        let tags = ["table", "tr", "th", "td", "h1", "body", "html"];
        for (at, _) in body.match_indices('<') {
            let tag = body[at + 1..].trim_start_matches('/');
            let is_ours = tags.iter().any(|known| tag.starts_with(known));
            assert!(is_ours, "{}", &body[at..]);
        }
        assert!(plain.ends_with("</body></html>\n"));
    }
}
