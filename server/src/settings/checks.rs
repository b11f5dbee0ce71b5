//! Conditions on values of settings: each says what would be right.

use std::time::Duration;

use chronolith_engine::Limits;

use super::KeepRule;

pub(super) fn keeps_something(retention: &Option<Duration>) -> Result<(), String> {
    match retention {
        Some(Duration::ZERO) => Err(
            "a retention of nothing keeps nothing: write none, or leave \
                                     it out, to keep data for ever"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

pub(super) fn lasts(burst: &Duration) -> Result<(), String> {
    match burst.is_zero() {
        true => Err("write a duration above 0s".to_owned()),
        false => Ok(()),
    }
}

pub(super) fn nice(steps: &usize) -> Result<(), String> {
    match steps {
        0..=19 => Ok(()),
        _ => Err("write a number from 0 to 19".to_owned()),
    }
}

pub(super) fn positive(count: &usize) -> Result<(), String> {
    match count {
        0 => Err("write a number from 1 on".to_owned()),
        _ => Ok(()),
    }
}

/// Whether the engine takes these limits; what would be right otherwise.
fn taken(limits: Limits) -> Result<(), String> {
    limits.check().map_err(|error| error.to_string())
}

pub(super) fn rules(rules: &[KeepRule]) -> Result<(), String> {
    taken(Limits {
        retention_rules: rules.iter().map(|rule| rule.rule.clone()).collect(),
        ..Limits::default()
    })
}

pub(super) fn name_bytes(max: usize) -> Result<(), String> {
    taken(Limits {
        label_name_bytes_max: max,
        ..Limits::default()
    })
}

pub(super) fn value_bytes(max: usize) -> Result<(), String> {
    taken(Limits {
        label_value_bytes_max: max,
        ..Limits::default()
    })
}

pub(super) fn line_bytes(max: usize) -> Result<(), String> {
    taken(Limits {
        line_bytes_max: max,
        ..Limits::default()
    })
}

pub(super) fn metadata_bytes(max: usize) -> Result<(), String> {
    taken(Limits {
        metadata_bytes_max: max,
        ..Limits::default()
    })
}

/// Less than this the parser of heads cannot work with.
pub(super) fn head_bytes(max: usize) -> Result<(), String> {
    match max {
        0..8192 => Err("write at least 8KiB".to_owned()),
        _ => Ok(()),
    }
}

/// What windows of HTTP/2 may be.
pub(super) fn ahead_bytes(max: usize) -> Result<(), String> {
    match max {
        65_536..=0x7fff_ffff => Ok(()),
        _ => Err("write 64KiB up to 2047MiB".to_owned()),
    }
}

pub(super) fn series(max: &Option<usize>) -> Result<(), String> {
    taken(Limits {
        series_max: max.unwrap_or(0) as u64,
        ..Limits::default()
    })
}
