//! Writes a block: chunks as samples come, then the index, then `meta.json`, then the name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chronolith_engine::labels::Labels;
use chronolith_engine::metrics::{Histogram, SampleColumn, SampleRun};

use super::super::fault::{Fault, Result};
use super::index::ChunkRef;
use super::index_writer::{self, IndexedSeries};
use super::meta::Meta;
use super::segments::{MAGIC, VERSION};
use super::tombstones;
use crate::wire::bytes::{crc32c, put_uvarint};
use crate::wire::chunks::{SAMPLES_MAX, chunk, histogram, xor};

/// Bytes of one file of chunks.
const SEGMENT_BYTES_MAX: u64 = 512 << 20;

/// A block that is being written. Until it is finished its folder has a name that Prometheus
/// removes when it starts.
pub(crate) struct BlockWriter {
    folder: PathBuf,
    unfinished: PathBuf,
    meta: Meta,
    segment: Option<(BufWriter<File>, u64)>,
    segments: u64,
    series: Vec<IndexedSeries>,
}

impl BlockWriter {
    /// Begins a block of this name.
    pub(crate) fn create(directory: &Path, ulid: String) -> Result<BlockWriter> {
        let unfinished = directory.join(format!("{ulid}.tmp-for-creation"));
        let chunks = unfinished.join("chunks");
        std::fs::create_dir_all(&chunks)
            .map_err(|error| Fault::io("cannot make", &chunks, &error))?;
        Ok(BlockWriter {
            folder: directory.join(&ulid),
            unfinished,
            meta: Meta {
                ulid,
                min_time: i64::MAX,
                max_time: i64::MIN,
                ..Meta::default()
            },
            segment: None,
            segments: 0,
            series: Vec::new(),
        })
    }

    /// Whether nothing has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub(crate) fn samples(&self) -> u64 {
        self.meta.samples
    }

    /// Adds a series, behind all others in label order, with its samples in time order.
    pub(crate) fn add(&mut self, labels: Labels<'_>, runs: &[SampleRun]) -> Result<()> {
        let mut chunks = Vec::new();
        for run in runs {
            match run.values() {
                SampleColumn::Floats(values) => self.floats(run.times(), values, &mut chunks)?,
                SampleColumn::Histograms(values) => {
                    self.histograms(run.times(), values, &mut chunks)?;
                }
            }
        }
        let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else {
            return Ok(());
        };
        self.meta.min_time = self.meta.min_time.min(first.min_time);
        self.meta.max_time = self.meta.max_time.max(last.max_time + 1);
        self.meta.chunks += chunks.len() as u64;
        self.series.push(IndexedSeries {
            labels: labels.to_set(),
            chunks,
        });
        Ok(())
    }

    fn floats(&mut self, times: &[i64], values: &[f64], out: &mut Vec<ChunkRef>) -> Result<()> {
        let parts = times.chunks(SAMPLES_MAX).zip(values.chunks(SAMPLES_MAX));
        for (times, values) in parts {
            let bytes = xor::encode(times, values);
            out.push(self.chunk(times, chunk::XOR, &bytes)?);
        }
        Ok(())
    }

    fn histograms(
        &mut self,
        times: &[i64],
        values: &[Arc<Histogram>],
        out: &mut Vec<ChunkRef>,
    ) -> Result<()> {
        let mut start = 0;
        while start < values.len() {
            let mut end = start + 1;
            while end < values.len()
                && end - start < SAMPLES_MAX
                && histogram::joins(&values[end - 1], &values[end])
            {
                end += 1;
            }
            let part: Vec<&Histogram> = values[start..end].iter().map(|one| &**one).collect();
            let encoding = chunk::encoding_of(part[0]);
            let bytes = histogram::encode(&times[start..end], &part);
            out.push(self.chunk(&times[start..end], encoding, &bytes)?);
            start = end;
        }
        Ok(())
    }

    /// Writes a chunk behind the others.
    fn chunk(&mut self, times: &[i64], encoding: u8, bytes: &[u8]) -> Result<ChunkRef> {
        let mut framed = Vec::with_capacity(bytes.len() + 10);
        put_uvarint(&mut framed, bytes.len() as u64);
        let body = framed.len();
        framed.push(encoding);
        framed.extend_from_slice(bytes);
        let crc = crc32c(&framed[body..]);
        framed.extend_from_slice(&crc.to_be_bytes());
        self.meta.samples += times.len() as u64;
        let reference = self.put(&framed)?;
        Ok(ChunkRef {
            min_time: times[0],
            max_time: times[times.len() - 1],
            reference,
        })
    }

    /// Appends bytes to a file of chunks that has room. Gives where they are.
    fn put(&mut self, bytes: &[u8]) -> Result<u64> {
        let is_full = |at: u64| at + bytes.len() as u64 > SEGMENT_BYTES_MAX;
        if self.segment.as_ref().is_none_or(|(_, at)| is_full(*at)) {
            self.end_segment()?;
            self.segments += 1;
            let path = self.unfinished.join(format!("chunks/{:06}", self.segments));
            let file =
                File::create(&path).map_err(|error| Fault::io("cannot make", &path, &error))?;
            let mut header = MAGIC.to_be_bytes().to_vec();
            header.extend([VERSION, 0, 0, 0]);
            let mut file = BufWriter::with_capacity(1 << 20, file);
            file.write_all(&header)
                .map_err(|error| Fault::io("cannot write", &path, &error))?;
            self.segment = Some((file, header.len() as u64));
        }
        let Some((file, at)) = &mut self.segment else {
            unreachable!("a segment was begun above");
        };
        let reference = (self.segments - 1) << 32 | *at;
        file.write_all(bytes)
            .map_err(|error| Fault::io("cannot write to", &self.unfinished, &error))?;
        *at += bytes.len() as u64;
        Ok(reference)
    }

    fn end_segment(&mut self) -> Result<()> {
        let Some((file, _)) = self.segment.take() else {
            return Ok(());
        };
        let ended = file
            .into_inner()
            .map_err(|error| error.into_error())
            .and_then(|file| file.sync_all());
        ended.map_err(|error| Fault::io("cannot write to", &self.unfinished, &error))
    }

    /// Makes the block durable and gives it its name.
    pub(crate) fn finish(mut self) -> Result<Meta> {
        self.end_segment()?;
        self.meta.series = self.series.len() as u64;
        index_writer::write(&self.unfinished.join("index"), &self.series)?;
        put_file(&self.unfinished.join("tombstones"), &tombstones::empty())?;
        let meta = self.meta.encode();
        put_file(&self.unfinished.join("meta.json"), meta.as_bytes())?;
        sync_folder(&self.unfinished.join("chunks"))?;
        sync_folder(&self.unfinished)?;
        std::fs::rename(&self.unfinished, &self.folder)
            .map_err(|error| Fault::io("cannot name", &self.folder, &error))?;
        self.folder.parent().map_or(Ok(()), sync_folder)?;
        Ok(self.meta)
    }

    /// Removes what was begun.
    pub(crate) fn give_up(self) -> Result<()> {
        drop(self.segment);
        std::fs::remove_dir_all(&self.unfinished)
            .map_err(|error| Fault::io("cannot remove", &self.unfinished, &error))
    }
}

fn put_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    put.map_err(|error| Fault::io("cannot write", path, &error))
}

fn sync_folder(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Fault::io("cannot sync", path, &error))
}
