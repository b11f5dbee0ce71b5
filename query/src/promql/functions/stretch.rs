//! How a difference of samples is made to stand for the whole range: it is stretched to the
//! borders, as far as samples are near enough to them.

use crate::promql::functions::rate::Kind;

/// Where samples lie in a window: how far the first is from its beginning, the last from its end
/// and both from each other, in milliseconds, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    lead: i64,
    rest: i64,
    length: i64,
    count: usize,
}

impl Place {
    fn of(times: &[i64], borders: (i64, i64)) -> Place {
        let (first, last) = (times[0], times[times.len() - 1]);
        Place {
            lead: first - borders.0,
            rest: borders.1 - last,
            length: last - first,
            count: times.len(),
        }
    }
}

/// By what differences are multiplied to stand for a whole range, as far as the place of the
/// samples tells; in seconds.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    sampled: f64,
    to_start: f64,
    to_end: f64,
    range: f64,
    kind: Kind,
}

impl Stretch {
    fn of(place: Place, kind: Kind) -> Stretch {
        let sampled = seconds(place.length);
        let average = match place.count {
            1 => 0.0,
            count => sampled / precise(count - 1),
        };
        let near = |distance: f64| match distance >= average * 1.1 {
            true => average / 2.0,
            false => distance,
        };
        Stretch {
            sampled,
            to_start: near(seconds(place.lead)),
            to_end: near(seconds(place.rest)),
            range: seconds(place.lead + place.length + place.rest),
            kind,
        }
    }

    /// The same for a counter that began so long before the last sample, within the range.
    fn begun(self, length: i64) -> Stretch {
        Stretch {
            sampled: seconds(length),
            to_start: 0.0,
            ..self
        }
    }

    /// The same for a counter that, rising evenly, was at zero within the range; `zero` is the
    /// first value as a part of the difference.
    fn cut(self, zero: Option<f64>) -> Stretch {
        match zero {
            Some(zero) if self.kind.is_counter() => Stretch {
                to_start: self.to_start.min(self.sampled * zero),
                ..self
            },
            _ => self,
        }
    }

    fn factor(self) -> f64 {
        let factor = match self.sampled {
            0.0 => 1.0,
            sampled => (sampled + self.to_start + self.to_end) / sampled,
        };
        match self.kind {
            Kind::Rate => factor / self.range,
            Kind::Increase | Kind::Delta => factor,
        }
    }
}

#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss)] // There are fewer samples than 2^53.
fn precise(count: usize) -> f64 {
    count as f64
}

/// Makes differences stand for whole ranges, window by window: samples mostly lie in one as they
/// lay in the one before.
pub(super) struct Extrapolation {
    kind: Kind,
    known: Option<(Place, Stretched)>,
}

impl Extrapolation {
    pub(super) fn new(kind: Kind) -> Self {
        Extrapolation { kind, known: None }
    }

    /// How differences of floats, two at least, are stretched that were taken at `times` between
    /// `borders`.
    pub(super) fn at(&mut self, times: &[i64], borders: (i64, i64)) -> Stretched {
        let place = Place::of(times, borders);
        match self.known {
            Some((known, stretched)) if known == place => stretched,
            _ => {
                let stretched = Stretched::new(Stretch::of(place, self.kind));
                self.known = Some((place, stretched));
                stretched
            }
        }
    }
}

/// Stretches differences of windows in which samples lie at the same places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretched {
    stretch: Stretch,
    /// By what those are multiplied that were not at zero within the range.
    plain: f64,
    /// How near to its beginning that is looked for; negative where it tells nothing.
    reach: f64,
}

impl Stretched {
    fn new(stretch: Stretch) -> Self {
        Stretched {
            stretch,
            plain: stretch.factor(),
            reach: match stretch.kind.is_counter() {
                true => stretch.to_start,
                false => -1.0,
            },
        }
    }

    /// What a difference is for the whole range; `first` is the first sample of it.
    pub(super) fn of(&self, result: f64, first: f64) -> f64 {
        match self.is_cut(result, first) {
            true => result * self.stretch.cut(zero_part(result, first)).factor(),
            false => result * self.plain,
        }
    }

    /// Whether a counter that rises evenly was at zero nearer to the first sample than the range
    /// begins. The quotient is calculated where it has no meaning too, so that nothing branches.
    fn is_cut(&self, result: f64, first: f64) -> bool {
        let is_near = self.stretch.sampled * (first / result) < self.reach;
        is_near & (result > 0.0) & (first >= 0.0)
    }

    /// The same of many windows, of which `found` has the last samples.
    pub(super) fn differences<'v>(
        &self,
        firsts: impl Iterator<Item = &'v f64> + Clone,
        found: &mut [f64],
    ) {
        let ends = found.iter().zip(firsts.clone());
        let cut = ends.fold(false, |any, (last, first)| {
            any | self.is_cut(last - first, *first)
        });
        for (found, first) in found.iter_mut().zip(firsts) {
            let result = *found - first;
            *found = match cut {
                true => self.of(result, *first),
                false => result * self.plain,
            };
        }
    }
}

/// By what a difference is multiplied to stand for the whole range between `borders`.
///
/// `start` is when the counter began, if that is inside of the range; `zero` is the first value as
/// a part of the result, which tells when a counter that rises evenly was at zero.
pub(super) fn factor(
    borders: (i64, i64),
    times: &[i64],
    start: Option<i64>,
    zero: Option<f64>,
    kind: Kind,
) -> f64 {
    let stretch = Stretch::of(Place::of(times, borders), kind);
    let last = times[times.len() - 1];
    match start {
        Some(start) => stretch.begun(last - start).factor(),
        None => stretch.cut(zero).factor(),
    }
}

/// The first value as a part of the result, where that tells anything.
pub(super) fn zero_part(result: f64, first: f64) -> Option<f64> {
    (result > 0.0 && first >= 0.0).then(|| first / result)
}
