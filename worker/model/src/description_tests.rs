use super::*;

const BOTH: &str = r#"
licence = "CC0"
input = "sound"
sample_rate = 16000
window_s = 1.0
[dimensions]
output = "scales"
order = ["arousal", "dominance", "valence"]
range = [1.0, 5.0]
[classes]
output = "words"
labels = ["angry", "happy", "other"]
scores = "logits"
"#;

fn both() -> Description {
    Description::parse(BOTH).unwrap()
}

fn read(description: &Description, scales: &[f32], words: &[f32]) -> Result<Affect, String> {
    let output = |name: &str| match name {
        "scales" => Some(scales),
        "words" => Some(words),
        _ => None,
    };
    description.read(output).map_err(|error| error.to_string())
}

#[test]
fn a_description_that_cannot_be_is_refused_with_what_would_be_right() {
    let table = [
        ("licence = \"CC0\"", "licence = \" \"", "under which terms"),
        ("licence = \"CC0\"", "", "missing field `licence`"),
        ("16000", "8000", "the worker has 16000 samples per second"),
        ("window_s = 1.0", "window_s = 60.0", "give a number from 0.5 to 30"),
        ("window_s = 1.0", "window_s = nan", "give a number from 0.5 to 30"),
        ("[1.0, 5.0]", "[5.0, 1.0]", "the lowest and then the highest"),
        ("range", "trust = 2.0\nrange", "a number from 0 to 1"),
        ("\"angry\"", "\"grumpy\"", "\"grumpy\" is none of neutral, calm"),
        ("\"logits\"", "\"scores\"", "unknown variant"),
        ("window_s", "windows", "unknown field"),
    ];
    for (right, wrong, expected) in table {
        let error = Description::parse(&BOTH.replacen(right, wrong, 1)).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{wrong}: {error}");
    }
    let mute = BOTH.replace("valence", "other").replace("\"angry\", \"happy\"", "\"other\", \"other\"");
    assert!(Description::parse(&mute).unwrap_err().contains("nothing to tell"));
}

#[test]
fn valence_is_brought_from_the_models_scale_to_ours() {
    let valence = |v: f32| read(&both(), &[3.0, 3.0, v], &[0.0; 3]).unwrap().valence.unwrap();
    assert_eq!((valence(1.0).value, valence(3.0).value, valence(5.0).value), (-1.0, 0.0, 1.0));
    assert_eq!((valence(5.3).value, valence(3.0).confidence), (1.0, TRUST), "a regression goes a little beyond");
}

#[test]
fn the_likeliest_word_is_told_and_other_is_no_word() {
    let word = |scores: [f32; 3]| read(&both(), &[3.0; 3], &scores).unwrap().category;
    let (category, likely) = word([4.0, 1.0, 1.0]).unwrap();
    assert!(category == Category::Angry && (likely - 0.909).abs() < 0.001, "{likely}");
    assert_eq!(word([1.0, 1.0, 4.0]), None);
    assert!(word([500.0, -500.0, 0.0]).unwrap().1 <= 1.0);
    let probabilities = Description::parse(&BOTH.replace("logits", "probabilities")).unwrap();
    assert_eq!(read(&probabilities, &[3.0; 3], &[0.2, 0.7, 0.1]).unwrap().category.unwrap().0, Category::Happy);
    assert!(read(&probabilities, &[3.0; 3], &[2.0, 7.0, 1.0]).unwrap_err().contains("no probabilities"));
}

#[test]
fn numbers_that_are_none_or_too_few_are_no_answer() {
    assert!(read(&both(), &[3.0, 3.0, f32::NAN], &[0.0; 3]).unwrap_err().contains("not a number"));
    assert!(read(&both(), &[3.0; 3], &[0.0, f32::INFINITY, 0.0]).unwrap_err().contains("not a number"));
    assert!(read(&both(), &[3.0; 2], &[0.0; 3]).unwrap_err().contains("holds 2 numbers, and 3 are described"));
    let unknown = both().read(|_| None).unwrap_err().to_string();
    assert!(unknown.contains("no output \"scales\""), "{unknown}");
}

#[test]
fn of_a_long_utterance_the_end_goes_in_and_a_short_one_is_filled_up_where_asked() {
    let long: Vec<i16> = (0..32_000).map(|n| if n < 16_000 { -8_192 } else { 16_384 }).collect();
    assert_eq!(both().prepared(&long), vec![0.5; 16_000]);
    assert_eq!(both().prepared(&[16_384; 8]), vec![0.5; 8]);
    let padded = Description { pad: true, ..both() }.prepared(&[16_384; 8]);
    assert_eq!((padded.len(), padded[7], padded[8]), (16_000, 0.5, 0.0));
    let normal = Description { normalise: true, ..both() }.prepared(&long[8_000..24_000]);
    let mean = normal.iter().sum::<f32>() / 16_000.0;
    let variance = normal.iter().map(|x| x * x).sum::<f32>() / 16_000.0;
    assert!(mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
    assert!(Description { normalise: true, ..both() }.prepared(&[0; 100]).iter().all(|x| *x == 0.0));
}
