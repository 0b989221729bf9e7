//! How NLLB names languages (FLORES-200), by Translate's codes.

/// Translate's codes, each with its token. Those that NLLB does not know are not here.
const TOKENS: &str = "af afr_Latn sq als_Latn am amh_Ethi ar arb_Arab hy hye_Armn az azj_Latn bn ben_Beng bs bos_Latn bg bul_Cyrl \
    ca cat_Latn zh zho_Hans zh-TW zho_Hant hr hrv_Latn cs ces_Latn da dan_Latn fa-AF prs_Arab nl nld_Latn en eng_Latn et est_Latn \
    fa pes_Arab tl tgl_Latn fi fin_Latn fr fra_Latn fr-CA fra_Latn ka kat_Geor de deu_Latn el ell_Grek gu guj_Gujr ht hat_Latn \
    ha hau_Latn he heb_Hebr hi hin_Deva hu hun_Latn is isl_Latn id ind_Latn ga gle_Latn it ita_Latn ja jpn_Jpan kn kan_Knda \
    kk kaz_Cyrl ko kor_Hang lv lvs_Latn lt lit_Latn mk mkd_Cyrl ms zsm_Latn ml mal_Mlym mt mlt_Latn mr mar_Deva mn khk_Cyrl \
    no nob_Latn ps pbt_Arab pl pol_Latn pt por_Latn pt-PT por_Latn pa pan_Guru ro ron_Latn ru rus_Cyrl sr srp_Cyrl si sin_Sinh \
    sk slk_Latn sl slv_Latn so som_Latn es spa_Latn es-MX spa_Latn sw swh_Latn sv swe_Latn ta tam_Taml te tel_Telu th tha_Thai \
    tr tur_Latn uk ukr_Cyrl ur urd_Arab uz uzn_Latn vi vie_Latn cy cym_Latn";

/// The token of a language.
pub fn token(code: &str) -> Option<&'static str> {
    let mut words = TOKENS.split_whitespace();
    while let (Some(known), Some(token)) = (words.next(), words.next()) {
        if known == code {
            return Some(token);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::languages::CODES;
    use super::*;

    #[test]
    fn every_code_of_translate_has_a_token_in_the_form_of_flores() {
        for code in CODES.split_whitespace() {
            let token = token(code).unwrap_or_default();
            let (language, script) = token.split_once('_').unwrap_or_default();
            assert!(language.len() == 3 && script.len() == 4, "{code}: {token}");
        }
        assert_eq!(token("xx"), None);
        assert_eq!(token("eng_Latn"), None, "a token is no code");
    }
}
