//! Writers and readers at a server at once, through HTTP, while it is killed at random moments.
//!
//! Writers push samples and lines and note what was acknowledged; readers ask what dashboards ask,
//! and for the newest acknowledged entry, which must be there. In the end everything is asked back.

mod check;
mod data;
mod lives;
mod process;
mod reader;
mod report;
mod stage;
mod writer;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use check::Compared;
pub use process::built_beside;
pub use report::Report;
pub use stage::Limits;

use data::Data;
use lives::Lives;
use process::Program;
use reader::Read;
use stage::Stage;
use writer::{Newest, Written};

/// Bounds that the server is given: so small that it freezes, merges and lets go of its log all
/// the time.
const HEAD_BYTES: u64 = 64 << 20;
const LOG_BYTES: u64 = 64 << 20;

/// Series that a server with low limits takes, as a part of those that are sent to it.
const LOW_LIMIT_PARTS: usize = 2;

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// By the clock.
    Lasting(Duration),
    /// By pushes of each sort and writer: the same work each time.
    Pushes(u64),
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The server's program.
    pub program: PathBuf,
    /// Its data directory, which must not exist.
    pub data: PathBuf,
    /// How long it goes on.
    pub length: Length,
    /// Clients that write.
    pub writers: usize,
    /// Clients that read.
    pub readers: usize,
    /// How often the server is killed meanwhile.
    pub kills: u64,
    /// Series in a push of samples.
    pub series: usize,
    /// Lines in a push of lines.
    pub lines: usize,
    /// How long a writer rests behind each pair of pushes.
    pub writer_pause: Duration,
    /// How long a reader rests behind each panel.
    pub reader_pause: Duration,
    /// What the server allows.
    pub limits: Limits,
    /// Moments of kills follow from it.
    pub seed: u64,
    /// Memory that the server is told that it may take, and must do with.
    pub memory_bytes_max: u64,
    /// Further flags of the server.
    pub flags: Vec<String>,
}

impl Traffic {
    /// Four writers and eight readers without rest, for five minutes.
    pub fn new(program: PathBuf, data: PathBuf) -> Traffic {
        Traffic {
            program,
            data,
            length: Length::Lasting(Duration::from_secs(300)),
            writers: 4,
            readers: 8,
            kills: 0,
            series: 500,
            lines: 100,
            writer_pause: Duration::ZERO,
            reader_pause: Duration::ZERO,
            limits: Limits::Wide,
            seed: 1,
            memory_bytes_max: 512 << 20,
            flags: Vec::new(),
        }
    }

    fn program(&self) -> Program {
        let mut flags = vec![
            format!("--store-head-bytes-max={HEAD_BYTES}"),
            format!("--store-wal-bytes-max={LOG_BYTES}"),
            // Whatever else takes memory follows from this.
            format!("--memory-max={}", self.memory_bytes_max),
        ];
        if self.limits == Limits::Low {
            let series = self.writers * self.series / LOW_LIMIT_PARTS;
            flags.push(format!("--store-series-max={series}"));
        }
        flags.extend(self.flags.iter().cloned());
        Program {
            path: self.program.clone(),
            data: self.data.clone(),
            flags,
        }
    }

    /// How much of the run is done, from 0 to 1.
    fn progress(&self, begun: Instant, stage: &Stage) -> f64 {
        match self.length {
            Length::Lasting(length) => begun.elapsed().as_secs_f64() / length.as_secs_f64(),
            Length::Pushes(pushes) => {
                stage.pushes() as f64 / (pushes * 2 * self.writers as u64) as f64
            }
        }
    }

    fn pushes_max(&self) -> u64 {
        match self.length {
            Length::Lasting(_) => u64::MAX,
            Length::Pushes(pushes) => pushes,
        }
    }

    /// Runs it all.
    ///
    /// Fails if it cannot begin. What goes wrong later is in the report.
    pub fn run(&self) -> Result<Report, Box<dyn std::error::Error>> {
        if self.writers == 0 || self.series == 0 || self.lines == 0 {
            return Err("there must be a writer, a series and a line".into());
        }
        let stage = Stage::new(self.limits);
        let mut writers = Vec::with_capacity(self.writers);
        for number in 0..self.writers {
            let data = Data::new(number, self.series, self.lines)?;
            writers.push((data, Newest::default()));
        }
        let mut lives = Lives::begin(self.program(), self.seed, &stage)?;
        let begun = Instant::now();
        let (written, read) = self.work(&stage, &writers, &mut lives, begun);
        let wall = begun.elapsed();
        if self.kills > 0 && !stage.has_failed() {
            // What is asked back comes from a server that had to recover it.
            lives.kill(&stage);
        }
        lives.note(&stage);
        let mut report = Report {
            wall,
            memory_bytes_max: self.memory_bytes_max,
            peak_bytes: lives.peak_bytes(),
            cpu: lives.cpu(),
            ..Report::default()
        };
        for ((data, _), written) in writers.iter().zip(&written) {
            if let Some(compared) = check::check(&stage, data, written) {
                report.compared.add(compared);
            }
        }
        self.fill(&mut report, written, read);
        lives.finish(&stage, &mut report);
        report.statuses = stage.statuses();
        report.faults = stage.faults();
        if report.peak_bytes > report.memory_bytes_max {
            let fault = format!("memory: {} bytes are too many", report.peak_bytes);
            report.faults.push(fault);
        }
        Ok(report)
    }

    /// All clients at once, and the kills meanwhile.
    fn work(
        &self,
        stage: &Stage,
        clients: &[(Data, Newest)],
        lives: &mut Lives,
        begun: Instant,
    ) -> (Vec<Written>, Vec<Read>) {
        std::thread::scope(|scope| {
            let writers: Vec<_> = clients
                .iter()
                .map(|(data, newest)| {
                    let (max, pause) = (self.pushes_max(), self.writer_pause);
                    scope.spawn(move || writer::write(stage, data, newest, max, pause))
                })
                .collect();
            let readers: Vec<_> = (0..self.readers)
                .map(|number| {
                    let first = number * reader::PANELS_COUNT / self.readers;
                    let pause = self.reader_pause;
                    scope.spawn(move || reader::read(stage, clients, first, pause))
                })
                .collect();
            lives.strike(stage, self.kills, || self.progress(begun, stage));
            stage.end();
            let written = writers.into_iter().map(|writer| writer.join());
            let written = written.map(Result::unwrap_or_default).collect();
            let read = readers.into_iter().map(|reader| reader.join());
            (written, read.map(Result::unwrap_or_default).collect())
        })
    }

    fn fill(&self, report: &mut Report, written: Vec<Written>, read: Vec<Read>) {
        for written in written {
            report.repeated += written.repeated;
            let took = [
                (writer::PUSH_SAMPLES, written.samples_took),
                (writer::PUSH_LINES, written.lines_took),
            ];
            for (what, took) in took {
                report.took.entry(what).or_default().extend(took);
            }
        }
        for read in read {
            report.confirmed += read.confirmed;
            for (panel, took) in read.took {
                report.took.entry(panel).or_default().push(took);
                report.took.entry("all panels").or_default().push(took);
            }
        }
    }
}
