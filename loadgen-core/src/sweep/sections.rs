//! What a sweep says to a person: the answer first, then tables of finished
//! cells, which text and HTML lay out alike.

use super::migrations;
use super::point::SweepPoint;
use super::report::SweepReport;
use super::search::SearchEnding;
use crate::report::CallsFileReport;
use crate::report::sections::{Section, calls_file, cell, is_lower_bound};
use crate::report::text::{paragraph, render_section};

/// The sweep as text, with a newline at its end.
#[must_use]
pub fn render_text(sweep: &SweepReport) -> String {
    let mut out = String::new();
    paragraph(&mut out, "", &title(sweep));
    for (name, value) in lines(sweep) {
        paragraph(&mut out, &format!("  {name:<12}"), &value);
    }
    for answer in answers(sweep) {
        paragraph(&mut out, "  * ", &answer);
    }
    for section in sections(sweep) {
        render_section(&mut out, &section);
    }
    out
}

pub(super) fn title(sweep: &SweepReport) -> String {
    let what = if sweep.search.is_some() { "Search for the highest rate" } else { "Sweep" };
    let interrupted = if sweep.interrupted { " (interrupted)" } else { "" };
    format!("{what}{interrupted}: {}", sweep.plan.target().url())
}

/// What the figures are of.
pub(super) fn lines(sweep: &SweepReport) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(first) = sweep.points.first() {
        lines.push(("started", first.started_at.clone()));
    }
    let steps = match &sweep.search {
        Some(search) => format!(
            "{} runs: attempts of {}, confirmations of {}",
            sweep.points.len(),
            cell::setting(search.settings.attempt_s),
            cell::setting(search.settings.confirmation_s)
        ),
        None => {
            let of = sweep.steps_per_s.len().max(sweep.points.len());
            let done = sweep.points.iter().filter(|point| !point.interrupted).count();
            // Steps that end with their connections have no length of their own.
            let each = sweep.plan.duration_s.map(|s| format!(" of {}", cell::setting(s)));
            format!("{done} of {of} steps{}", each.unwrap_or_default())
        }
    };
    lines.push(("steps", format!("{steps}, pause {}", cell::setting(sweep.pause_s))));
    if !sweep.objectives.is_empty() {
        lines.push(("objectives", sweep.objectives.join(", ")));
    }
    if let Some(file) = &sweep.calls_file {
        lines.push(("calls", calls_file(file)));
    }
    if let Some(environment) = &sweep.environment {
        let threads = match environment.threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        lines.push(("from", format!("{threads}, kernel {}", environment.kernel)));
    }
    lines
}

/// What was found, in sentences.
pub(super) fn answers(sweep: &SweepReport) -> Vec<String> {
    let mut answers = Vec::new();
    let rate = cell::rate;
    answers.extend(sweep.calls_file.as_ref().and_then(CallsFileReport::lack));
    if sweep.has_migrations() {
        return vec![migrations::answer(sweep)];
    }
    if let Some(search) = &sweep.search {
        answers.push(search_answer(sweep));
        if search.settings.tolerance >= 0.2 {
            answers.push("the tolerance is wide: a lower one narrows the answer".to_owned());
        }
    } else if !sweep.objectives.is_empty() {
        let curve = sweep.curve();
        let next = curve.iter().find(|point| point.held != Some(true));
        let unknown = next.filter(|point| point.held.is_none()).map(|p| rate(p.demanded_per_s));
        answers.push(match (sweep.held_up_to_per_s, unknown) {
            (Some(held), None) => format!("objectives held up to {}", rate(held)),
            (Some(held), Some(at)) => {
                format!("objectives held up to {}; they could not be judged at {at}", rate(held))
            }
            (None, None) => "objectives not held at the lowest rate".to_owned(),
            (None, Some(at)) => format!("objectives could not be judged at {at}, the lowest rate"),
        });
    }
    if sweep.search.is_none() {
        answers.push(match sweep.knee {
            Some(knee) => format!(
                "knee at {} (between {} and {}): the greatest answered rate by mean response time",
                rate(knee.at_per_s),
                knee.below_per_s.map_or_else(|| "0/s".to_owned(), rate),
                rate(knee.above_per_s)
            ),
            None => "knee not reached: a higher rate still costs little response time".to_owned(),
        });
    }
    let left_out = |is_so: fn(&SweepPoint) -> bool| -> Vec<String> {
        sweep.curve().into_iter().filter(|p| is_so(p)).map(|p| rate(p.demanded_per_s)).collect()
    };
    let spoilt = left_out(|point| point.is_generators_fault() || point.is_distorted());
    if sweep.search.is_none() && !spoilt.is_empty() {
        answers.push(format!(
            "left out of the knee: {}, where the generator itself was late",
            spoilt.join(", ")
        ));
    }
    let spoilt = left_out(SweepPoint::is_generators_fault);
    if !spoilt.is_empty() {
        answers.push(format!(
            "left out of the saturation: {}, which say nothing of the server",
            spoilt.join(", ")
        ));
    }
    answers.push(match sweep.saturation {
        Some(full) => match full.keeps_up_per_s {
            Some(keeps_up) => format!(
                "saturation between {} and {}: from there the server does not keep up",
                rate(keeps_up),
                rate(full.falls_behind_per_s)
            ),
            None => format!(
                "saturation below {}, the lowest rate: the server never kept up",
                rate(full.falls_behind_per_s)
            ),
        },
        None => "saturation not reached: the server kept up with every rate".to_owned(),
    });
    answers
}

fn search_answer(sweep: &SweepReport) -> String {
    let Some(search) = &sweep.search else { return String::new() };
    let holds = cell::rate_or_none(search.holds_per_s);
    let fails = cell::rate_or_none(search.fails_per_s);
    let so_far = match (search.holds_per_s, search.fails_per_s) {
        (Some(_), Some(_)) => format!("; so far: {holds} holds, {fails} does not"),
        (Some(_), None) => format!("; so far: {holds} holds"),
        (None, Some(_)) => format!("; so far: {fails} does not hold"),
        (None, None) => String::new(),
    };
    match &search.end {
        Some(SearchEnding::Found) => {
            format!("the highest rate that holds is {holds} (confirmed); {fails} does not hold")
        }
        Some(SearchEnding::HoldsAtHighest) => {
            format!("the highest rate allowed, {holds}, holds (confirmed): the limit is above it")
        }
        Some(SearchEnding::NothingHolds) => {
            format!("not even the lowest rate allowed, {fails}, holds")
        }
        Some(SearchEnding::NotValid(reason)) => format!(
            "no result: the generator, not the server, came to its limit{so_far}. Twice in a row \
             a run was not valid: {reason}"
        ),
        Some(SearchEnding::RunsUsedUp) => {
            format!("no result within {} runs{so_far}", search.settings.most_runs)
        }
        None => format!("the search did not come to its end{so_far}"),
    }
}

pub(super) fn sections(sweep: &SweepReport) -> Vec<Section> {
    let mut sections = vec![steps(sweep)];
    let doubts: Vec<String> = sweep
        .points
        .iter()
        .flat_map(|point| point.verdict.reasons.iter().map(move |reason| (point, reason)))
        .map(|(point, reason)| format!("{}: {reason}", cell::rate(point.demanded_per_s)))
        .collect();
    if let Some(first) = sections.first_mut() {
        first.notes.extend(doubts);
    }
    sections.extend(migrations::section(sweep));
    sections.extend(errors(sweep));
    sections
}

/// One row a run: by rate for a sweep, in their order for a search.
fn steps(sweep: &SweepReport) -> Section {
    let mut points: Vec<&SweepPoint> = sweep.points.iter().collect();
    let is_search = sweep.search.is_some();
    if !is_search {
        points.sort_by(|a, b| a.demanded_per_s.total_cmp(&b.demanded_per_s));
    }
    let rows = points.into_iter().map(|point| row(point, is_search)).collect();
    let is_of_sessions = sweep.is_of_sessions();
    let mut columns = vec![if is_of_sessions { "sessions demanded" } else { "demanded" }];
    if is_search {
        columns.extend(["run", "length"]);
    }
    columns.extend(["answered", "p50", "p90", "p99", "p99.9", "max", "lost", "left over"]);
    columns.extend(["held", "verdict"]);
    let mut notes = vec![
        "lost: failed, shed, unfinished, or not as expected; left over: calls that the server was behind with \
         when the load ended, of those offered; – too few calls to say"
            .to_owned(),
    ];
    if is_of_sessions {
        notes.push("demanded: sessions a second; all other figures are of calls".to_owned());
    }
    Section {
        title: if is_search { "Runs, in their order" } else { "Steps" }.to_owned(),
        scope:
            "calls with an intended start in the measured part of each run; response times from \
                the intended start"
                .to_owned(),
        columns,
        rows,
        text_columns: 2,
        notes,
    }
}

fn row(point: &SweepPoint, is_search: bool) -> Vec<String> {
    let (response, counts) = (&point.response_time, &point.counts);
    let time = |us: Option<f64>, q: f64| {
        let mut text = cell::micros_or_none(us);
        if us.is_some() && is_lower_bound(response.count, counts.censored, q) {
            text.insert_str(0, "≥ ");
        }
        text
    };
    let mut row = vec![cell::rate(point.demanded_per_s)];
    if is_search {
        row.push(point.kind.word().to_owned());
        row.push(format!("{:.1} s", point.measured_s));
    }
    row.extend([
        cell::rate_or_none(point.rates.answered_per_s),
        time(response.p50_us, 0.5),
        time(response.p90_us, 0.9),
        time(response.p99_us, 0.99),
        time(response.p99_9_us, 0.999),
        time(response.max_us, 1.0 - f64::EPSILON),
        cell::share(point.lost(), counts.offered),
        point.left_over.map_or_else(|| cell::NONE.to_owned(), |s| format!("{:.1} %", s * 100.0)),
    ]);
    row.push(held_word(point.held).to_owned());
    let mut verdict = point.verdict.status.name().to_owned();
    if point.interrupted {
        verdict.push_str(", interrupted");
    }
    row.push(verdict);
    row
}

fn held_word(held: Option<bool>) -> &'static str {
    match held {
        Some(true) => "yes",
        Some(false) => "no",
        None => cell::NONE,
    }
}

/// Failed calls by class and rate; `None` without any.
fn errors(sweep: &SweepReport) -> Option<Section> {
    let rows: Vec<Vec<String>> = sweep
        .points
        .iter()
        .flat_map(|point| point.errors.iter().map(move |(class, count)| (point, class, count)))
        .filter(|(_, _, count)| **count > 0)
        .map(|(point, class, count)| {
            let share = cell::share(*count, point.counts.offered);
            vec![cell::rate(point.demanded_per_s), cell::count(*count), share, class.clone()]
        })
        .collect();
    (!rows.is_empty()).then(|| Section {
        title: "Errors".to_owned(),
        scope: "failed calls by demanded rate and class".to_owned(),
        columns: vec!["demanded", "calls", "of offered", "class"],
        rows,
        text_columns: 1,
        notes: Vec::new(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::knee::Saturation;
    use super::super::point::tests::run;
    use super::super::report::SearchReport;
    use super::super::search::{Search, SearchSettings, Verdict};
    use super::super::steps::Steps;
    use super::*;

    /// Four steps, of which the last is beyond the capacity of 310/s.
    pub(crate) fn sample() -> SweepReport {
        let steps = Steps::range(100.0, 400.0, 100.0).unwrap();
        let slos = ["error-rate<1%".parse().unwrap()];
        let mut sweep = SweepReport::new(run(1.0, 1.0, 1.0).plan);
        sweep.plan.duration_s = Some(10.0);
        sweep.steps_per_s = steps.rates().to_vec();
        sweep.objectives = vec!["error-rate<1%".to_owned()];
        sweep.pause_s = 1.0;
        for (rate, answered, mean_ms) in [
            (100.0, 100.0, 20.0),
            (200.0, 200.0, 21.0),
            (300.0, 300.0, 40.0),
            (400.0, 310.0, 900.0),
        ] {
            let mut report = run(rate, answered, mean_ms);
            report.response_time.p50_us = Some(mean_ms * 950.0);
            report.response_time.p90_us = Some(mean_ms * 1200.0);
            report.response_time.p99_us = Some(mean_ms * 1500.0);
            report.response_time.max_us = Some(mean_ms * 2000.0);
            report.response_time.p99_9_us = None;
            let point = SweepPoint::of(rate, &report).judged(&slos, &report);
            sweep.push(point, &report.environment);
        }
        sweep
    }

    pub(crate) fn searched(verdict: impl Fn(f64) -> Verdict) -> SweepReport {
        let settings = SearchSettings::within(100.0, 5000.0);
        let mut search = Search::new(settings).unwrap();
        let mut sweep = sample();
        sweep.points.clear();
        while let Some(attempt) = search.next() {
            search.tell(verdict(attempt.rate_per_s));
            let report = run(attempt.rate_per_s, attempt.rate_per_s.min(700.0), 20.0);
            let mut point = SweepPoint::of(attempt.rate_per_s, &report);
            point.kind = attempt.kind;
            sweep.search = Some(SearchReport::of(settings, &search));
            sweep.push(point, &report.environment);
        }
        sweep
    }

    #[test]
    fn a_sweep_as_text() {
        let text = render_text(&sample());
        assert!(text.contains("objectives held up to 300/s"), "{text}");
        assert!(text.contains("knee at 200/s (between 100/s and 300/s)"), "{text}");
        assert!(text.contains("saturation between 300/s and 400/s"), "{text}");
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    }

    #[test]
    fn a_search_says_what_it_found_or_why_not() {
        let held = |limit: f64| {
            move |rate: f64| if rate <= limit { Verdict::Held } else { Verdict::Breached }
        };
        let text = |sweep: SweepReport| render_text(&sweep);
        let found = text(searched(held(700.0)));
        assert!(found.contains("the highest rate that holds is 6"), "{found}");
        assert!(found.contains("confirmation"), "{found}");
        assert!(text(searched(held(9000.0))).contains("5000/s, holds (confirmed)"));
        assert!(text(searched(held(1.0))).contains("not even the lowest rate allowed, 100/s"));
        let late = text(searched(|rate| {
            if rate > 500.0 { Verdict::Invalid("late".to_owned()) } else { Verdict::Held }
        }));
        assert!(late.contains("no result: the generator"), "{late}");
        assert!(!late.contains("confirmed"), "{late}");
    }

    #[test]
    fn an_empty_sweep_has_no_figures() {
        let text = render_text(&SweepReport::new(run(1.0, 1.0, 1.0).plan));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert_eq!(Saturation::of(&[]), None);
    }

    #[test]
    fn there_and_back_as_json() {
        for sweep in [sample(), searched(|_| Verdict::Held), searched(|_| Verdict::Breached)] {
            let json = sweep.to_json_pretty().unwrap();
            assert_eq!(SweepReport::from_json(&json).unwrap(), sweep);
        }
        // As earlier versions wrote it.
        let sweep = searched(|_| Verdict::Held);
        let json = sweep.to_json_pretty().unwrap();
        let before = json.replace("\"attempt_s\"", "\"probe_s\"");
        let before = before.replace("\"attempt\"", "\"probe\"");
        assert_ne!(before, json);
        assert_eq!(SweepReport::from_json(&before).unwrap(), sweep);
        let report = run(1.0, 1.0, 1.0).to_json_pretty().unwrap();
        let error = SweepReport::from_json(&report).unwrap_err().to_string();
        assert!(error.contains("loadgen-report/1") && error.contains("loadgen-sweep/1"), "{error}");
        assert!(SweepReport::from_json("{}").is_err());
    }
}
