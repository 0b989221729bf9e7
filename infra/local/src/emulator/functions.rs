//! The processes in which the emulator runs compiled functions: found to be killed, as Lambda's sandboxes die now and then.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::guard::Target;

/// The executable of a compiled function, by Lambda's rule.
const EXECUTABLE: &str = "bootstrap";

/// The compiled functions that one emulator runs. The default knows none.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    emulator: Option<u32>,
}

impl Functions {
    /// Those that the process `emulator` has started.
    pub fn of(emulator: Option<u32>) -> Self {
        Self { emulator }
    }

    /// Kills all of them by SIGKILL; how many there were. The emulator starts new ones with the next invocation.
    pub fn kill(&self) -> usize {
        let Some(emulator) = self.emulator else { return 0 };
        let killed = children(emulator).filter(|child| Target::process(Some(*child)).signal(Signal::SIGKILL)).count();
        tracing::info!(killed, "functions were killed on purpose");
        killed
    }
}

/// Compiled functions whose parent is this process and no other: nothing that is not ours can be among them.
fn children(parent: u32) -> impl Iterator<Item = u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(move |id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        parent_of(&stat) == Some(parent) && is_function(*id)
    })
}

/// Field 4 of /proc/PID/stat. The second is the name in parentheses, which may hold anything.
fn parent_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn is_function(process: u32) -> bool {
    let executable = std::fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
    executable.file_name().is_some_and(|name| Path::new(name) == Path::new(EXECUTABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_whatever_the_process_is_called() {
        assert_eq!(parent_of("42 (odd) name (x) S 7 42 42 0 -1"), Some(7));
        assert_eq!(parent_of("nonsense"), None);
    }

    #[test]
    fn an_emulator_without_functions_has_none_to_kill() {
        assert_eq!(Functions::default().kill(), 0);
        assert_eq!(Functions::of(Some(std::process::id())).kill(), 0);
    }
}
