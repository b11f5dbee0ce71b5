//! A fleet made of one recording: each host repeats it from another scrape on, counters carried
//! on.
//!
//! Hosts have labels, phases and scrape times of their own; nothing is copied from one host's
//! series to another's at the same time. Everything follows from the seed.

use chronolith_engine::labels::LabelSet;

use crate::exposition::Recorded;
use crate::fleet::{STEP_MS, mix};

/// How far a jittering scrape is from its place at most.
const JITTER_MS: i64 = 2;

/// Powers of ten that values are tried to be whole multiples of.
const DECIMALS_MAX: i32 = 9;

/// Hosts that all export the recorded series.
pub struct Hosts {
    /// Label bytes, host by host in the order of the recording.
    labels: Vec<Vec<u8>>,
    /// Values by scrape, in the order of the recording.
    rows: Vec<f64>,
    series: usize,
    /// Scrapes of the recording.
    recorded: usize,
    hosts: usize,
    jitter_percent: u64,
    start_ms: i64,
    seed: u64,
}

impl Hosts {
    /// Hosts for so many scrapes from `start_ms` on. `jitter_percent` of the scrapes are up to two
    /// milliseconds off.
    ///
    /// Fails if the recording has gaps or a host's labels cannot be made.
    pub fn new(
        recording: &[Recorded],
        hosts: usize,
        scrapes: usize,
        jitter_percent: u64,
        start_ms: i64,
    ) -> Result<Hosts, Box<dyn std::error::Error>> {
        let recorded = recording.first().ok_or("the recording is empty")?;
        let recorded = recorded.values.len();
        if recording
            .iter()
            .any(|series| series.values.len() != recorded)
        {
            return Err("a series of the recording has gaps".into());
        }
        let mut labels = Vec::with_capacity(hosts * recording.len());
        for host in 0..hosts {
            for series in recording {
                labels.push(host_labels(series, host)?);
            }
        }
        let rows = rows(recording, recorded + scrapes);
        Ok(Hosts {
            labels,
            rows,
            series: recording.len(),
            recorded,
            hosts,
            jitter_percent,
            start_ms,
            seed: 1,
        })
    }

    /// How many hosts there are.
    pub fn count(&self) -> usize {
        self.hosts
    }

    /// Series of one host.
    pub fn series(&self) -> usize {
        self.series
    }

    /// Label bytes of one host's series.
    pub fn labels(&self, host: usize) -> &[Vec<u8>] {
        &self.labels[host * self.series..][..self.series]
    }

    /// One host's values at a scrape, in the order of its labels.
    pub fn values(&self, host: usize, scrape: usize) -> &[f64] {
        let phase = host * self.recorded / self.hosts;
        &self.rows[(phase + scrape) * self.series..][..self.series]
    }

    /// When a host is scraped: one time for all of its series.
    pub fn time_ms(&self, host: usize, scrape: usize) -> i64 {
        let place = (mix(host as u64, self.seed + 1) % STEP_MS as u64) as i64;
        let chance = mix((host as u64) << 32 | scrape as u64, self.seed + 2);
        let jitter = match chance % 100 < self.jitter_percent {
            // One of -2, -1, 1 and 2.
            true => [-JITTER_MS, -1, 1, JITTER_MS][(chance >> 32) as usize % 4],
            false => 0,
        };
        // No scrape is moved before the start.
        self.start_ms + JITTER_MS + scrape as i64 * STEP_MS + place + jitter
    }
}

fn host_labels(series: &Recorded, host: usize) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let instance = format!("host-{host}:9100");
    let pairs = series.labels.as_labels();
    let pairs = pairs.iter().map(|(name, value)| match name {
        "instance" => (name, &*instance),
        _ => (name, value),
    });
    Ok(LabelSet::from_pairs(pairs)?.as_labels().as_bytes().to_vec())
}

/// The recording again and again, by scrape.
fn rows(recording: &[Recorded], scrapes: usize) -> Vec<f64> {
    let mut rows = vec![0.0; scrapes * recording.len()];
    for (place, series) in recording.iter().enumerate() {
        let carried = Carried::of(&series.values);
        for scrape in 0..scrapes {
            rows[scrape * recording.len() + place] = carried.at(&series.values, scrape);
        }
    }
    rows
}

/// How a series goes on behind the end of its recording.
struct Carried {
    /// What each lap adds: nothing to a gauge.
    per_lap: f64,
    /// Recorded values are whole multiples of its inverse, and so are those carried on.
    scale: Option<f64>,
}

impl Carried {
    /// A series that rises and never falls is a counter, whatever it is called: the next lap goes
    /// on where the last one ended, by the last step seen.
    fn of(values: &[f64]) -> Self {
        let rises = values.windows(2).all(|pair| pair[0] <= pair[1]);
        let per_lap = match values {
            [first, .., before, last] if rises && last > first => last - first + (last - before),
            _ => 0.0,
        };
        let scales = (0..=DECIMALS_MAX).map(|digits| 10f64.powi(digits));
        let is_whole = |scale: &f64| {
            values
                .iter()
                .all(|value| (value * scale).round() / scale == *value)
        };
        Carried {
            per_lap,
            scale: scales.into_iter().find(is_whole),
        }
    }

    fn at(&self, values: &[f64], scrape: usize) -> f64 {
        let (lap, recorded) = (scrape / values.len(), values[scrape % values.len()]);
        if lap == 0 || self.per_lap == 0.0 {
            return recorded;
        }
        let value = recorded + lap as f64 * self.per_lap;
        match self.scale {
            // As an exporter would have counted: no digits that only adding made.
            Some(scale) => (value * scale).round() / scale,
            None => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str, values: &[f64]) -> Recorded {
        Recorded {
            labels: LabelSet::from_pairs([("__name__", name), ("instance", "x")]).unwrap(),
            times: (0..values.len() as i64)
                .map(|step| step * STEP_MS)
                .collect(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn counters_go_on_and_gauges_begin_again() {
        let recording = [
            recorded("seconds_total", &[0.1, 0.4, 0.6]),
            recorded("load", &[3.0, 1.0, 2.0]),
        ];
        let hosts = Hosts::new(&recording, 1, 6, 0, 0).unwrap();
        let column =
            |place: usize| -> Vec<f64> { (0..7).map(|at| hosts.values(0, at)[place]).collect() };
        assert_eq!(column(0), [0.1, 0.4, 0.6, 0.8, 1.1, 1.3, 1.5]);
        assert_eq!(column(1), [3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn each_host_has_its_own_labels_phase_and_times() {
        let recording = [recorded("load", &[1.0, 2.0, 3.0, 4.0])];
        let hosts = Hosts::new(&recording, 2, 8, 20, 0).unwrap();
        assert_ne!(hosts.labels(0), hosts.labels(1));
        assert_eq!(hosts.values(1, 0), [3.0]);
        for host in 0..2 {
            let times: Vec<i64> = (0..8).map(|scrape| hosts.time_ms(host, scrape)).collect();
            assert!(times.iter().all(|time| *time >= 0));
            let gaps = times.windows(2).map(|pair| pair[1] - pair[0] - STEP_MS);
            assert!(gaps.into_iter().all(|gap| gap.abs() <= 2 * JITTER_MS));
        }
    }

    #[test]
    fn a_recording_with_a_gap_is_refused() {
        let recording = [recorded("a", &[1.0, 2.0]), recorded("b", &[1.0])];
        assert!(Hosts::new(&recording, 1, 1, 0, 0).is_err());
    }
}
