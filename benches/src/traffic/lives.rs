//! The lives of the server during a run: it is killed at random moments, and starts again.

use std::thread::sleep;
use std::time::Duration;

use super::process::{Life, Program};
use super::report::Report;
use super::stage::Stage;
use crate::fleet::mix;

/// How often it is looked whether a moment has come.
const LOOK: Duration = Duration::from_millis(1);

/// Kills behind each of which one strikes the next life while it opens its directory.
const EARLY_EVERY: u64 = 3;

/// How long such a life has, at most.
const EARLY_MAX: Duration = Duration::from_millis(40);

/// Pushes that must have been answered between two kills.
const PUSHES_BETWEEN: u64 = 4;

/// The server through all of its lives.
pub(super) struct Lives {
    program: Program,
    life: Life,
    seed: u64,
    drawn: u64,
    kills: u64,
    early_kills: u64,
    ready: Vec<Duration>,
    peak_bytes: u64,
    /// Core time of lives that are over.
    spent: Duration,
}

impl Lives {
    /// Starts the server and opens the stage when it is ready.
    pub(super) fn begin(program: Program, seed: u64, stage: &Stage) -> Result<Lives, String> {
        let mut life = Life::start(&program, None)?;
        life.await_ready()?;
        stage.open(life.doors());
        stage.recovered();
        Ok(Lives {
            program,
            life,
            seed,
            drawn: 0,
            kills: 0,
            early_kills: 0,
            ready: Vec::new(),
            peak_bytes: 0,
            spent: Duration::ZERO,
        })
    }

    /// Waits until the run is over, and kills the server so many times before.
    pub(super) fn strike(&mut self, stage: &Stage, kills: u64, progress: impl Fn() -> f64) {
        let mut moments: Vec<f64> = (0..kills).map(|_| self.draw()).collect();
        moments.sort_by(f64::total_cmp);
        for moment in moments {
            let pushes = stage.pushes() + PUSHES_BETWEEN;
            self.await_moment(stage, || {
                progress() >= moment && (stage.pushes() >= pushes || progress() >= 1.0)
            });
            if stage.has_failed() {
                return;
            }
            self.kill(stage);
            self.kills += 1;
        }
        self.await_moment(stage, || progress() >= 1.0);
    }

    fn await_moment(&mut self, stage: &Stage, has_come: impl Fn() -> bool) {
        while !stage.has_failed() && !has_come() {
            if self.life.has_ended() {
                stage.fault("the server ended by itself".to_owned());
            }
            sleep(LOOK);
        }
    }

    /// Kills the server and starts it again where it was.
    pub(super) fn kill(&mut self, stage: &Stage) {
        self.note(stage);
        self.spent += self.life.cpu();
        stage.close();
        self.life.kill();
        let next = self.next_life();
        match next {
            Ok(life) => self.life = life,
            Err(error) => return stage.fault(error),
        }
        stage.open(self.life.doors());
        match self.life.await_ready() {
            Ok(took) => {
                stage.recovered();
                self.ready.push(took);
            }
            Err(error) => stage.fault(error),
        }
    }

    fn next_life(&mut self) -> Result<Life, String> {
        if self.kills % EARLY_EVERY == EARLY_EVERY - 1 {
            let after = EARLY_MAX.mul_f64(self.draw());
            Life::start_and_kill(&self.program, after)?;
            self.early_kills += 1;
        }
        Life::start(&self.program, Some(self.life.doors()))
    }

    /// A number from 0 up to 1.
    fn draw(&mut self) -> f64 {
        self.drawn += 1;
        (mix(self.drawn, self.seed) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Takes note of this life: its memory, and what its journal complains of.
    pub(super) fn note(&mut self, stage: &Stage) {
        self.peak_bytes = self.peak_bytes.max(self.life.peak_bytes());
        for line in self.life.complaints() {
            stage.fault(format!("the journal says: {line}"));
        }
    }

    /// The most memory of any life so far.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// Core time of all lives so far.
    pub(super) fn cpu(&self) -> Duration {
        self.spent + self.life.cpu()
    }

    /// Tells what there is to tell, when everything has been asked back.
    pub(super) fn finish(mut self, stage: &Stage, report: &mut Report) {
        self.note(stage);
        report.peak_bytes = report.peak_bytes.max(self.peak_bytes);
        report.kills = self.kills;
        report.early_kills = self.early_kills;
        report.ready = std::mem::take(&mut self.ready);
    }
}
