//! Every metric that the binaries write, for whoever draws or watches them: `json/metrics.json` is made from this list, and
//! the tests of each binary hold it against what it really writes.
//!
//! The dimension is [`DIMENSION`], the environment, alone: a metric per session would cost money and could carry no alarm.

use serde::Serialize;

/// The namespace of them all.
pub const NAMESPACE: &str = "SessionWorkers";
/// Their one dimension: the name of the environment.
pub const DIMENSION: &str = "Environment";

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, as CloudWatch spells it.
    pub unit: &'static str,
    /// Whether it is also told by language, beside the environment.
    pub by_language: bool,
}

const fn count(name: &'static str) -> Metric {
    Metric { name, unit: "Count", by_language: false }
}
const fn ms(name: &'static str) -> Metric {
    Metric { name, unit: "Milliseconds", by_language: false }
}
const fn percent(name: &'static str) -> Metric {
    Metric { name, unit: "Percent", by_language: false }
}
const fn of_a_language(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit, by_language: true }
}

/// What the controller writes with each invocation.
pub const CONTROLLER: [Metric; 12] = [
    count("Launches"),
    count("LaunchFailures"),
    count("Looks"),
    count("LookErrors"),
    count("PoisonRecords"),
    count("Stops"),
    count("Failures"),
    count("EventErrors"),
    count("BadVersions"),
    count("QueueDepth"),
    count("OpenSessions"),
    ms("SweepDuration"),
];

/// What a worker writes once a minute and at its end.
pub const WORKER: [Metric; 26] = [
    Metric { name: "TranscribedSeconds", unit: "Seconds", by_language: false },
    count("TranscribeStreams"),
    count("TranslatedCharacters"),
    count("Translations"),
    count("Posts"),
    count("PostsFailed"),
    count("Listeners"),
    count("Degraded"),
    ms("LongestWait"),
    ms("RowUnwritten"),
    ms("SoundUnheard"),
    count("ModelJudged"),
    count("ModelMissed"),
    count("ModelFailed"),
    of_a_language("LagP50", "Milliseconds"),
    of_a_language("LagP95", "Milliseconds"),
    of_a_language("Erasure", "None"),
    Metric { name: "SignalToNoise", unit: "None", by_language: false },
    percent("PacketLoss"),
    percent("Clipping"),
    count("WarningsSnrLow"),
    count("WarningsClipping"),
    count("WarningsEcho"),
    count("WarningsSilence"),
    count("WarningsPacketLoss"),
    count("WarningsJitter"),
];
