//! Values that were computed elsewhere (SciPy, statsmodels, enumeration, exact fractions,
//! quadrature, Storm), for the tests of more than one room.

use serde_json::Value;

/// The cases of a group: what goes in, and what has to come out.
pub(crate) fn cases(group: &str) -> Vec<(Value, Value)> {
    let all: Value = serde_json::from_str(include_str!("../tests/vectors.json")).unwrap();
    let cases = all[group].as_array().unwrap();
    assert!(!cases.is_empty(), "{group}");
    cases.iter().map(|case| (case["input"].clone(), case["expect"].clone())).collect()
}

/// A number by its name.
#[track_caller]
pub(crate) fn number(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("{name} of {of}"))
}

/// Relative 1e-9, and absolute 1e-12 for what is 0 or a probability.
#[track_caller]
pub(crate) fn close(name: &str, expected: &Value, got: f64) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{name}: {expected}"));
    let off = (expected - got).abs();
    assert!(off <= (1e-9 * expected.abs()).max(1e-12), "{name}: {expected} and not {got}");
}
