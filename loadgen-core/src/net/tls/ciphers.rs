//! Cipher lists in OpenSSL's notation (openssl-ciphers(1)), over the suites that
//! rustls has.

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as ring;

use super::{TlsError, TlsVersion};

/// The suites to offer, best first, and the versions that they belong to.
#[derive(Debug)]
pub(super) struct Suites {
    pub(super) suites: Vec<SupportedCipherSuite>,
    pub(super) versions: Vec<TlsVersion>,
}

/// A suite and what lists call it. All of version 1.2 agree on keys by ECDHE.
struct Suite {
    suite: &'static SupportedCipherSuite,
    openssl: &'static str,
    iana: &'static str,
    version: TlsVersion,
    /// `RSA` or `ECDSA`; none in 1.3, where the suite does not say.
    authentication: &'static str,
    cipher: Cipher,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Aes128,
    Aes256,
    ChaCha20,
}

/// A macro would say it shorter, but not clearer.
const fn v1_3(suite: &'static SupportedCipherSuite, name: &'static str, cipher: Cipher) -> Suite {
    let version = TlsVersion::V1_3;
    Suite { suite, openssl: name, iana: name, version, authentication: "", cipher }
}

const fn v1_2(
    suite: &'static SupportedCipherSuite,
    openssl: &'static str,
    iana: &'static str,
    authentication: &'static str,
    cipher: Cipher,
) -> Suite {
    Suite { suite, openssl, iana, version: TlsVersion::V1_2, authentication, cipher }
}

/// All suites of the library, in its order.
static SUITES: [Suite; 9] = [
    v1_3(&ring::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", Cipher::Aes256),
    v1_3(&ring::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", Cipher::Aes128),
    v1_3(&ring::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", Cipher::ChaCha20),
    v1_2(
        &ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDSA",
        Cipher::Aes256,
    ),
    v1_2(
        &ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDSA",
        Cipher::Aes128,
    ),
    v1_2(
        &ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDSA",
        Cipher::ChaCha20,
    ),
    v1_2(
        &ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "RSA",
        Cipher::Aes256,
    ),
    v1_2(
        &ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "RSA",
        Cipher::Aes128,
    ),
    v1_2(
        &ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "RSA",
        Cipher::ChaCha20,
    ),
];

impl Suite {
    fn named(&self, word: &str) -> bool {
        self.openssl.eq_ignore_ascii_case(word) || self.iana.eq_ignore_ascii_case(word)
    }

    /// Whether a word of a list stands for this suite, alone or among others.
    fn is(&self, word: &str) -> bool {
        let aes = self.cipher != Cipher::ChaCha20;
        match word.to_ascii_uppercase().as_str() {
            "ALL" | "DEFAULT" | "HIGH" | "ECDHE" | "EECDH" | "KECDHE" | "KEECDH" => true,
            "TLSV1.2" => self.version == TlsVersion::V1_2,
            "TLSV1.3" => self.version == TlsVersion::V1_3,
            "ARSA" => self.authentication == "RSA",
            "AECDSA" | "ECDSA" => self.authentication == "ECDSA",
            "AES" | "AESGCM" => aes,
            "AES128" => self.cipher == Cipher::Aes128,
            "AES256" => self.cipher == Cipher::Aes256,
            "CHACHA20" => self.cipher == Cipher::ChaCha20,
            // Also RSA and kRSA: nothing here sends keys by RSA.
            _ => self.named(word),
        }
    }
}

/// A list, half read.
#[derive(Default)]
struct List {
    /// In the order of preference.
    chosen: Vec<&'static Suite>,
    /// What may not come back (`!`).
    banned: Vec<&'static Suite>,
    /// Suites of 1.3 that the list takes away, though it had not named them.
    without: Vec<&'static Suite>,
    /// The list says which suites of 1.3 it wants.
    says_1_3: bool,
    unavailable: Vec<String>,
}

impl List {
    fn read(text: &str) -> Self {
        let mut list = Self::default();
        for element in text.split([':', ',', ';', ' ']).filter(|element| !element.is_empty()) {
            list.element(element);
        }
        list
    }

    fn element(&mut self, element: &str) {
        let (sign, words) = match element.split_at_checked(1) {
            Some((sign @ ("!" | "-" | "+" | "@"), words)) => (sign, words),
            _ => ("", element),
        };
        if sign == "@" {
            return self.command(words);
        }
        let found = select(words);
        match sign {
            "!" | "-" => {
                self.chosen.retain(|suite| !contains(&found, suite));
                self.without.extend(found.iter().copied());
                if sign == "!" {
                    self.banned.extend(found);
                }
            }
            "+" => {
                let (last, first): (Vec<_>, _) =
                    self.chosen.drain(..).partition(|suite| contains(&found, suite));
                self.chosen = first;
                self.chosen.extend(last);
            }
            _ => {
                if found.is_empty() {
                    self.unavailable.push(element.to_owned());
                }
                for suite in found {
                    self.says_1_3 |= suite.version == TlsVersion::V1_3;
                    if !contains(&self.banned, suite) && !contains(&self.chosen, suite) {
                        self.chosen.push(suite);
                    }
                }
            }
        }
    }

    fn command(&mut self, command: &str) {
        if command.eq_ignore_ascii_case("STRENGTH") {
            self.chosen.sort_by_key(|suite| suite.cipher == Cipher::Aes128);
        } else if !command.to_ascii_uppercase().starts_with("SECLEVEL=") {
            // All suites here satisfy the usual levels.
            self.unavailable.push(format!("@{command}"));
        }
    }
}

/// The suites that all words (`A+B`) stand for. Those of 1.3 are not meant unless
/// a word is about 1.3: OpenSSL's lists are about the older versions.
fn select(words: &str) -> Vec<&'static Suite> {
    let about_1_3 = |word: &str| {
        word.eq_ignore_ascii_case("TLSv1.3") || of(TlsVersion::V1_3).any(|suite| suite.named(word))
    };
    let version = if words.split('+').any(about_1_3) { TlsVersion::V1_3 } else { TlsVersion::V1_2 };
    of(version).filter(|suite| words.split('+').all(|word| suite.is(word))).collect()
}

fn of(version: TlsVersion) -> impl Iterator<Item = &'static Suite> {
    SUITES.iter().filter(move |suite| suite.version == version)
}

fn contains(suites: &[&Suite], suite: &Suite) -> bool {
    suites.iter().any(|other| other.openssl == suite.openssl)
}

/// The suites that a list leaves of those of `version` (`None`: of all versions).
/// Suites of 1.3 stay as they are unless the list speaks of them.
///
/// # Errors
/// [`TlsError::Ciphers`] if none is left.
pub(super) fn choose(list: Option<&str>, version: Option<TlsVersion>) -> Result<Suites, TlsError> {
    let spoken = |suite: &&Suite| version.is_none_or(|version| suite.version == version);
    let Some(text) = list else {
        return Ok(suites(SUITES.iter().filter(spoken)));
    };
    let list = List::read(text);
    let mut left = Vec::new();
    if !list.says_1_3 && !list.chosen.is_empty() {
        left.extend(of(TlsVersion::V1_3).filter(|suite| !contains(&list.without, suite)));
    }
    left.extend(list.chosen.iter().copied().filter(|suite| suite.version == TlsVersion::V1_3));
    left.extend(list.chosen.iter().copied().filter(|suite| suite.version == TlsVersion::V1_2));
    left.retain(|suite| spoken(suite));
    if left.is_empty() {
        let available: Vec<_> = SUITES.iter().filter(spoken).map(|suite| suite.openssl).collect();
        return Err(TlsError::Ciphers {
            list: text.to_owned(),
            unavailable: list.unavailable,
            available: available.join(":"),
        });
    }
    Ok(suites(left.into_iter()))
}

fn suites(left: impl Iterator<Item = &'static Suite> + Clone) -> Suites {
    let speaks = |version: &TlsVersion| left.clone().any(|suite| suite.version == *version);
    let versions = [TlsVersion::V1_3, TlsVersion::V1_2].into_iter().filter(speaks).collect();
    Suites { suites: left.clone().map(|suite| *suite.suite).collect(), versions }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(list: &str, version: Option<TlsVersion>) -> Vec<&'static str> {
        let chosen = choose(Some(list), version).unwrap();
        let name = |suite: &SupportedCipherSuite| {
            SUITES.iter().find(|known| known.suite == suite).unwrap().openssl
        };
        chosen.suites.iter().map(name).collect()
    }

    const V2: Option<TlsVersion> = Some(TlsVersion::V1_2);
    const V3: Option<TlsVersion> = Some(TlsVersion::V1_3);

    #[test]
    fn the_table_is_what_the_library_has() {
        let all: Vec<_> = SUITES.iter().map(|suite| *suite.suite).collect();
        assert_eq!(all, rustls::crypto::ring::ALL_CIPHER_SUITES);
        for suite in &SUITES {
            let iana = suite.iana.replace("TLS_", "TLS13_");
            let library = suite.suite.suite().as_str().unwrap();
            assert!(library == suite.iana || library == iana, "{library}");
            let version_1_3 = suite.suite.tls13().is_some();
            assert_eq!(version_1_3, suite.version == TlsVersion::V1_3);
        }
    }

    #[test]
    fn names_of_openssl_and_of_iana_in_the_order_of_the_list() {
        let expected = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"];
        for list in [
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-RSA-AES128-GCM-SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384:RC4-MD5",
        ] {
            assert_eq!(names(list, V2), expected, "{list}");
            assert_eq!(names(list, None)[3..], expected, "{list}");
            assert_eq!(names(list, V3).len(), 3, "{list}");
        }
    }

    #[test]
    fn groups_signs_and_commands() {
        for (list, expected) in [
            ("ALL", 6),
            ("DEFAULT:@SECLEVEL=2", 6),
            ("HIGH:!aNULL:!MD5:!3DES", 6),
            ("HIGH:!aRSA", 3),
            ("ECDHE+AESGCM", 4),
            ("kECDHE+aECDSA+AES128", 1),
            ("CHACHA20", 2),
            ("AES256:AES128", 4),
            ("ECDSA:!CHACHA20", 2),
            ("ALL:-AES:AES128", 4),
            ("ALL:!AES:AES128", 2),
            ("TLSv1.2", 6),
        ] {
            assert_eq!(names(list, V2).len(), expected, "{list}");
        }
        let strong = names("AES128:AES256:@STRENGTH", V2);
        assert!(strong[0].contains("AES256") && strong[3].contains("AES128"), "{strong:?}");
        let last = names("ALL:+AES256", V2);
        assert!(last[4..].iter().all(|name| name.contains("AES256")), "{last:?}");
    }

    #[test]
    fn suites_of_1_3_stay_unless_the_list_speaks_of_them() {
        assert_eq!(names("ALL", None).len(), 9);
        assert_eq!(names("AES128", V3).len(), 3, "about 1.2 only");
        assert_eq!(names("TLS_AES_128_GCM_SHA256", None), ["TLS_AES_128_GCM_SHA256"]);
        assert_eq!(names("TLS_AES_128_GCM_SHA256:ALL", None).len(), 7);
        assert_eq!(names("TLSv1.3+AES", None).len(), 2);
        assert_eq!(names("ALL:!TLSv1.3", None).len(), 6);
        assert_eq!(names("ALL:!TLS_AES_128_GCM_SHA256", None).len(), 8);
        let only = choose(Some("TLSv1.3"), None).unwrap();
        assert_eq!(only.versions, [TlsVersion::V1_3]);
    }

    #[test]
    fn a_list_that_leaves_nothing_says_why() {
        for (list, version) in [
            ("RC4-SHA", None),
            ("RSA:kRSA", None),
            ("ALL:!ALL", None),
            ("", None),
            ("TLSv1.3", V2),
            ("AES128-SHA", V3),
        ] {
            let error = choose(Some(list), version).unwrap_err().to_string();
            assert!(error.contains(&format!("'{list}'")), "{error}");
            assert!(error.contains("available: "), "{error}");
        }
        let error = choose(Some("RC4-SHA:!AES:DES-CBC3-SHA"), V2).unwrap_err().to_string();
        assert!(error.contains("(not available: RC4-SHA, DES-CBC3-SHA)"), "{error}");
        assert!(!error.contains("TLS_AES"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([!+@-]?[A-Za-z0-9_.+-]{0,12}[:, ;]?){0,8}|.{0,40}") {
            if let Ok(chosen) = choose(Some(&text), None) {
                prop_assert!(!chosen.suites.is_empty() && !chosen.versions.is_empty());
            }
        }

        #[test]
        fn no_suite_comes_twice(words in prop::collection::vec("ALL|AES|[+-]AES128|!CHACHA20|TLSv1.3|aRSA|@STRENGTH", 1..8)) {
            if let Ok(chosen) = choose(Some(&words.join(":")), None) {
                for (i, suite) in chosen.suites.iter().enumerate() {
                    prop_assert!(!chosen.suites[..i].contains(suite));
                }
            }
        }
    }
}
