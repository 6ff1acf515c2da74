//! An expression cut into its parts.

use super::ExpressionError;

/// A part of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Number(f64),
    Name(&'a str),
    /// An operator or a parenthesis.
    Mark(&'static str),
}

/// Operators and parentheses; those that begin others come after them.
const MARKS: [&str; 15] =
    ["<=", ">=", "==", "!=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "(", ")"];

impl Token<'_> {
    /// As it is told to people.
    pub(super) fn told(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.to_owned(),
            Self::Mark(mark) => mark.to_owned(),
        }
    }
}

/// All of them, with the character at which each begins, from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut at = 1;
    while let Some(c) = rest.chars().next() {
        let end =
            |inside: &dyn Fn(char) -> bool| rest.find(|c: char| !inside(c)).unwrap_or(rest.len());
        let mark = MARKS.iter().find(|mark| rest.starts_with(**mark));
        let length = if c.is_whitespace() {
            c.len_utf8()
        } else if c.is_ascii_digit() || c == '.' {
            let length = number_length(rest);
            let (number, _) = rest.split_at(length);
            let value = number.parse().ok().filter(|value: &f64| value.is_finite());
            let value = value.ok_or_else(|| ExpressionError::expected(at, "a number", number))?;
            tokens.push((at, Token::Number(value)));
            length
        } else if c.is_ascii_alphabetic() || c == '_' {
            let length = end(&|c| c.is_ascii_alphanumeric() || c == '_');
            tokens.push((at, Token::Name(rest.split_at(length).0)));
            length
        } else if let Some(mark) = mark {
            tokens.push((at, Token::Mark(mark)));
            mark.len()
        } else {
            let instead = match c {
                '=' => "'=='",
                '&' => "'&&'",
                '|' => "'||'",
                _ => "a number, a name or an operator",
            };
            return Err(ExpressionError::expected(at, instead, &c.to_string()));
        };
        let (read, after) = rest.split_at(length);
        at += read.chars().count();
        rest = after;
    }
    Ok(tokens)
}

/// Of digits, a point and an exponent at the start.
fn number_length(text: &str) -> usize {
    let mut before = ' ';
    let mut inside = |c: char| {
        let belongs = c.is_ascii_alphanumeric()
            || c == '.'
            || (matches!(c, '+' | '-') && matches!(before, 'e' | 'E'));
        before = c;
        belongs
    };
    text.find(|c: char| !inside(c)).unwrap_or(text.len())
}
