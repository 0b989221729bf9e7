//! Processor time and memory of this process, from `/proc`.

/// Clock ticks per second of `/proc/self/stat`; Linux fixes it at 100 for user space.
const TICKS_PER_S: u64 = 100;

/// What the process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Processor time of all threads, ms.
    pub cpu_ms: u64,
    /// Highest resident memory, bytes.
    pub peak_memory_bytes: u64,
}

/// Measures this process; zeros where `/proc` says nothing.
#[must_use]
pub fn measure() -> Resources {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    parse(&read("stat"), &read("status"))
}

fn parse(stat: &str, status: &str) -> Resources {
    // The name in parentheses may hold anything; the fields after it are numbered from 3, user and system time are 14 and 15.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = |n: usize| after_name.split_whitespace().nth(n - 3).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    let peak_kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0);
    Resources { cpu_ms: (field(14) + field(15)) * 1_000 / TICKS_PER_S, peak_memory_bytes: peak_kb * 1_024 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 1 1";
        let measured = parse(stat, "Name:\tx\nVmHWM:\t   9600 kB\n");
        assert_eq!(measured, Resources { cpu_ms: 2_000, peak_memory_bytes: 9_600 * 1_024 });
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(measure().peak_memory_bytes > 100_000);
    }
}
