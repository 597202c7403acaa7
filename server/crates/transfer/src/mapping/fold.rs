//! When two names are the same name. Knows nothing of folders' meanings.

use crate::FolderPath;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A name as a server that ignores case and composition sees it: NFC, lower case. Lower case is taken letter by
/// letter, since the rule for a final sigma would make a name's fold depend on what follows it.
pub(super) fn fold(name: &str) -> String {
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// A path, folded level by level.
pub(super) fn fold_path(path: &FolderPath) -> Vec<String> {
    path.levels().iter().map(|level| fold(level)).collect()
}

/// A name without case, accents, outer spaces and runs of spaces.
pub(super) fn bare(name: &str) -> String {
    let plain: String = name.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A path in composed form (NFC), as RFC 5198 wants text on the wire, with INBOX in its usual case.
pub(super) fn composed(path: &FolderPath) -> FolderPath {
    FolderPath::new(path.levels().iter().enumerate().map(|(n, level)| {
        if n == 0 && level.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { level.nfc().collect() }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_case_and_composition_but_not_accents() {
        assert_eq!(fold("São Paulo"), fold("SA\u{303}O PAULO"));
        assert_ne!(fold("São Paulo"), fold("Sao Paulo"));
        assert_eq!(fold("ΣΑΣ"), fold("σασ"));
        assert_eq!(bare("  Lixo   Eletrônico\t"), bare("lixo eletronico"));
    }
}
