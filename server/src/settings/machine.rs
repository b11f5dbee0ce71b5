//! How much memory this process may use, and what defaults follow from that.
//!
//! The defaults of [`Settings`] are those of a machine with [`REFERENCE`] bytes; what counts bytes
//! in memory grows and shrinks with the machine, within bounds.

use super::Settings;

/// The memory of the machine that the defaults are written for.
const REFERENCE: u64 = 4 << 30;

/// Bytes of a sample that a query holds.
const SAMPLE_BYTES: u64 = 16;

/// One query holds no more than this part of the memory, and all together no more than that one.
const QUERY_PART: u64 = 4;
const ALL_QUERIES_PART: u64 = 2;

const MIB: u64 = 1 << 20;

/// What the system allows: the memory of the machine, or less where a group of processes has less.
pub(crate) fn memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").as_deref().and_then(total);
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    limit(machine, &groups, &read)
}

/// The total of `/proc/meminfo`.
fn total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The least of what the machine has and what each group allows that this process is in, which
/// `/proc/self/cgroup` lists: `0::/path` in version 2, `4:memory:/path` in version 1.
fn limit(machine: Option<u64>, groups: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut least = machine;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            it if it.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // A group may have less than the ones that it is in, and these less than it. In a container
        // the path may be that of the host, and the root is the container's own.
        let mut path = path.trim_end_matches('/');
        loop {
            let text = read(&format!("{root}{path}/{file}"));
            // A group without a limit says `max`, or a number that no machine has.
            let allowed = text.and_then(|text| text.trim().parse::<u64>().ok());
            if let Some(allowed) = allowed {
                least = Some(least.map_or(allowed, |least| least.min(allowed)));
            }
            match path.rfind('/') {
                Some(end) => path = &path[..end],
                None => break,
            }
        }
    }
    least
}

/// The defaults for a machine with so much memory.
pub(crate) fn fitted(memory: u64) -> Settings {
    let mut settings = Settings::default();
    let share = |default: u64, least: u64, most: u64| {
        let share = u128::from(default) * u128::from(memory) / u128::from(REFERENCE);
        let share = u64::try_from(share).unwrap_or(most).clamp(least, most);
        // A round number is easier to read.
        share / MIB * MIB
    };
    let store = &mut settings.store;
    store.head_bytes_max = share(store.head_bytes_max, 64 * MIB, 4096 * MIB);
    store.cache_bytes_max = share(store.cache_bytes_max, 8 * MIB, 2048 * MIB);
    let held = settings.http.held_bytes_max;
    settings.http.held_bytes_max = share(held, 64 * MIB, 1024 * MIB);
    let samples = usize::try_from(memory / QUERY_PART / SAMPLE_BYTES).unwrap_or(usize::MAX);
    settings.query.samples_max = settings.query.samples_max.min(samples.max(1_000_000));
    let all = usize::try_from(memory / ALL_QUERIES_PART / SAMPLE_BYTES).unwrap_or(usize::MAX);
    settings.query.all_samples_max = all.max(settings.query.samples_max);
    settings.memory_max = Some(memory);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_least_of_machine_and_groups_counts() {
        // Groups, files with their text, and what is allowed on a machine with 16 GiB.
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u64);
        let cases: [Case<'_>; 8] = [
            ("", &[], 16 * GIB),
            (
                "0::/\n",
                &[("/sys/fs/cgroup/memory.max", "max\n")],
                16 * GIB,
            ),
            (
                "0::/\n",
                &[("/sys/fs/cgroup/memory.max", "2147483648\n")],
                2 * GIB,
            ),
            (
                "0::/system.slice/chronolith.service\n",
                &[
                    (
                        "/sys/fs/cgroup/system.slice/chronolith.service/memory.max",
                        "max",
                    ),
                    ("/sys/fs/cgroup/system.slice/memory.max", "1073741824"),
                ],
                GIB,
            ),
            (
                "0::/a/b\n",
                &[
                    ("/sys/fs/cgroup/a/b/memory.max", "1073741824"),
                    ("/sys/fs/cgroup/a/memory.max", "8589934592"),
                ],
                GIB,
            ),
            (
                "5:cpu:/x\n4:memory:/docker/1\n0::/\n",
                &[(
                    "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
                    "3221225472\n",
                )],
                3 * GIB,
            ),
            // No limit, as version 1 says it.
            (
                "4:cpu,memory:/\n",
                &[(
                    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "9223372036854771712",
                )],
                16 * GIB,
            ),
            (
                "nonsense\n7\n:::\n",
                &[("/sys/fs/cgroup/memory.max", "x")],
                16 * GIB,
            ),
        ];
        for (groups, files, expected) in cases {
            let read = |path: &str| {
                let found = files.iter().find(|(name, _)| *name == path);
                found.map(|(_, text)| (*text).to_owned())
            };
            let allowed = limit(Some(16 * GIB), groups, &read);
            assert_eq!(allowed, Some(expected), "{groups:?}");
        }
        assert_eq!(limit(None, "", &|_| None), None);
    }

    #[test]
    fn the_total_is_read_as_the_system_writes_it() {
        let text = "MemTotal:       24683656 kB\nMemFree:         9358144 kB\n";
        assert_eq!(total(text), Some(24_683_656 * 1024));
        for wrong in ["", "MemFree: 1 kB", "MemTotal: x kB", "MemTotal: 1"] {
            assert_eq!(total(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn defaults_grow_and_shrink_with_the_memory_within_bounds() {
        // Memory, then heads, cache and calls in MiB, and samples of a query.
        let cases = [
            (0, 64, 8, 64, 1_000_000),
            (256 * MIB, 64, 8, 64, 4_194_304),
            (GIB, 128, 16, 64, 16_777_216),
            (4 * GIB, 512, 64, 256, 50_000_000),
            (16 * GIB, 2048, 256, 1024, 50_000_000),
            (u64::MAX, 4096, 2048, 1024, 50_000_000),
        ];
        for (memory, head, cache, held, samples) in cases {
            let settings = fitted(memory);
            let got = (
                settings.store.head_bytes_max / MIB,
                settings.store.cache_bytes_max / MIB,
                settings.http.held_bytes_max / MIB,
                settings.query.samples_max,
            );
            assert_eq!(got, (head, cache, held, samples), "{memory}");
        }
        let reference = Settings {
            memory_max: Some(REFERENCE),
            ..Settings::default()
        };
        assert_eq!(fitted(REFERENCE), reference);
    }
}
