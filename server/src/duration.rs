//! Durations as people write them in flags and parameters, such as `15d` or `1h30m`: lengths of
//! time that the query languages read and write as milliseconds.

use std::time::Duration;

use chronolith_query::text::duration;

/// Reads a duration: each unit at most once, from years down to milliseconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let ms = duration::parse(text).ok()?;
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// Writes a duration as `parse` reads it.
pub(crate) fn format(duration: Duration) -> String {
    duration::format(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_names_each_unit_once_and_in_order() {
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        assert_eq!(
            parse("1y2w3d4h5m6s7ms"),
            Some(Duration::from_millis(33_019_506_007))
        );
        for wrong in [
            "",
            "5",
            "m",
            "30m1h",
            "1h1h",
            "-1h",
            "1.5h",
            "1x",
            "99999999y",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["0s", "15d", "1h30m", "2w", "1y", "7ms", "8d1h"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }
}
