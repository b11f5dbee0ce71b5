//! The fuzzer's door: any bytes as a segment.

use std::path::Path;

use super::segment::segment_path;
use super::{Frame, Lsn, Wal};
use crate::io::sim::SimDisk;

/// Replays `data` as a segment, alone and with one behind it, and checks what no bytes may break.
pub(crate) fn fuzz_wal(data: &[u8]) {
    let dir = Path::new("/wal");
    let disk = SimDisk::new(0);
    disk.plant(&segment_path(dir, 1), data);
    for followed in [false, true] {
        if followed {
            disk.plant(&segment_path(dir, 1000), data);
        }
        let (mut last, mut frames, mut payload) = (0, 0, 0);
        let mut sink = |frame: Frame<'_>| {
            assert!(frame.lsn.0 > last, "records rise");
            last = frame.lsn.0;
            frames += 1;
            payload += frame.body.len() + frame.tenant.len();
            Ok(())
        };
        // A version of the future is the one error that bytes can cause.
        if let Ok(report) = Wal::replay_only(&disk, dir, Lsn(0), &mut sink) {
            assert_eq!(report.frames, frames);
            assert!(report.last.0 >= last);
            assert!(payload as u64 <= report.bytes, "nothing is read twice");
        }
    }
}
