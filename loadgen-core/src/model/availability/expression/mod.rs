//! Conditions and rewards over the places of a net.

mod tokens;

use crate::printable::printable;
use tokens::{Token, tokens};

/// Parentheses and signs within each other.
const MOST_DEPTH: usize = 64;

/// Characters of an expression.
const MOST_CHARACTERS: usize = 10_000;

/// A number that is computed from the values of names: `VM_A + VM_B > 0`,
/// `(ok == 1) && !(spare == 0)`, `0.5 * degraded`.
///
/// There are numbers, names, parentheses, and in order of how close they bind: `!` and `-` before a
/// value; `*` and `/`; `+` and `-`; `<`, `<=`, `>`, `>=`, `==` and `!=`, of which there may be one
/// between two sums; `&&`; `||`. Conditions are 1 where they hold and 0 where not, and what is not
/// 0 holds.
///
/// ```
/// use loadgen_core::model::availability::Expression;
///
/// let up = Expression::parse("VM_A + VM_B > 0 && hosts / 2 >= 1", &["VM_A", "VM_B", "hosts"])?;
/// assert_eq!(up.value(&[0.0, 1.0, 2.0]), 1.0);
/// assert_eq!(up.value(&[0.0, 0.0, 2.0]), 0.0);
/// let error = Expression::parse("VM_A + ", &["VM_A"]).unwrap_err();
/// assert!(error.to_string().contains("character 7"), "{error}");
/// # Ok::<(), loadgen_core::model::availability::ExpressionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// What to do with a stack of numbers, one after the other: there is no tree that could be too
    /// deep.
    program: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Number(f64),
    /// The value of the name with this number.
    Name(usize),
    Not,
    Negative,
    Two(Operator),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Or,
    And,
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
    Plus,
    Minus,
    Times,
    By,
}

/// Text that is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// Something else should stand there.
    #[error("at character {at}: expected {expected}, and not {found}")]
    Expected {
        /// At which character, from 1.
        at: usize,
        /// What could stand there.
        expected: String,
        /// What does.
        found: String,
    },
    /// A name that has no value.
    #[error("at character {at}: there is no '{}'", printable(.name))]
    UnknownName {
        /// At which character, from 1.
        at: usize,
        /// The name.
        name: String,
    },
    /// Parentheses or signs are too deep within each other.
    #[error("at character {at}: more than {most} parentheses and signs are within each other")]
    TooDeep {
        /// At which character, from 1.
        at: usize,
        /// How many may be.
        most: usize,
    },
    /// It is too long.
    #[error("it has more than {most} characters")]
    TooLong {
        /// How many it may have.
        most: usize,
    },
}

impl ExpressionError {
    fn expected(at: usize, expected: &str, found: &str) -> Self {
        let found = format!("'{}'", printable(found));
        Self::Expected { at, expected: expected.to_owned(), found }
    }
}

impl Expression {
    /// Reads an expression over these names.
    ///
    /// # Errors
    /// [`ExpressionError`] with the character, if it is none, has other names, has more than 64
    /// parentheses within each other, or more than 10,000 characters.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, ExpressionError> {
        if text.chars().count() > MOST_CHARACTERS {
            return Err(ExpressionError::TooLong { most: MOST_CHARACTERS });
        }
        let tokens = tokens(text)?;
        let end = text.trim_end().chars().count() + 1;
        let mut parser = Parser { tokens: &tokens, names, end, program: Vec::new(), depth: 0 };
        parser.either(0)?;
        match parser.tokens.first() {
            None => Ok(Self { program: parser.program }),
            Some(_) => Err(parser.wrong("an operator or the end")),
        }
    }

    /// What it comes to when the names have these values, in the order in which they were given; a
    /// name without a value has 0. Where something is divided by 0, or too large, it is not a
    /// number (NaN), even if what is wrong would be compared with something, or another condition
    /// decided.
    #[must_use]
    pub fn value(&self, values: &[f64]) -> f64 {
        let mut stack: Vec<f64> = Vec::new();
        let mut sound = true;
        for step in &self.program {
            let value = match step {
                Step::Number(number) => *number,
                Step::Name(name) => values.get(*name).copied().unwrap_or(0.0),
                Step::Not => truth(stack.pop().is_some_and(|value| value == 0.0)),
                Step::Negative => -stack.pop().unwrap_or(0.0),
                Step::Two(operator) => {
                    let right = stack.pop().unwrap_or(0.0);
                    operator.of(stack.pop().unwrap_or(0.0), right)
                }
            };
            sound &= value.is_finite();
            stack.push(value);
        }
        if sound { stack.pop().unwrap_or(0.0) } else { f64::NAN }
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

impl Operator {
    /// From those that bind least to those that bind most.
    const LEVELS: [&[(&str, Self)]; 5] = [
        &[("||", Self::Or)],
        &[("&&", Self::And)],
        &[
            ("<", Self::Less),
            ("<=", Self::AtMost),
            (">", Self::More),
            (">=", Self::AtLeast),
            ("==", Self::Equal),
            ("!=", Self::Unequal),
        ],
        &[("+", Self::Plus), ("-", Self::Minus)],
        &[("*", Self::Times), ("/", Self::By)],
    ];

    /// The level of comparisons, which do not follow each other: `a == b == c` is not what it looks
    /// like.
    const COMPARISONS: usize = 2;

    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Or => truth(left != 0.0 || right != 0.0),
            Self::And => truth(left != 0.0 && right != 0.0),
            Self::Less => truth(left < right),
            Self::AtMost => truth(left <= right),
            Self::More => truth(left > right),
            Self::AtLeast => truth(left >= right),
            Self::Equal => truth(left == right),
            Self::Unequal => truth(left != right),
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::By => left / right,
        }
    }
}

/// By recursive descent, of which each turn is counted.
struct Parser<'a> {
    /// What is still to be read.
    tokens: &'a [(usize, Token<'a>)],
    names: &'a [&'a str],
    /// The character behind the last one.
    end: usize,
    program: Vec<Step>,
    depth: usize,
}

impl Parser<'_> {
    /// What the operators of a level join, and those that bind more.
    fn either(&mut self, level: usize) -> Result<(), ExpressionError> {
        let Some(operators) = Operator::LEVELS.get(level) else { return self.signed() };
        self.either(level + 1)?;
        let mut joined = 0;
        while let Some((_, Token::Mark(mark))) = self.tokens.first()
            && let Some((_, operator)) = operators.iter().find(|(known, _)| known == mark)
        {
            if level == Operator::COMPARISONS && joined > 0 {
                return Err(self.wrong("parentheses around one of two comparisons"));
            }
            self.advance();
            self.either(level + 1)?;
            self.program.push(Step::Two(*operator));
            joined += 1;
        }
        Ok(())
    }

    /// A value, or one with a sign before it.
    fn signed(&mut self) -> Result<(), ExpressionError> {
        let sign = match self.tokens.first() {
            Some((_, Token::Mark("!"))) => Step::Not,
            Some((_, Token::Mark("-"))) => Step::Negative,
            _ => return self.plain(),
        };
        self.deeper(|parser| {
            parser.advance();
            parser.signed()
        })?;
        self.program.push(sign);
        Ok(())
    }

    fn plain(&mut self) -> Result<(), ExpressionError> {
        let step = match self.tokens.first() {
            Some((_, Token::Number(number))) => Step::Number(*number),
            Some((at, Token::Name(name))) => {
                let known = self.names.iter().position(|known| known == name);
                let unknown = ExpressionError::UnknownName { at: *at, name: (*name).to_owned() };
                Step::Name(known.ok_or(unknown)?)
            }
            Some((_, Token::Mark("("))) => {
                return self.deeper(|parser| {
                    parser.advance();
                    parser.either(0)?;
                    if !matches!(parser.tokens.first(), Some((_, Token::Mark(")")))) {
                        return Err(parser.wrong("an operator or ')'"));
                    }
                    parser.advance();
                    Ok(())
                });
            }
            _ => return Err(self.wrong("a number, a name or '('")),
        };
        self.advance();
        self.program.push(step);
        Ok(())
    }

    fn deeper(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), ExpressionError>,
    ) -> Result<(), ExpressionError> {
        if self.depth == MOST_DEPTH {
            return Err(ExpressionError::TooDeep { at: self.at(), most: MOST_DEPTH });
        }
        self.depth += 1;
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn advance(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn at(&self) -> usize {
        self.tokens.first().map_or(self.end, |(at, _)| *at)
    }

    fn wrong(&self, expected: &str) -> ExpressionError {
        match self.tokens.first() {
            Some((at, token)) => ExpressionError::expected(*at, expected, &token.told()),
            None => ExpressionError::Expected {
                at: self.end,
                expected: expected.to_owned(),
                found: "the end".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 3] = ["a", "b", "A_ok"];

    fn value(text: &str) -> f64 {
        Expression::parse(text, &NAMES).unwrap().value(&[2.0, 3.0, 1.0])
    }

    #[test]
    fn operators_bind_as_they_are_written_down() {
        for (text, wanted) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("2 - 3 - 4", -5.0),
            ("12 / 3 / 2", 2.0),
            ("-a * -b", 6.0),
            ("- - a", 2.0),
            ("!a + 1", 1.0),
            ("!!a", 1.0),
            ("a + b == 5 && A_ok", 1.0),
            ("a > b || a < b && A_ok == 0", 0.0),
            ("(a > b || a < b) && A_ok != 0", 1.0),
            ("a <= 2", 1.0),
            ("a >= 2.5", 0.0),
            ("1e-3 * 1E+3", 1.0),
            (".5+.5", 1.0),
            ("(A_ok+a==3)&&(b==3)", 1.0),
        ] {
            assert_eq!(value(text), wanted, "{text}");
        }
        for text in ["1 / 0", "0 / 0 == 0", "1 / (a - 2) > 3 || 1", "1e300 * 1e300 > 0"] {
            assert!(value(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn errors_tell_where_and_what() {
        for (text, told) in [
            ("", "at character 1: expected a number, a name or '(', and not the end"),
            ("a + ", "at character 4: expected a number, a name or '(', and not the end"),
            ("a b", "at character 3: expected an operator or the end, and not 'b'"),
            ("(a", "at character 3: expected an operator or ')', and not the end"),
            ("a)", "at character 2: expected an operator or the end, and not ')'"),
            ("a = 1", "at character 3: expected '==', and not '='"),
            ("a & b", "at character 3: expected '&&', and not '&'"),
            (
                "a == b == 1",
                "at character 8: expected parentheses around one of two comparisons, \
              and not '=='",
            ),
            ("é + 1", "at character 1: expected a number, a name or an operator, and not 'é'"),
            (
                "\u{1b}",
                "at character 1: expected a number, a name or an operator, and not \
              '\\u{1b}'",
            ),
            ("a + c", "at character 5: there is no 'c'"),
            ("1.2.3", "at character 1: expected a number, and not '1.2.3'"),
            ("1e999", "at character 1: expected a number, and not '1e999'"),
            ("3x", "at character 1: expected a number, and not '3x'"),
            ("a * * b", "at character 5: expected a number, a name or '(', and not '*'"),
        ] {
            let error = Expression::parse(text, &NAMES).unwrap_err();
            assert_eq!(error.to_string(), told, "{text}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let within = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
        assert_eq!(value(&within(MOST_DEPTH)), 1.0);
        for text in
            [within(MOST_DEPTH + 1), "(".repeat(4_000), "!".repeat(4_000), "-".repeat(4_000)]
        {
            let error = Expression::parse(&text, &NAMES).unwrap_err();
            assert_eq!(error, ExpressionError::TooDeep { at: MOST_DEPTH + 1, most: MOST_DEPTH });
        }
        let long = vec!["a"; 5_000].join("+");
        assert_eq!(value(&long), 10_000.0, "a long sum is not deep");
        let error = Expression::parse(&format!("{long}+a"), &NAMES).unwrap_err();
        assert!(matches!(error, ExpressionError::TooLong { .. }));
    }

    proptest! {
        #[test]
        fn nonsense_is_refused_and_nothing_else(text in "[ab1. !&|=<>()+*/é-]{0,40}") {
            if let Ok(expression) = Expression::parse(&text, &NAMES) {
                let _ = expression.value(&[1.0]);
            }
        }

        #[test]
        fn any_text_at_all(text: String) {
            let _ = Expression::parse(&text, &NAMES);
        }
    }
}
