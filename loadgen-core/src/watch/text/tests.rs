use super::*;
use crate::watch::FreezeKind;
use crate::watch::samples::{freeze, length, summary};

#[test]
fn a_freeze_is_one_line() {
    assert_eq!(
        render_freeze(&freeze()),
        "2026-11-28T13:56:30.024Z  froze for 381 to 402 ms until 13:56:30.430Z; service; gap: \
         kept-alive 401 ms, new 406 ms; lost: 1 connection, 3 calls"
    );
    let mut open = freeze();
    (open.until, open.until_s, open.own_ms) = (None, None, 40.4);
    (open.length_ms, open.fresh, open.kind) = (length(381.25, None), None, FreezeKind::Unknown);
    assert_eq!(
        render_freeze(&open),
        "2026-11-28T13:56:30.024Z  froze for at least 381 ms, and is frozen still; unknown; gap: \
         kept-alive 401 ms, new -; lost: 1 connection, 3 calls; loadgen itself paused 40 ms"
    );
}

#[test]
fn a_summary_fits_a_terminal() {
    let summary = summary();
    let text = render_summary(&summary);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}
