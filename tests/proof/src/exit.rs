//! How a worker's process ends, and what ECS says of it.

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exit {
    /// 0.
    Clean,
    /// 3.
    LeaseLost,
    /// 143.
    Interrupted,
    /// 101.
    Crashed,
    /// 137.
    Killed,
    /// Never began.
    NotStarted,
}

impl Exit {
    /// The container's exit code; none where no process began.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Clean => Some(0),
            Self::LeaseLost => Some(3),
            Self::Interrupted => Some(143),
            Self::Crashed => Some(101),
            Self::Killed => Some(137),
            Self::NotStarted => None,
        }
    }

    /// `stopCode` of a task that nobody stopped.
    #[must_use]
    pub fn stop_code(self) -> &'static str {
        match self {
            Self::NotStarted => "TaskFailedToStart",
            Self::Clean | Self::LeaseLost | Self::Interrupted | Self::Crashed | Self::Killed => {
                "EssentialContainerExited"
            }
        }
    }
}
