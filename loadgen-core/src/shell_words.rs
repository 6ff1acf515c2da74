//! A line cut into words as a shell cuts it: blanks, `'…'`, `"…"` and backslash.
//! Nothing else: no variables, no commands, no patterns, no redirections.

/// A line that cannot be cut into words: it has a quotation without an end, which begins
/// with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quotation that begins with {0} is not closed")]
pub struct Unclosed(pub char);

/// Cuts a line into words. A backslash at the end of the line is itself.
///
/// # Errors
///
/// [`Unclosed`] where a quotation does not end.
pub fn split(line: &str) -> Result<Vec<String>, Unclosed> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => single(&mut rest, word.get_or_insert_default())?,
            '"' => double(&mut rest, word.get_or_insert_default())?,
            '\\' => match rest.next() {
                Some('\n') => {}
                escaped => word.get_or_insert_default().push(escaped.unwrap_or('\\')),
            },
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), Unclosed> {
    for c in rest {
        match c {
            '\'' => return Ok(()),
            quoted => word.push(quoted),
        }
    }
    Err(Unclosed('\''))
}

/// Between double quotes a backslash counts only before the characters that a shell
/// would treat; so `"X-A: b\n"` keeps its `\n`, which httperf then reads.
fn double(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), Unclosed> {
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match rest.next() {
                Some('\n') | None => {}
                Some(escaped @ ('$' | '`' | '"' | '\\')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
            },
            quoted => word.push(quoted),
        }
    }
    Err(Unclosed('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    #[test]
    fn quotes_and_backslashes_are_those_of_a_shell() {
        assert_eq!(words(r#"--uri "/a b" --hog "#), ["--uri", "/a b", "--hog"]);
        assert_eq!(words(r#"--add-header "X-A: cfg\n""#), ["--add-header", r"X-A: cfg\n"]);
        assert_eq!(words(r#"a'b "c'"d e"\ f"#), [r#"ab "cd e f"#]);
        assert_eq!(words(r#""" '' x"#), ["", "", "x"]);
        assert_eq!(words(r#""\$\"\\\`\q""#), [r#"$"\`\q"#]);
        assert_eq!(words("  \t"), [""; 0]);
        assert_eq!(words(r"a\"), [r"a\"]);
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(
            words(r#""$HOME" `id` $(id) ; rm * > x"#),
            ["$HOME", "`id`", "$(id)", ";", "rm", "*", ">", "x"]
        );
    }

    #[test]
    fn an_open_quotation_is_an_error() {
        assert_eq!(split("a 'b"), Err(Unclosed('\'')));
        assert_eq!(split(r#"a "b\""#), Err(Unclosed('"')));
    }

    proptest::proptest! {
        #[test]
        fn words_are_never_longer_than_the_line(line in ".{0,80}") {
            if let Ok(words) = split(&line) {
                let length: usize = words.iter().map(String::len).sum();
                proptest::prop_assert!(length <= line.len());
            }
        }

        #[test]
        fn single_quoted_words_come_back(words in proptest::collection::vec("[^']{0,12}", 0..5)) {
            let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            proptest::prop_assert_eq!(split(&line.join(" ")).unwrap(), words);
        }
    }
}
