//! Words with which a phrase begins: conjunctions and prepositions. Speech without marks is best cut before one of them: what stands before it
//! is translated as well alone as with it.
//!
//! *Caveat*: a list of the commonest, for the languages that have one; elsewhere only marks, pauses and lengths are known.

use crate::hearing::Item;
use schemas::ids::Language;

/// Whether a phrase begins with this word.
pub(crate) fn begins_phrase(word: &Item, language: &Language) -> bool {
    let small = word.text.to_lowercase();
    !word.mark && beginnings(language).split_whitespace().any(|beginning| beginning == small)
}

fn beginnings(language: &Language) -> &'static str {
    match language.as_str() {
        "en" => {
            "and but or nor so that which who whose when where while because if though although as than in on at of to with for \
             from by about after before into over under until between through during without"
        }
        "es" => {
            "y e o u pero sino ni que cual cuales quien quienes cuando donde mientras porque si aunque como en de del a al con por \
             para desde hasta entre sobre sin tras según durante"
        }
        "fr" => {
            "et ou mais ni donc car que qui dont où quand lorsque pendant parce si comme dans en de du des à au aux avec par pour \
             sur sous sans vers chez entre depuis jusque avant après"
        }
        "it" => {
            "e ed o ma né che cui chi quando dove mentre perché se benché come in nel nella nei nelle di del della dei delle a al \
             alla ai alle da dal dalla con per su sul sulla tra fra senza dopo prima fino"
        }
        "pt" => {
            "e ou mas nem que qual quem quando onde enquanto porque se embora como em no na nos nas de do da dos das a ao à aos às \
             com por pelo pela para desde até entre sobre sem após durante"
        }
        "ca" => {
            "i o però ni que qui quan on mentre perquè si encara com en de del dels a al als amb per pel pels des fins entre sobre \
             sense després abans durant"
        }
        "de" => {
            "und aber oder denn sondern dass weil wenn ob obwohl während nachdem bevor damit als wie in im an am auf aus bei mit \
             nach seit von vom zu zum zur für durch gegen ohne um über unter vor zwischen"
        }
        "nl" => {
            "en maar of want dus dat die wie wanneer waar terwijl omdat als hoewel in op aan uit bij met naar van voor door tegen \
             zonder om over onder tussen tijdens na sinds tot"
        }
        "sv" => {
            "och men eller för att som när där medan eftersom om fast i på av till med från vid efter före under mellan utan genom"
        }
        "da" | "no" => {
            "og men eller at som når der hvor mens fordi om selv i på af av til med fra ved efter etter før under mellem mellom uden \
             uten gennem gjennom"
        }
        "pl" => {
            "i a ale lub albo że który która które kiedy gdzie gdy bo ponieważ jeśli w we na z ze do od dla po przez przy o pod nad bez"
        }
        "ru" => {
            "и а но или что который которая которые когда где пока потому если хотя как в во на с со к ко от до для по из у о об при через без"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::items;

    #[test]
    fn conjunctions_and_prepositions_begin_phrases_in_the_languages_that_have_a_list() {
        let begins =
            |word: &str, language: &str| begins_phrase(&items(word, 0, 0)[0], &Language::try_new(language).unwrap());
        assert!(begins("And", "en") && begins("que", "es") && begins("Où", "fr") && begins("и", "ru"));
        assert!(!begins("house", "en") && !begins("and", "es") && !begins("and", "xx"));
    }
}
