//! What a user reads of the two migrations that teach most: a switch that learns the
//! machine's new place 3 s late, and connections that are reset after the resume.

use super::*;
use crate::report::{render_html, render_text, sample};

/// The head and what the users felt, as text; the page must tell the same figures.
fn told(run: &Run) -> String {
    let Impact { migration, reasons } = run.impact();
    let mut report = sample::plain();
    report.migration = Some(migration);
    report.verdict.add(reasons);
    let page = render_html(&report);
    assert!(page.contains("connections lost") && page.contains("outage, established"));
    let text = render_text(&report);
    let end = text.find("\nResponse time before").unwrap();
    let start = text.find("  verdict").unwrap();
    text[start..end].to_owned()
}

/// Calls of both populations: 100 a second each, every one 2 ms, unanswered in `dark`.
fn both(dark: (Nanos, Nanos)) -> Run {
    let mut run = Run::new();
    let call_at = |k: Nanos| {
        let at = k * 10 * MS;
        let stuck = (dark.0..dark.1).contains(&at);
        call(at, if stuck { dark.1 + 3 * MS } else { at + 2 * MS })
    };
    run.calls = (0..1000).map(call_at).collect();
    let fresh = run.calls.clone().into_iter().map(|c| CallRecord {
        load: 0,
        population: Population::Fresh,
        tag: 0,
        reused: false,
        ..c
    });
    run.calls.extend(fresh.collect::<Vec<_>>());
    run.events.retain(|e| !matches!(e.kind, EventKind::Round(_)));
    run.without(&EventKind::Resume).with(EventKind::Resume, 5_015 * MS)
}

fn end(ended: Nanos, loss: Option<Cause>) -> ConnectionEnd {
    ConnectionEnd {
        opened: 0,
        alive: 4_950 * MS,
        ended,
        load: 0,
        population: Population::Established,
        loss,
        again: u32::from(loss.is_some()),
    }
}

#[test]
fn a_switch_that_learns_late() {
    let mut run = both((5_000 * MS, 8_173 * MS));
    run.connections = Some((0..64).map(|_| end(Nanos::MAX, None)).collect());
    insta::assert_snapshot!(told(&run));
}

#[test]
fn connections_reset_after_the_resume() {
    let mut run = both((5_000 * MS, 5_045 * MS));
    let reset = |k: Nanos| end((5_050 + 10 * k) * MS, Some(Cause::Reset));
    run.connections = Some((0..64).map(reset).collect());
    run.settled.as_mut().unwrap().reason = None;
    insta::assert_snapshot!(told(&run));
}

#[test]
fn a_reason_of_many_lines_is_told_in_one() {
    let mut run = both((5_000 * MS, 5_045 * MS));
    let settled = run.settled.as_mut().unwrap();
    settled.ending = Ending::Failed;
    settled.reason = Some("channel error:\n  no route to host\n".to_owned());
    let text = told(&run);
    assert!(text.contains("channel error: no route to host"), "{text}");
    assert!(!text.contains("\\u{a}"), "{text}");
}
