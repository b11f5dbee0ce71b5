//! What all clients of a run share: whether the server is there and where, how far the run is, and
//! which answers are taken for what they are.
//!
//! A server that was killed breaks connections and, until it has recovered, answers 503. Both are
//! right then and a fault at any other time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::process::Doors;
use crate::compare::http::Connection;

/// Faults that are told one by one.
const FAULTS_MAX: usize = 20;

/// How long a client waits before it asks a server again that is not there or has said no.
const REST: Duration = Duration::from_millis(2);

/// The door that a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Prometheus,
    Loki,
}

/// What limits the server has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// Those of everyday: every request is answered with 2xx.
    Wide,
    /// So low that pushes run into them: 429 is an answer as well.
    Low,
}

/// What became of a request in the end.
pub(super) enum Reply {
    /// 2xx, with the body and how long the last attempt took.
    Good(String, Duration),
    /// 429: a limit is reached.
    Limited,
}

/// The run as its clients see it.
pub(super) struct Stage {
    limits: Limits,
    doors: Mutex<Option<Doors>>,
    /// Odd while the server is away: each kill and each new life adds one.
    turns: AtomicU64,
    /// The newest turn in which the server has recovered everything.
    ready: AtomicU64,
    is_ending: AtomicBool,
    has_failed: AtomicBool,
    /// Pushes that were answered, of all writers.
    pushes: AtomicU64,
    statuses: Mutex<BTreeMap<(&'static str, u16), u64>>,
    faults: Mutex<Vec<String>>,
}

impl Stage {
    /// A run whose server is still away.
    pub(super) fn new(limits: Limits) -> Stage {
        Stage {
            limits,
            doors: Mutex::default(),
            turns: AtomicU64::new(1),
            ready: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            pushes: AtomicU64::new(0),
            statuses: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// The server is there. To be called in turns with [`Stage::close`].
    pub(super) fn open(&self, doors: Doors) {
        *self.doors.lock().unwrap_or_else(PoisonError::into_inner) = Some(doors);
        self.turns.fetch_add(1, Ordering::SeqCst);
    }

    /// The server says that it has recovered: from now on a 503 is a fault.
    pub(super) fn recovered(&self) {
        self.ready.store(self.turns(), Ordering::SeqCst);
    }

    /// The server goes away: to be called before it is killed.
    pub(super) fn close(&self) {
        self.turns.fetch_add(1, Ordering::SeqCst);
    }

    /// Clients end after what they have begun.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
    }

    /// Whether clients shall begin nothing more.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst) || self.has_failed()
    }

    /// Whether the run is lost, so that nobody need wait for anything.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// Pushes that were answered so far.
    pub(super) fn pushes(&self) -> u64 {
        self.pushes.load(Ordering::Relaxed)
    }

    /// Notes what should not have happened, and ends the run.
    pub(super) fn fault(&self, what: String) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < FAULTS_MAX {
            faults.push(what);
        }
        self.has_failed.store(true, Ordering::SeqCst);
    }

    /// What should not have happened.
    pub(super) fn faults(&self) -> Vec<String> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.clone()
    }

    /// How often each sort of request got each status.
    pub(super) fn statuses(&self) -> BTreeMap<(&'static str, u16), u64> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses.clone()
    }

    fn count(&self, what: &'static str, status: u16) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        *statuses.entry((what, status)).or_default() += 1;
    }

    fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    /// Waits until the server is there.
    fn await_open(&self) -> Option<(u64, Doors)> {
        while !self.has_failed() {
            let turns = self.turns();
            let doors = *self.doors.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(doors) = doors.filter(|_| turns.is_multiple_of(2)) {
                return Some((turns, doors));
            }
            sleep(REST);
        }
        None
    }
}

/// One connection to one door, opened again after each kill.
pub(super) struct Client<'a> {
    stage: &'a Stage,
    door: Door,
    connection: Option<(u64, Connection)>,
    /// Attempts that a kill broke off or that met a server which was still recovering.
    pub(super) repeated: u64,
}

impl<'a> Client<'a> {
    /// A client that has not connected yet.
    pub(super) fn new(stage: &'a Stage, door: Door) -> Client<'a> {
        Client {
            stage,
            door,
            connection: None,
            repeated: 0,
        }
    }

    /// Asks until there is an answer. `None` if the run has failed: the fault is noted.
    pub(super) fn ask(&mut self, what: &'static str, request: &Request<'_>) -> Option<Reply> {
        loop {
            let (turns, doors) = self.stage.await_open()?;
            let is_ready = self.stage.ready.load(Ordering::SeqCst) == turns;
            let sent = Instant::now();
            let answer = self.connected(turns, doors).and_then(|connection| {
                connection.send(
                    request.method,
                    &request.path,
                    request.headers,
                    &request.body,
                )
            });
            let took = sent.elapsed();
            match answer {
                Ok(answer) => {
                    self.stage.count(what, answer.status);
                    match answer.status {
                        200..300 => return Some(Reply::Good(answer.body, took)),
                        429 if self.stage.limits == Limits::Low => return Some(Reply::Limited),
                        // It does not read what it has no use for, and closes.
                        503 if !is_ready => self.connection = None,
                        status => {
                            let told = answer.body.trim();
                            self.stage
                                .fault(format!("{what} is answered {status}: {told}"));
                            return None;
                        }
                    }
                }
                Err(error) => {
                    self.connection = None;
                    if is_ready && self.stage.turns() == turns {
                        self.stage.fault(format!("{what} gets no answer: {error}"));
                        return None;
                    }
                }
            }
            self.repeated += 1;
            sleep(REST);
        }
    }

    /// Asks for a push to be stored, and counts it.
    pub(super) fn push(&mut self, what: &'static str, request: &Request<'_>) -> Option<Reply> {
        let reply = self.ask(what, request)?;
        self.stage.pushes.fetch_add(1, Ordering::Relaxed);
        Some(reply)
    }

    fn connected(&mut self, turns: u64, doors: Doors) -> std::io::Result<&mut Connection> {
        if !matches!(&self.connection, Some((known, _)) if *known == turns) {
            let address = match self.door {
                Door::Prometheus => doors.prometheus,
                Door::Loki => doors.loki,
            };
            self.connection = Some((turns, Connection::open(address.port())?));
        }
        match &mut self.connection {
            Some((_, connection)) => Ok(connection),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A request that can be sent again as it is.
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: &'a str,
    pub(super) body: Vec<u8>,
}

impl Request<'static> {
    /// A question.
    pub(super) fn asking(path: String) -> Request<'static> {
        Request {
            method: "GET",
            path,
            headers: "",
            body: Vec::new(),
        }
    }
}
