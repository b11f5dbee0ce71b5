//! Calls of functions that do not slide over ranges.

use chronolith_engine::labels::LabelSet;

use crate::promql::dates;
use crate::promql::error::Result;
use crate::promql::eval::column::{Column, Sample, Series};
use crate::promql::eval::select::Want;
use crate::promql::eval::windows::{Slider, absent_labels};
use crate::promql::eval::{Evaluator, Value, keep_in};
use crate::promql::functions::{maths, order};
use crate::promql::histogram::Histogram;
use crate::promql::plan::{CallNode, Grid, Node, NodeKind};
use crate::promql::signatures::ValueType;
use crate::text::Span;

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &CallNode, span: Span, grid: Grid) -> Result<Value> {
        let (name, args) = (call.function.name, call.args.as_slice());
        if let Some(values) = self.scalar_call(name, args, grid)? {
            return Ok(Value::Scalar(values));
        }
        if let Some(function) = maths::function(name) {
            return self.map_floats(&args[0], grid, |_, value| function(value));
        }
        if let Some(function) = dates::part_of_date(name) {
            return self.date(args, function, grid);
        }
        let series = match name {
            "absent" => self.absent(&args[0], grid)?,
            "absent_over_time" => self.absent_over_time(&args[0], grid)?,
            "vector" => {
                let column = Column::of_floats(self.scalar(&args[0], grid)?);
                vec![Series {
                    labels: LabelSet::default(),
                    drops_name: false,
                    column,
                }]
            }
            "clamp" | "clamp_min" | "clamp_max" | "round" => {
                return self.with_params(name, args, grid);
            }
            "timestamp" => self.timestamps(&args[0], Want::Time, grid)?,
            "start_timestamp" => self.timestamps(&args[0], Want::Start, grid)?,
            "histogram_count" => self.of_histograms(&args[0], grid, |h| h.count)?,
            "histogram_sum" => self.of_histograms(&args[0], grid, |h| h.sum)?,
            "histogram_avg" => self.of_histograms(&args[0], grid, |h| h.sum / h.count)?,
            "histogram_stdvar" => self.of_histograms(&args[0], grid, Histogram::variance)?,
            "histogram_stddev" => self.of_histograms(&args[0], grid, |h| h.variance().sqrt())?,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                self.classic_call(name, args, grid)?
            }
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
                self.sort(name, args, span, grid)?
            }
            "label_replace" => self.label_replace(args, grid)?,
            "label_join" => self.label_join(args, grid)?,
            "info" => self.enrich(args, grid)?,
            _ => {
                let is_range = |kind: &ValueType| *kind == ValueType::Matrix;
                let index = call.function.args.iter().position(is_range);
                self.range_call(call, index.unwrap_or(0), grid)?
            }
        };
        Ok(Value::Vector(series))
    }

    /// Functions that give a scalar.
    #[expect(clippy::cast_precision_loss)] // Times are far below 2^53.
    fn scalar_call(&self, name: &str, args: &[Node], grid: Grid) -> Result<Option<Vec<f64>>> {
        let constant = |value: f64| Ok(Some(vec![value; grid.count]));
        let seconds = |ms: i64| ms as f64 / 1000.0;
        match name {
            "pi" => constant(std::f64::consts::PI),
            "time" => Ok(Some(grid.times().map(seconds).collect())),
            "start" => constant(seconds(self.frame.start)),
            "end" => constant(seconds(self.frame.end)),
            "step" => constant(seconds(self.frame.step)),
            "range" => constant(seconds(self.frame.end - self.frame.start)),
            "max_of" | "min_of" => {
                let (left, right) = (self.scalar(&args[0], grid)?, self.scalar(&args[1], grid)?);
                let pairs = left.into_iter().zip(right);
                let choose = |(left, right): (f64, f64)| match name {
                    "max_of" => maths::max(left, right),
                    _ => maths::min(left, right),
                };
                Ok(Some(pairs.map(choose).collect()))
            }
            "scalar" => {
                let series = self.vector(&args[0], grid)?;
                let value = |step: usize| {
                    let mut floats = series.iter().filter_map(|series| series.column.float(step));
                    match (floats.next(), floats.next()) {
                        (Some(value), None) => value,
                        _ => f64::NAN,
                    }
                };
                Ok(Some((0..grid.count).map(value).collect()))
            }
            _ => Ok(None),
        }
    }

    /// Replaces each float; histograms go.
    fn map_floats(
        &self,
        arg: &Node,
        grid: Grid,
        function: impl Fn(usize, f64) -> f64,
    ) -> Result<Value> {
        let series = self.vector(arg, grid)?;
        self.mapped(series, grid, function)
    }

    fn mapped(
        &self,
        mut series: Vec<Series>,
        grid: Grid,
        function: impl Fn(usize, f64) -> f64,
    ) -> Result<Value> {
        for series in &mut series {
            self.guard.check()?;
            for step in 0..grid.count {
                match series.column.float(step) {
                    Some(value) => series.column.set_float(step, function(step, value)),
                    None => series.column.clear(step),
                }
            }
            self.drop_name(series);
        }
        Ok(Value::Vector(self.settle(series)?))
    }

    /// A number of each histogram; floats go.
    fn of_histograms(
        &self,
        arg: &Node,
        grid: Grid,
        number: impl Fn(&Histogram) -> f64,
    ) -> Result<Vec<Series>> {
        let mut series = self.vector(arg, grid)?;
        for series in &mut series {
            series
                .column
                .map(|_| None, |histogram| Some(Sample::Float(number(histogram))));
            self.drop_name(series);
        }
        self.settle(series)
    }

    fn with_params(&self, name: &str, args: &[Node], grid: Grid) -> Result<Value> {
        let mut params = Vec::with_capacity(2);
        for arg in &args[1..] {
            params.push(self.scalar(arg, grid)?);
        }
        let param = |index: usize, step: usize| params.get(index).map(|values| values[step]);
        let mut series = self.vector(&args[0], grid)?;
        if name == "clamp" {
            // Between bounds that are the wrong way round there is nothing, not even a collision.
            for step in (0..grid.count).filter(|step| param(1, *step) < param(0, *step)) {
                series
                    .iter_mut()
                    .for_each(|series| series.column.clear(step));
            }
        }
        self.mapped(series, grid, |step, value| match (name, param(0, step)) {
            ("clamp", Some(low)) => maths::clamp(value, low, param(1, step).unwrap_or(f64::NAN)),
            ("clamp_min", Some(low)) => maths::clamp(value, low, f64::INFINITY),
            ("clamp_max", Some(high)) => maths::clamp(value, f64::NEG_INFINITY, high),
            (_, nearest) => maths::round(value, nearest.unwrap_or(1.0)),
        })
    }

    fn date(&self, args: &[Node], function: fn(i128) -> f64, grid: Grid) -> Result<Value> {
        let Some(arg) = args.first() else {
            let values = grid
                .times()
                .map(|time| function(i128::from(time.div_euclid(1000))));
            return Ok(Value::Vector(vec![Series {
                labels: LabelSet::default(),
                drops_name: false,
                column: Column::of_floats(values.collect()),
            }]));
        };
        self.map_floats(arg, grid, |_, value| function(dates::whole_seconds(value)))
    }

    /// When samples were taken: of a selector the samples' own times, else those of the steps.
    #[expect(clippy::cast_precision_loss)] // Times are far below 2^53.
    fn timestamps(&self, arg: &Node, want: Want, grid: Grid) -> Result<Vec<Series>> {
        let mut series = match &arg.kind {
            NodeKind::Selector(selection) => {
                let mut found = Vec::new();
                self.newest(selection, grid, want, keep_in(&mut found))?;
                found
            }
            // What was calculated has no beginning.
            _ if want == Want::Start => Vec::new(),
            _ => {
                let mut series = self.vector(arg, grid)?;
                for series in &mut series {
                    for (step, time) in grid.times().enumerate() {
                        if series.column.has(step) {
                            series.column.clear(step);
                            series.column.set_float(step, time as f64 / 1000.0);
                        }
                    }
                }
                series
            }
        };
        for series in &mut series {
            self.drop_name(series);
        }
        self.settle(series)
    }

    fn absent(&self, arg: &Node, grid: Grid) -> Result<Vec<Series>> {
        let series = self.vector(arg, grid)?;
        let present = super::binary::presence(&series, grid.count);
        Ok(absent_series(arg, &present))
    }

    fn absent_over_time(&self, arg: &Node, grid: Grid) -> Result<Vec<Series>> {
        let ranged = self.ranged(arg, grid)?;
        let mut present = vec![false; grid.count];
        for series in &ranged.series {
            let mut sliders = (Slider::default(), Slider::default());
            for (step, time) in grid.times().enumerate() {
                let end = ranged.selection.reference(time);
                let start = end.saturating_sub(ranged.range);
                let floats = sliders.0.part(&series.floats, start, end);
                let histograms = sliders.1.part(&series.histograms, start, end);
                present[step] |= !floats.is_empty() || !histograms.is_empty();
            }
        }
        let mut series = absent_series(arg, &present);
        series.iter_mut().for_each(|series| self.drop_name(series));
        Ok(series)
    }

    fn sort(&self, name: &str, args: &[Node], span: Span, grid: Grid) -> Result<Vec<Series>> {
        let mut series = self.vector(&args[0], grid)?;
        let descending = name.ends_with("_desc");
        if !name.starts_with("sort_by_label") {
            for series in &mut series {
                series.column.map(Some, |_| None);
            }
            series.retain(|series| !series.column.is_absent());
        }
        if self.frame.step != 0 {
            self.notes.sort_is_ineffective(span);
        }
        if self.frame.step != 0 || grid.count != 1 {
            return Ok(series);
        }
        if name.starts_with("sort_by_label") {
            let mut labels = Vec::with_capacity(args.len());
            for arg in &args[1..] {
                labels.push(self.text(arg)?.value.as_str());
            }
            series.sort_by(|one, two| {
                let (one, two) = (one.labels.as_labels(), two.labels.as_labels());
                let order = order::by_labels(one, two, &labels);
                if descending { order.reverse() } else { order }
            });
            return Ok(series);
        }
        series.sort_by(|one, two| {
            let value = |series: &Series| series.column.float(0).unwrap_or(f64::NAN);
            order::by_value(value(one), value(two), descending)
        });
        Ok(series)
    }
}

fn absent_series(arg: &Node, present: &[bool]) -> Vec<Series> {
    let mut column = Column::absent(present.len());
    for (step, present) in present.iter().enumerate() {
        if !present {
            column.set_float(step, 1.0);
        }
    }
    if column.is_absent() {
        return Vec::new();
    }
    vec![Series {
        labels: absent_labels(arg),
        drops_name: false,
        column,
    }]
}
