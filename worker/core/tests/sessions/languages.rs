//! Whole sessions in other scripts: each spoken word in exactly one final, written as the service writes it; what is stable never
//! changes; clauses are read in translation before their sentence is over.

use crate::world::{Talk, World, config, language};
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::StreamEnd;

/// Sentences as the service writes them, with a bar where items meet without a space. Each has a clause that ends long before it does.
struct Spoken {
    language: &'static str,
    sentences: [&'static str; 4],
}

const SPOKEN: [Spoken; 8] = [
    Spoken {
        language: "en",
        sentences: [
            "Good evening, everybody, and welcome to our meeting in the old town hall.",
            "Is it cold outside? Come in, please, there is warm tea for all of you.",
            "Today we talk about machine learning, and about Amazon Web Services, as we do each year.",
            "Thank you very much!",
        ],
    },
    Spoken {
        language: "ja",
        sentences: [
            "皆さん、|こんばんは。|今日|は|寒い|中、|この|会場|まで|お越し|くださり、|ありがとう|ござい|ます。",
            "今年|は|machine learning|を、|初めて|の|方|に|も|分かる|よう|に|説明|し|ます。",
            "質問|は|あり|ます|か？|はい、|後ろ|の|席|の|方、|どうぞ|ゆっくり|話し|て|ください！",
            "𠮷野|さん|が、|Amazon Web Services|を|使っ|た|例|を|見せ|て|くれ|ます。",
        ],
    },
    Spoken {
        language: "zh",
        sentences: [
            "各位|朋友，|晚上|好！|欢迎|大家|今天|来到|我们|的|聚会，|外面|很|冷，|请|进来|坐。",
            "我们|用 Amazon Web Services，|把|每|一|句|话|翻译|成|五|种|语言。",
            "你们|听|得|清楚|吗？|如果|听|不|清楚，|请|举手|告诉|我们|一|声。",
            "谢谢|大家，|愿|你们|平安|回家。",
        ],
    },
    Spoken {
        language: "ar",
        sentences: [
            "مساء الخير، أيها الأصدقاء، وأهلا بكم في لقائنا هذا المساء الجميل.",
            "هل تسمعونني جيدا؟ من لا يسمع، فليرفع يده من فضلكم الآن.",
            "نستعمل اليوم Amazon Web Services، ونترجم كل جملة إلى خمس لغات؛ هذا كل شيء.",
            "شكرا لكم!",
        ],
    },
    Spoken {
        language: "hi",
        sentences: [
            "नमस्ते दोस्तों, आज शाम आप सब का हमारी सभा में बहुत स्वागत है।",
            "क्या आप मुझे सुन सकते हैं? जो नहीं सुन पा रहे, वे कृपया अपना हाथ उठाएँ।",
            "हम machine learning सीखते हैं, और हर वाक्य का पाँच भाषाओं में अनुवाद करते हैं।",
            "बहुत धन्यवाद!",
        ],
    },
    Spoken {
        language: "ko",
        sentences: [
            "안녕하세요 여러분, 추운 날씨에도 오늘 저녁 우리 모임에 와 주셔서 정말 감사합니다.",
            "제 말이 잘 들리세요? 안 들리시는 분은, 손을 들어 우리에게 알려 주세요.",
            "우리는 Amazon Web Services를 쓰며, 문장마다 다섯 가지 언어로 바로 옮깁니다.",
            "고맙습니다!",
        ],
    },
    Spoken {
        language: "ru",
        sentences: [
            "Добрый вечер, дорогие друзья, мы очень рады видеть вас сегодня на нашей встрече.",
            "Вам хорошо слышно? Если нет, поднимите руку, и мы сделаем звук немного громче.",
            "Сегодня мы говорим об Amazon Web Services, и каждую фразу переводим на пять языков.",
            "Большое спасибо!",
        ],
    },
    Spoken {
        language: "th",
        sentences: [
            "สวัสดี|ครับ ทุก|คน ยินดี|ต้อนรับ|สู่|การ|ประชุม|ของ|เรา|ใน|เย็น|วัน|นี้",
            "ถ้า|ไม่|ได้|ยิน, กรุณา|ยก|มือ|ขึ้น|เพื่อ|บอก|เรา|ที่|ด้าน|หน้า|นี้",
            "เรา|ใช้ Amazon Web Services เพื่อ|แปล|ทุก|ประโยค|เป็น|ห้า|ภาษา",
            "ขอบคุณ|มาก",
        ],
    },
];

impl Spoken {
    fn written(&self) -> String {
        self.sentences.map(|sentence| sentence.replace('|', "")).join(" ")
    }

    /// A session in this language, before somebody who reads it and somebody who reads Spanish.
    fn session(&self, config: EngineConfig) -> World {
        let mut world = World::with(config, Talk::written(&self.sentences));
        world.source = language(self.language);
        world.listener("own", self.language);
        world.listener("eva", "es");
        world
    }
}

fn run(mut world: World) -> World {
    let end = world.speaker.talk.end_ms() + 10_000;
    world.run_until(end);
    world.check_contract();
    world
}

#[test]
fn each_spoken_word_is_in_exactly_one_final_written_as_the_service_writes_it() {
    for spoken in SPOKEN {
        for fickle in [false, true] {
            let mut world = spoken.session(config());
            world.recogniser.fickle = fickle;
            let world = run(world);
            assert_eq!(world.seat("own").text(), spoken.written(), "{}", spoken.language);
            assert_eq!(world.seat("eva").finals().len(), world.seat("own").finals().len());
        }
    }
}

#[test]
fn a_stream_that_is_cut_in_the_middle_of_a_sentence_costs_no_word_in_any_script() {
    for spoken in SPOKEN {
        for cut in [3_300, 6_100, 14_700] {
            let mut world = spoken.session(config());
            world.at(cut, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
            let world = run(world);
            assert_eq!(world.seat("own").text(), spoken.written(), "{}, cut at {cut}", spoken.language);
        }
    }
}

#[test]
fn a_part_of_the_sentence_is_stable_while_it_is_being_spoken_and_it_grows() {
    for spoken in SPOKEN {
        let world = run(spoken.session(config()));
        let first: Vec<_> =
            world.seat("own").captions().into_iter().filter(|c| c.segment_id.ends_with("-1") && !c.is_final).collect();
        let stable: Vec<u32> = first.iter().filter_map(|caption| caption.stable_chars).collect();
        let steps = stable.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!(stable.is_sorted() && steps >= 4, "{}: {stable:?}", spoken.language);
    }
}

#[test]
fn a_clause_is_read_in_translation_before_its_sentence_is_over() {
    // Thai has no marks: a sentence is translated when it is over.
    for spoken in SPOKEN.iter().filter(|spoken| spoken.language != "th") {
        let mut world = spoken.session(config());
        // Letter by letter, so that a clause is the begin of its sentence in the translation as well.
        world.translate = |text, to, _| {
            let letters = text.chars().filter(|letter| !letter.is_whitespace());
            (150, Ok(letters.map(|letter| format!("{to}:{letter}")).collect::<Vec<_>>().join(" ")))
        };
        let world = run(world);
        for segment in ["1-1", "1-2", "1-3"] {
            let captions = world.seat("eva").captions();
            let of = |is_final: bool| captions.iter().find(|c| c.segment_id == segment && c.is_final == is_final);
            let (partial, last) = (of(false), of(true).unwrap());
            let partial = partial.unwrap_or_else(|| panic!("{}: no clause of {last:?}", spoken.language));
            let posted = (partial.timestamp.0 - crate::world::BEGIN) as u64 - world.begin_of_audio();
            assert!(posted < last.end_ms, "{}: {} at {posted}, of {}", spoken.language, partial.text, last.end_ms);
        }
        let erasure = world.writes.last().unwrap().1.status.languages[&language("es")].erasure;
        assert_eq!(erasure, Some(0.0), "{}", spoken.language);
    }
}

#[test]
fn sentences_are_translated_one_by_one_and_put_together_as_the_listeners_language_does() {
    let talk = Talk::written(&["Come in, all of you. We pray. Then we sing together once more tonight."]);
    for (target, between) in [("ja", ""), ("zh", ""), ("th", " "), ("ar", " "), ("ko", " "), ("es", " ")] {
        let mut world = World::with(EngineConfig { partials: PartialPolicy::Sentences, ..config() }, talk.clone());
        world.translate = |text, to, _| {
            let end = if ["ja", "zh"].contains(&to.as_str()) { "译。" } else { "x." };
            (150, Ok(format!("{}{end}", text.split(' ').count())))
        };
        world.listener("them", target);
        let world = run(world);
        let end = if between.is_empty() { "译。" } else { "x." };
        let expected = ["5", "2", "7"].map(|words| format!("{words}{end}")).join(between);
        assert_eq!(world.seat("them").text(), expected, "{target}");
    }
}

#[test]
fn erasure_of_a_language_without_spaces_is_counted_in_characters() {
    let zh = &SPOKEN[2];
    let mut world = zh.session(config());
    world.recogniser.fickle = true;
    let world = run(world);
    let erasure = world.writes.last().unwrap().1.status.languages[&language("zh")].erasure.unwrap();
    // Of the two words that are guesses, the characters are taken back: as sentences of one "word" it would be far above 1.
    assert!(erasure > 0.1 && erasure < 10.0, "{erasure}");
}

#[test]
fn live_partials_in_a_language_without_spaces_end_with_a_whole_word() {
    let mut world = World::with(
        EngineConfig { partials: PartialPolicy::Live, mask_words: 1, ..config() },
        Talk::written(&["We use the cloud of this company for all that we do here today."]),
    );
    world.translate = |text, _, _| {
        let words = "我们|用|Amazon |Web |Services|来|做|所有|的|事".split('|');
        (150, Ok(words.take(text.split(' ').count()).collect::<String>().trim_end().to_owned()))
    };
    world.listener("them", "zh");
    let world = run(world);
    let captions = world.seat("them").captions();
    let partials: Vec<&str> = captions.iter().filter(|c| !c.is_final).map(|c| c.text.as_str()).collect();
    assert!(partials.len() >= 4, "{partials:?}");
    for text in partials {
        let latin: String = text.chars().filter(char::is_ascii).collect();
        assert!(["", "Amazon", "Amazon Web", "Amazon Web Services"].contains(&latin.trim()), "{text}");
    }
}
