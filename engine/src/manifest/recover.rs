//! From the files of a manifest folder to the version that they add up to, and what is wrong with
//! them.
//!
//! Reads from the newest file down to the newest whole checkpoint, then applies upwards; what lies
//! below that checkpoint is never looked at. Writes nothing.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::io::Fs;

use super::file::{FILE_BYTES_MAX, Form, Record, decode};
use super::version::Version;

const FILE_ENDING: &str = ".man";
const ASIDE_ENDING: &str = ".damaged";
const NUMBER_DIGITS: usize = 20;

/// What the files add up to.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) version: Version,
    /// The numbers of all files, in order.
    pub(crate) numbers: Vec<u64>,
    /// The files that the version was made from, in order.
    pub(crate) chain: Vec<u64>,
    /// Files that were committed and cannot be applied: they are set aside before they are
    /// superseded.
    pub(crate) broken: Vec<u64>,
    /// What is wrong, for people.
    pub(crate) damage: Vec<Error>,
    pub(crate) tail: Tail,
}

/// How the newest files look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tail {
    #[default]
    Whole,
    /// The newest files have no whole copy: torn by a crash, unless they were damaged later.
    Unreadable,
}

pub(crate) fn file_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}{FILE_ENDING}"))
}

pub(crate) fn aside_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}{ASIDE_ENDING}"))
}

/// The number that a file name bears with this ending; other names are none of ours.
fn number_of(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    let plain = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// The numbers of the manifest files in `dir`, in order.
pub(crate) fn numbers(fs: &dyn Fs, dir: &Path) -> Result<Vec<u64>> {
    let names = list(fs, dir)?;
    Ok(names
        .iter()
        .filter_map(|name| number_of(name, FILE_ENDING))
        .collect())
}

/// The second names of damaged files.
pub(crate) fn set_aside(fs: &dyn Fs, dir: &Path) -> Result<Vec<PathBuf>> {
    let names = list(fs, dir)?.into_iter();
    let is_aside = |name: &String| number_of(name, ASIDE_ENDING).is_some();
    Ok(names.filter(is_aside).map(|name| dir.join(name)).collect())
}

/// Files in `dir` that are no manifest files, damaged ones or not.
pub(crate) fn strangers(fs: &dyn Fs, dir: &Path) -> Result<Vec<PathBuf>> {
    let is_ours = |name: &String| {
        number_of(name, FILE_ENDING).is_some() || number_of(name, ASIDE_ENDING).is_some()
    };
    let names = list(fs, dir)?.into_iter();
    Ok(names
        .filter(|name| !is_ours(name))
        .map(|name| dir.join(name))
        .collect())
}

fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>> {
    match fs.list(dir) {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io(error, "listing the manifest", dir)),
    }
}

/// Reads a folder; one that does not exist holds nothing.
///
/// Fails where a file cannot be read, is of a later format, or where no checkpoint is whole. An
/// error of the kind `Io` may mean that a writer removed a file meanwhile.
pub(crate) fn recover(fs: &dyn Fs, dir: &Path) -> Result<Recovered> {
    let names = list(fs, dir)?;
    let mut recovered = Recovered {
        numbers: names
            .iter()
            .filter_map(|name| number_of(name, FILE_ENDING))
            .collect(),
        ..Recovered::default()
    };
    for number in names
        .iter()
        .filter_map(|name| number_of(name, ASIDE_ENDING))
    {
        let error =
            Error::corrupt("a damaged manifest was set aside: blocks that it named are kept");
        recovered
            .damage
            .push(error.at_path(&aside_path(dir, number)));
    }
    let mut chain = Vec::new();
    for number in recovered.numbers.iter().rev() {
        let outcome = read(fs, dir, *number)?;
        let is_checkpoint = outcome
            .as_ref()
            .is_ok_and(|record| record.form == Form::Checkpoint);
        chain.push((*number, outcome));
        if is_checkpoint {
            chain.reverse();
            return apply(recovered, dir, chain);
        }
    }
    chain.reverse();
    match chain.into_iter().next() {
        None => Ok(recovered),
        // The first file is a checkpoint of nothing, so whether it was finished makes no
        // difference.
        Some((1, Err(_))) if recovered.numbers.len() == 1 => {
            recovered.tail = Tail::Unreadable;
            Ok(recovered)
        }
        Some((number, outcome)) => {
            let cause = match outcome {
                Err(error) => error,
                Ok(_) => Error::corrupt("the checkpoint that this file builds on is missing"),
            };
            Err(cause
                .context("no checkpoint is whole")
                .at_path(&file_path(dir, number)))
        }
    }
}

/// Reads one file: the outer error is the disk's or a later format, the inner one says what is
/// damaged.
fn read(fs: &dyn Fs, dir: &Path, number: u64) -> Result<Result<Record>> {
    let path = file_path(dir, number);
    let bytes = match read_bytes(fs, &path) {
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Err(error)),
        outcome => outcome?,
    };
    match decode(number, &bytes) {
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.at_path(&path)),
        outcome => Ok(outcome),
    }
}

/// The bytes of a file; one that is too long to be a manifest is corrupt.
pub(crate) fn read_bytes(fs: &dyn Fs, path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io(error, "reading the manifest", path);
    let file = fs.open_read(path).map_err(failed)?;
    let length = usize::try_from(file.length().map_err(failed)?).unwrap_or(usize::MAX);
    if length > FILE_BYTES_MAX {
        let text = format!("{length} bytes are too many for a manifest");
        return Err(Error::corrupt(text).at_path(path));
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    Ok(bytes)
}

/// Applies a chain that begins with a whole checkpoint, as far as it holds.
fn apply(
    mut recovered: Recovered,
    dir: &Path,
    chain: Vec<(u64, Result<Record>)>,
) -> Result<Recovered> {
    let whole = chain.iter().rposition(|(_, outcome)| outcome.is_ok());
    let whole = whole.expect("the chain begins with a whole checkpoint");
    if whole + 1 < chain.len() {
        recovered.tail = Tail::Unreadable;
    }
    for (number, outcome) in chain.into_iter().take(whole + 1) {
        if !recovered.broken.is_empty() {
            // What builds on a broken file cannot be applied either.
            recovered.broken.push(number);
            continue;
        }
        let next = outcome.and_then(|record| step(&recovered.version, &record));
        match next {
            Ok(version) => {
                recovered.version = version;
                recovered.chain.push(number);
            }
            Err(error) => {
                recovered.broken.push(number);
                let error = error.context("a committed change is lost");
                recovered
                    .damage
                    .push(error.at_path(&file_path(dir, number)));
            }
        }
    }
    Ok(recovered)
}

fn step(version: &Version, record: &Record) -> Result<Version> {
    let empty = Version::default();
    let before = match record.form {
        Form::Checkpoint => &empty,
        Form::Delta { base } if base == version.sequence => version,
        Form::Delta { base } => {
            return Err(Error::corrupt(format!(
                "it builds on file {base}, which is missing"
            )));
        }
    };
    // A sound file with a change that makes no sense was written wrongly: still damage to its
    // reader.
    let refused = |error: Error| Error::corrupt(error.to_string());
    let mut next = before.apply(&record.change).map_err(refused)?;
    next.sequence = record.number;
    Ok(next)
}
