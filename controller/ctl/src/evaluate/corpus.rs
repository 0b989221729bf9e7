//! Which recordings a corpus holds, and what their names say of them. Nothing is ever downloaded.

use schemas::voice::Category;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How a corpus names its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// RAVDESS: `03-01-05-02-01-01-12.wav`; speech only, songs are left out.
    Ravdess,
    /// Berlin EMO-DB: `03a01Wa.wav`.
    Emodb,
    /// CREMA-D: `1001_DFA_ANG_XX.wav`.
    Cremad,
    /// Your own: `labels.csv` in the directory, with the columns `path,speaker,emotion` and, if known, `gender`.
    Csv,
}

impl Layout {
    /// Under which terms the corpus is given out, to be kept in mind.
    #[must_use]
    pub fn licence(self) -> &'static str {
        match self {
            Self::Ravdess => "RAVDESS is CC BY-NC-SA 4.0: not for commercial use.",
            Self::Emodb => "EMO-DB: see the terms on its own page before you use or publish anything of it.",
            Self::Cremad => "CREMA-D is given out under the Open Database License (ODbL): share alike.",
            Self::Csv => "The recordings are yours: see that the speakers agreed to this.",
        }
    }
}

/// What an actor was asked to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emotion {
    /// Neutral.
    Neutral,
    /// Calm.
    Calm,
    /// Happy, joyful.
    #[serde(alias = "joy", alias = "happiness")]
    Happy,
    /// Sad.
    #[serde(alias = "sadness")]
    Sad,
    /// Angry.
    #[serde(alias = "anger")]
    Angry,
    /// Fearful.
    #[serde(alias = "fear")]
    Fearful,
    /// Disgusted: neither high nor low arousal.
    #[serde(alias = "disgust")]
    Disgusted,
    /// Surprised.
    #[serde(alias = "surprise")]
    Surprised,
    /// Bored.
    #[serde(alias = "boredom")]
    Bored,
}

impl Emotion {
    /// Whether it is a pleasant one (`true`) or an unpleasant one; `None` for those that are neither.
    #[must_use]
    pub fn is_pleasant(self) -> Option<bool> {
        match self {
            Self::Happy | Self::Calm => Some(true),
            Self::Sad | Self::Angry | Self::Fearful | Self::Disgusted | Self::Bored => Some(false),
            Self::Neutral | Self::Surprised => None,
        }
    }

    /// The word of a message that names it.
    #[must_use]
    pub fn word(self) -> Category {
        match self {
            Self::Neutral => Category::Neutral,
            Self::Calm => Category::Calm,
            Self::Happy => Category::Happy,
            Self::Sad => Category::Sad,
            Self::Angry => Category::Angry,
            Self::Fearful => Category::Fearful,
            Self::Disgusted => Category::Disgusted,
            Self::Surprised => Category::Surprised,
            Self::Bored => Category::Bored,
        }
    }

    /// Whether it is one of high arousal (`true`) or of low; `None` for those that are neither.
    #[must_use]
    pub fn is_high(self) -> Option<bool> {
        match self {
            Self::Happy | Self::Angry | Self::Fearful | Self::Surprised => Some(true),
            Self::Neutral | Self::Calm | Self::Sad | Self::Bored => Some(false),
            Self::Disgusted => None,
        }
    }
}

/// Of the speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// Female.
    #[serde(alias = "f")]
    Female,
    /// Male.
    #[serde(alias = "m")]
    Male,
}

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Who speaks.
    pub speaker: String,
    /// What was to be shown.
    pub emotion: Emotion,
    /// Of the speaker, where that is known.
    #[serde(default)]
    pub gender: Option<Gender>,
    /// The same words of the same speaker with the same emotion, shown normally (`false`) and strongly: what they are, and which.
    #[serde(skip)]
    pub pair: Option<(String, bool)>,
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Where it is.
    pub path: PathBuf,
    /// What is known of it.
    pub label: Label,
}

/// What was found below a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corpus {
    /// What is evaluated, in the order of the paths.
    pub recordings: Vec<Recording>,
    /// WAV files whose names say nothing in this layout, and rows that cannot be read.
    pub unread: Vec<String>,
}

/// Why there is no corpus, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {detail}")]
pub struct CorpusError {
    path: String,
    detail: String,
}

/// Finds the recordings below `root`.
///
/// # Errors
/// [`CorpusError`] when the directory or its `labels.csv` cannot be read, or nothing in it has this layout.
pub fn find(layout: Layout, root: &Path) -> Result<Corpus, CorpusError> {
    let error = |detail: String| CorpusError { path: root.display().to_string(), detail };
    let corpus = match layout {
        Layout::Csv => table(root).map_err(error)?,
        Layout::Ravdess | Layout::Emodb | Layout::Cremad => {
            let mut files = Vec::new();
            walk(root, &mut files).map_err(|e| error(e.to_string()))?;
            files.sort();
            let mut corpus = Corpus::default();
            for path in files {
                match path.file_stem().and_then(|stem| stem.to_str()).map(|stem| label(layout, stem)) {
                    Some(Name::Of(label)) => corpus.recordings.push(Recording { path, label }),
                    Some(Name::LeftOut) => {}
                    Some(Name::Foreign) | None => corpus.unread.push(path.display().to_string()),
                }
            }
            corpus
        }
    };
    if corpus.recordings.is_empty() {
        return Err(error(format!(
            "no recording in the layout {layout:?}; name the directory that holds its WAV files"
        )));
    }
    Ok(corpus)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav")) {
            files.push(path);
        }
    }
    Ok(())
}

fn table(root: &Path) -> Result<Corpus, String> {
    #[derive(Deserialize)]
    struct Row {
        path: PathBuf,
        speaker: String,
        emotion: Emotion,
        #[serde(default)]
        gender: Option<Gender>,
    }
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(root.join("labels.csv"))
        .map_err(|e| format!("labels.csv: {e}"))?;
    let mut corpus = Corpus::default();
    for row in reader.deserialize::<Row>() {
        match row {
            Ok(Row { path, speaker, emotion, gender }) => corpus
                .recordings
                .push(Recording { path: root.join(path), label: Label { speaker, emotion, gender, pair: None } }),
            Err(e) => corpus.unread.push(format!("labels.csv: {e}")),
        }
    }
    Ok(corpus)
}

/// What a name is in a layout.
enum Name {
    Of(Label),
    /// It belongs to the corpus and not to this evaluation (a song).
    LeftOut,
    Foreign,
}

fn label(layout: Layout, stem: &str) -> Name {
    let label = match layout {
        Layout::Ravdess => return ravdess(stem),
        Layout::Emodb => emodb(stem),
        Layout::Cremad => cremad(stem),
        Layout::Csv => None,
    };
    label.map_or(Name::Foreign, Name::Of)
}

/// Modality, channel, emotion, intensity, statement, repetition, actor; two digits each.
fn ravdess(stem: &str) -> Name {
    let fields: Vec<&str> = stem.split('-').collect();
    let [modality, channel, emotion, intensity, statement, repetition, actor] = fields[..] else {
        return Name::Foreign;
    };
    let (Some(emotion), Ok(number)) = (ravdess_emotion(emotion), actor.parse::<u32>()) else { return Name::Foreign };
    if !matches!((modality, channel), ("03", "01")) {
        return Name::LeftOut;
    }
    let gender = if number % 2 == 1 { Gender::Male } else { Gender::Female };
    let words = format!("{actor}-{emotion:?}-{statement}-{repetition}");
    let pair = matches!(intensity, "01" | "02").then(|| (words, intensity == "02"));
    Name::Of(Label { speaker: actor.to_owned(), emotion, gender: Some(gender), pair })
}

fn ravdess_emotion(code: &str) -> Option<Emotion> {
    Some(match code {
        "01" => Emotion::Neutral,
        "02" => Emotion::Calm,
        "03" => Emotion::Happy,
        "04" => Emotion::Sad,
        "05" => Emotion::Angry,
        "06" => Emotion::Fearful,
        "07" => Emotion::Disgusted,
        "08" => Emotion::Surprised,
        _ => return None,
    })
}

/// Speaker (2), text (3), emotion (1, the German word's letter), version (1).
fn emodb(stem: &str) -> Option<Label> {
    if stem.len() != 7 || !stem.is_ascii() {
        return None;
    }
    let (speaker, rest) = stem.split_at(2);
    let gender = match speaker {
        "03" | "10" | "11" | "12" | "15" => Gender::Male,
        "08" | "09" | "13" | "14" | "16" => Gender::Female,
        _ => return None,
    };
    let emotion = match rest.chars().nth(3)? {
        'W' => Emotion::Angry,
        'L' => Emotion::Bored,
        'E' => Emotion::Disgusted,
        'A' => Emotion::Fearful,
        'F' => Emotion::Happy,
        'T' => Emotion::Sad,
        'N' => Emotion::Neutral,
        _ => return None,
    };
    Some(Label { speaker: speaker.to_owned(), emotion, gender: Some(gender), pair: None })
}

/// Speaker, sentence, emotion, level.
fn cremad(stem: &str) -> Option<Label> {
    let fields: Vec<&str> = stem.split('_').collect();
    let [speaker, sentence, emotion, level] = fields[..] else { return None };
    speaker.parse::<u32>().ok().filter(|n| (1_001..=1_091).contains(n))?;
    let emotion = match emotion {
        "ANG" => Emotion::Angry,
        "DIS" => Emotion::Disgusted,
        "FEA" => Emotion::Fearful,
        "HAP" => Emotion::Happy,
        "NEU" => Emotion::Neutral,
        "SAD" => Emotion::Sad,
        _ => return None,
    };
    let words = format!("{speaker}-{sentence}-{emotion:?}");
    let pair = matches!(level, "LO" | "HI").then(|| (words, level == "HI"));
    Some(Label { speaker: speaker.to_owned(), emotion, gender: None, pair })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layout: Layout, stem: &str) -> Option<(String, Emotion, Option<Gender>)> {
        match label(layout, stem) {
            Name::Of(label) => Some((label.speaker, label.emotion, label.gender)),
            Name::LeftOut | Name::Foreign => None,
        }
    }

    #[test]
    fn the_names_of_each_layout_say_who_speaks_and_how() {
        let (male, female) = (Some(Gender::Male), Some(Gender::Female));
        let table = [
            (Layout::Ravdess, "03-01-05-02-01-01-12", ("12", Emotion::Angry, female)),
            (Layout::Ravdess, "03-01-02-01-02-02-01", ("01", Emotion::Calm, male)),
            (Layout::Emodb, "03a01Wa", ("03", Emotion::Angry, male)),
            (Layout::Emodb, "16b10Tb", ("16", Emotion::Sad, female)),
            (Layout::Cremad, "1001_DFA_FEA_XX", ("1001", Emotion::Fearful, None)),
        ];
        for (layout, stem, (speaker, emotion, gender)) in table {
            assert_eq!(read(layout, stem), Some((speaker.to_owned(), emotion, gender)), "{stem}");
        }
    }

    #[test]
    fn a_name_of_another_layout_is_not_guessed_at() {
        for (layout, stem) in [
            (Layout::Ravdess, "03a01Wa"),
            (Layout::Ravdess, "03-01-09-01-01-01-01"),
            (Layout::Emodb, "99a01Wa"),
            (Layout::Emodb, "03a01Xa"),
            (Layout::Emodb, "ö3a01W"),
            (Layout::Cremad, "1001_DFA_ANGRY_XX"),
            (Layout::Cremad, "0001_DFA_ANG_XX"),
        ] {
            assert_eq!(read(layout, stem), None, "{stem}");
        }
    }

    #[test]
    fn songs_are_left_out_and_pairs_of_strength_belong_together() {
        assert!(matches!(label(Layout::Ravdess, "03-02-05-02-01-01-12"), Name::LeftOut));
        let pair = |stem| match label(Layout::Ravdess, stem) {
            Name::Of(label) => label.pair,
            Name::LeftOut | Name::Foreign => None,
        };
        let (normal, strong) = (pair("03-01-05-01-01-01-12").unwrap(), pair("03-01-05-02-01-01-12").unwrap());
        assert_eq!((normal.0 == strong.0, normal.1, strong.1), (true, false, true));
    }
}
