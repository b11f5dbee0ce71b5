//! VictoriaMetrics' export lines: one JSON object is one series with its times and values.
//!
//! `null` stands for the marker that a series has ended; values that JSON has no number for are
//! texts.

use chronolith_engine::labels::Labels;
use chronolith_engine::metrics::STALE_NAN_BITS;

use super::columns::Columns;
use super::labels::LabelScratch;
use super::logs::scan::Scan;
use super::protobuf::Malformed;

/// Reads a line into columns. On an error the entries of the series at hand may be there.
pub(crate) fn decode(line: &str, columns: &mut Columns<'_>) -> Result<(), Malformed> {
    if line.trim().is_empty() {
        return Ok(());
    }
    let (mut labels, mut values, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut scan = Scan::new(line);
    scan.object(|scan, key| match &*key {
        "metric" => scan.object(|scan, name| {
            labels.push((name, scan.string()?));
            Ok(())
        }),
        "values" => scan.array(|scan| {
            values.push(value(scan)?);
            Ok(())
        }),
        "timestamps" => scan.array(|scan| {
            let word = scan.word()?;
            let time = word.parse::<i64>();
            times.push(time.map_err(|_| scan.fault(&format!("{word:?} is no time")))?);
            Ok(())
        }),
        _ => scan.skip(),
    })?;
    scan.end()?;
    if values.len() != times.len() {
        return Err(Malformed::new(format!(
            "there are {} values and {} timestamps",
            values.len(),
            times.len()
        )));
    }
    for (time, value) in times.iter().zip(values) {
        columns.sample(*time, 0, value)?;
    }
    let mut scratch = LabelScratch::default();
    for (name, value) in &labels {
        scratch.push(name.as_bytes(), value.as_bytes());
    }
    let settled = scratch.settle();
    settled.map_err(|fault| Malformed::new(fault.to_string()))?;
    columns.end_series(&scratch)
}

fn value(scan: &mut Scan<'_>) -> Result<f64, Malformed> {
    let text = match scan.peek() {
        Some(b'"') => scan.string()?.into_owned(),
        _ => scan.word()?.to_owned(),
    };
    match text.as_str() {
        "null" => Ok(f64::from_bits(STALE_NAN_BITS)),
        "NaN" => Ok(f64::NAN),
        "Infinity" | "+Inf" | "Inf" => Ok(f64::INFINITY),
        "-Infinity" | "-Inf" => Ok(f64::NEG_INFINITY),
        number => number
            .parse()
            .map_err(|_| scan.fault(&format!("{number:?} is no value"))),
    }
}

/// Writes a line: its labels, then its samples.
pub(crate) fn encode(labels: Labels<'_>, times: &[i64], values: &[f64]) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let pairs = labels
        .iter()
        .map(|(name, value)| format!("{}:{}", text(name), text(value)));
    let pairs: Vec<String> = pairs.collect();
    let mut buffer = zmij::Buffer::new();
    let mut numbers = Vec::with_capacity(values.len());
    for value in values {
        numbers.push(match value {
            value if value.to_bits() == STALE_NAN_BITS => "null".to_owned(),
            value if value.is_nan() => "\"NaN\"".to_owned(),
            value if *value == f64::INFINITY => "\"Infinity\"".to_owned(),
            value if *value == f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            value => buffer.format_finite(*value).to_owned(),
        });
    }
    let times: Vec<String> = times.iter().map(i64::to_string).collect();
    format!(
        "{{\"metric\":{{{}}},\"values\":[{}],\"timestamps\":[{}]}}\n",
        pairs.join(","),
        numbers.join(","),
        times.join(",")
    )
}

#[cfg(test)]
mod tests {
    use chronolith_engine::labels::LabelSet;

    use super::*;

    #[test]
    fn what_is_written_is_read_bit_for_bit() {
        let labels = LabelSet::from_pairs([("__name__", "up"), ("a\"b", "x\\\n")]).unwrap();
        let values = [
            0.1 + 0.2,
            -0.0,
            1e300,
            5e-324,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::from_bits(STALE_NAN_BITS),
            f64::NAN,
        ];
        let times: Vec<i64> = (0..values.len() as i64).collect();
        let line = encode(labels.as_labels(), &times, &values);
        let mut columns = Columns::default();
        decode(&line, &mut columns).unwrap();
        assert_eq!(columns.labels(0), labels.as_labels().as_bytes());
        let bits = |value: &f64| value.to_bits();
        let expected: Vec<u64> = values.iter().map(bits).collect();
        let found = columns.samples().iter().map(|sample| match sample.value {
            chronolith_engine::metrics::SampleValue::Float(value) => value.to_bits(),
            chronolith_engine::metrics::SampleValue::Histogram(_) => 0,
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_line_is_told() {
        for wrong in [
            "{",
            "{}",
            r#"{"metric":{"__name__":"a"},"values":[1],"timestamps":[]}"#,
            r#"{"metric":{"__name__":"a"},"values":[x],"timestamps":[1]}"#,
            r#"{"metric":{"job":"a"},"values":[1],"timestamps":[1]}"#,
            r#"{"metric":{"__name__":"a"},"values":[1],"timestamps":[1.5]}"#,
        ] {
            assert!(decode(wrong, &mut Columns::default()).is_err(), "{wrong}");
        }
        assert!(decode(" ", &mut Columns::default()).is_ok());
    }
}
