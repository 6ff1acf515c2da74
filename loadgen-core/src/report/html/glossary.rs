//! The words of a report, explained to its readers: those of `docs/terminology.md`,
//! which is linked here (a package holds a copy), so that page and documentation cannot disagree.

use super::escape;

/// Tables of two columns under headings of the second level; in their cells there is
/// no other markup than code and links.
const TERMINOLOGY: &str = include_str!("terminology.md");

/// The definitions, folded.
pub(super) fn definitions(page: &mut String) {
    page.push_str("<details>\n<summary>What the words mean</summary>\n<dl>\n");
    for (word, meaning) in words() {
        page.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(&word), escape(&meaning)));
    }
    page.push_str("</dl>\n</details>\n");
}

/// Every word and its meaning, as plain text.
fn words() -> impl Iterator<Item = (String, String)> {
    let cells = |line: &'static str| {
        let (word, meaning) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        Some((plain(word), plain(meaning)))
    };
    TERMINOLOGY.lines().filter_map(cells).filter(|(word, _)| word != "word")
}

/// Text without the marks of code and links.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((name, after)) = link.split_once("](") else {
            rest = link;
            continue;
        };
        plain.push_str(name);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No row of a table is passed over, and nothing is left of its markup.
    #[test]
    fn all_words_are_told_as_they_are_written() {
        let rows = TERMINOLOGY.lines().filter(|line| line.starts_with('|')).count();
        let tables = TERMINOLOGY.lines().filter(|line| line.starts_with("|---")).count();
        let words: Vec<_> = words().collect();
        assert!(tables > 0 && words.len() == rows - 2 * tables, "{words:#?}");
        let mut page = String::new();
        definitions(&mut page);
        for (word, meaning) in words {
            assert!(!word.is_empty() && !meaning.is_empty(), "{word}: {meaning}");
            assert!(!meaning.contains(['`', '[', ']', '|']), "{word}: {meaning}");
            let line = format!("<dt>{}</dt><dd>{}</dd>", escape(&word), escape(&meaning));
            assert!(page.contains(&line), "{line}");
        }
    }
}
