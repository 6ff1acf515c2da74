//! What an experiment looks like: text, HTML, CSV, and JSON against its schema.

use roxmltree::{Document, ParsingOptions};
use serde_json::{Value, json};

use super::invented::trial;
use crate::experiment::*;
use crate::model::Strategy;
use crate::model::migration::Dirtying;
use crate::model::strategies::{Limits, Scenario};
use crate::prediction::{CellPrediction, PredictionReport, PredictionSource};
use crate::report::schema_tests::Schema;

/// Three blocks of two sizes and two strategies, with all that can happen in them.
fn sample() -> Summary {
    let (plan, trials) = made();
    Summary::of(&plan, trials).unwrap()
}

fn made() -> (ExperimentPlan, Vec<Trial>) {
    let design = Design::new(7)
        .with_seed(3)
        .with_warm_up_blocks(1)
        .with_factor(Factor::new("memory", ["512MiB", "1GiB"]))
        .with_factor(Factor::new("strategy", ["pre-copy", "post-copy"]));
    let mut plan = ExperimentPlan::new(design).with_name("sizes and strategies");
    plan = plan.with_load("rate", "100");
    let cells = plan.design.cells().unwrap();
    let mut trials: Vec<Trial> = Vec::new();
    let push = |trials: &mut Vec<Trial>, block: u32, cell: usize, repeats: u32, bad: bool| {
        let index = trials.len() as u32 + 1;
        // Looks random and never changes.
        let noise = f64::from((index * 37 + 11) % 101) / 101.0;
        let total = [4_000.0, 3_000.0, 8_000.0, 6_000.0][cell] * (0.95 + 0.1 * noise);
        let mut one = trial(index, block + 1, &cells[cell], "total_migration_time_ms", total);
        let outage = [120.0, 300.0, 130.0, 320.0][cell] * (0.9 + 0.2 * noise);
        one.figures.metrics.insert("outage_established_ms".to_owned(), Some(outage));
        let lost = f64::from((index * 7) % 3);
        one.figures.metrics.insert("calls_lost".to_owned(), Some(lost));
        one.figures.metrics.insert("unreachable_ms".to_owned(), None);
        one.position = trials.iter().filter(|t| t.block == block + 1).count() as u32 + 1;
        (one.repeats, one.warm_up) = (repeats, block == 0);
        one.report = Some(format!("trials/{index:04}/report.json"));
        if bad {
            one.status =
                if index.is_multiple_of(2) { TrialStatus::Failed } else { TrialStatus::Invalid };
            one.reason = Some("the machine <did> not come up\u{1b}[2J".to_owned());
            one.report = None;
            one.figures = Figures::default();
        }
        (one.boot, one.since_boot) = (Some(index), Some(1));
        one.load_average = Some(0.25);
        one.values.insert("socket".to_owned(), "/run/vm".to_owned());
        trials.push(one);
    };
    for block in 0..6 {
        let order = plan.design.order(block).unwrap();
        for (place, cell) in order.iter().enumerate() {
            push(&mut trials, block, *cell, 0, block == 2 && place < 2);
        }
        if block == 2 {
            push(&mut trials, block, order[0], 1, false);
            push(&mut trials, block, order[1], 1, false);
        }
    }
    trials.last_mut().unwrap().figures.lower_bounds.insert("outage_established_ms".to_owned());
    trials.last_mut().unwrap().degraded = true;
    // One that is far off, and a cell with two modes.
    let far = trials.iter_mut().rfind(|trial| trial.cell["memory"] == "1GiB").unwrap();
    far.figures.metrics.insert("total_migration_time_ms".to_owned(), Some(40_000.0));
    (plan, trials)
}

#[test]
fn text() {
    let text = render_text(&sample());
    insta::assert_snapshot!("experiment_text", text);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    for line in text.lines().filter(|line| line.starts_with("  *") || line.starts_with("  (")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn nothing_measured() {
    let plan = ExperimentPlan::new(Design::new(3));
    let none = Summary::of(&plan, Vec::new()).unwrap();
    let text = render_text(&none);
    assert!(text.contains("unfinished") && text.contains("3 still to be made"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    assert_eq!(render_csv(&none).lines().count(), 1);
    page(&none);
}

fn page(summary: &Summary) -> String {
    page_of(summary, None)
}

fn page_of(summary: &Summary, directory: Option<&std::path::Path>) -> String {
    let page = render_html(summary, directory);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&page, options).unwrap();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let tag = node.tag_name().name();
        assert!(!["script", "img", "link", "iframe"].contains(&tag), "<{tag}>");
        let foreign = |a: roxmltree::Attribute<'_, '_>| ["src", "href"].contains(&a.name());
        assert!(!node.attributes().any(foreign));
    }
    page
}

#[test]
fn pages_are_well_formed_and_load_nothing() {
    let page = page(&sample());
    // Total migration time, outage, calls lost, and the trials in their order.
    assert_eq!(page.matches("<svg").count(), if cfg!(feature = "charts") { 4 } else { 0 });
    assert!(page.contains("with the other factors held"));
    assert!(page.contains("the machine &lt;did&gt; not come up\\u{1b}[2J"));
    assert!(
        page.contains("Total migration time") && page.contains("coverage") || page.contains("95 %")
    );
}

/// With the reports of trials there is a chart of each cell, the median trial in front.
#[test]
fn response_times_of_all_trials_are_drawn_from_their_reports() {
    let kept = tempfile::tempdir().unwrap();
    let plan = ExperimentPlan::new(Design::new(3).with_factor(Factor::new("x", ["<a>", "b"])));
    let (one, _) = super::invented::experiment(plan, kept.path(), |trial| {
        let mut report = crate::report::sample::pre_copy();
        report.verdict.status = crate::report::VerdictStatus::Valid;
        let outage = report.migration.as_mut().unwrap().outage_ms.established.as_mut().unwrap();
        outage.gap = Some(f64::from(trial.index));
        Ok(report)
    });
    super::invented::run(one).unwrap();
    let summary = Summary::read(kept.path()).unwrap();
    let of = |directory| page_of(&summary, directory).matches("<svg").count();
    assert_eq!(of(Some(kept.path())), of(None) + 4);
    let page = page_of(&summary, Some(kept.path()));
    assert!(page.contains("Response time in each trial") && page.contains("x=&lt;a&gt;"));
    for part in ["before", "during", "after"] {
        assert!(page.contains(&format!("{part} (")), "how many calls {part} has");
    }
    assert!(!page.contains("Not drawn"));
    // A report that is lost costs its line, and nothing else; it is told.
    std::fs::remove_file(kept.path().join("trials/0001/report.json")).unwrap();
    assert_eq!(of(Some(kept.path())), of(None) + 4);
    assert!(page_of(&summary, Some(kept.path())).contains("Not drawn: 1 trial."));
}

#[test]
fn markdown_has_what_the_text_has() {
    let markdown = render_markdown(&sample());
    insta::assert_snapshot!("experiment_markdown", markdown);
    assert!(markdown.contains("the machine \\<did\\> not come up\\\\u{1b}\\[2J"), "{markdown}");
    // Every row of a table has as many cells as its header.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut wanted = None;
    for line in markdown.lines() {
        match line.starts_with('|') {
            true => assert_eq!(*wanted.get_or_insert(cells(line)), cells(line), "{line}"),
            false => wanted = None,
        }
    }
}

#[test]
fn gnuplot_has_every_trial() {
    let summary = sample();
    let script = render_gnuplot(&summary);
    let block = script.split("$trials0 << EOD").nth(1).unwrap().split("EOD").next().unwrap();
    let counting = summary.trials.iter().filter(|trial| trial.counts()).count();
    assert_eq!(
        block.lines().filter(|line| line.split(' ').count() == 3 && !line.starts_with('#')).count(),
        counting,
        "{block}"
    );
    assert!(script.contains("set output \"total_migration_time_ms.svg\""));
    assert!(!script.contains('\u{1b}'));
}

#[test]
fn a_row_a_trial() {
    let summary = sample();
    let csv = render_csv(&summary);
    let mut rows = ::csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<String> = rows.headers().unwrap().iter().map(str::to_owned).collect();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let rows: Vec<::csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), summary.trials.len());
    for (row, trial) in rows.iter().zip(&summary.trials) {
        assert_eq!(row[column("trial")], trial.index.to_string());
        assert_eq!(row[column("factor_memory")], trial.cell["memory"]);
        assert_eq!(row[column("counts")], trial.counts().to_string());
        assert_eq!(row[column("plan_hash")], summary.plan_hash);
        assert_eq!(&row[column("unreachable_ms")], "");
        let total = trial.figures.get("total_migration_time_ms");
        assert_eq!(row[column("total_migration_time_ms")].parse().ok(), total);
    }
    assert!(csv.contains("outage_established_ms,\n"), "the lower bound: {csv}");
    assert!(Metric::all().iter().all(|metric| header.iter().any(|column| column == metric.name)));
}

/// With a prediction for two of the cells.
fn foretold() -> Summary {
    let (plan, trials) = made();
    let summary = Summary::of(&plan, trials).unwrap();
    let scenario = Scenario::new(512e6, 125e6, Dirtying::new(1e6));
    let limits = Limits::default();
    let mut prediction = PredictionReport::new(PredictionSource::numbers(), &limits);
    for (memory, strategy) in [("512MiB", "pre-copy"), ("1GiB", "post-copy")] {
        let mut of = CellPrediction::of(&scenario, &Strategy::ALL, &limits).unwrap();
        of.cell = [("memory", memory), ("strategy", strategy)]
            .map(|(factor, level)| (factor.to_owned(), level.to_owned()))
            .into();
        prediction = prediction.with(of);
    }
    summary.held_against(&prediction, &plan)
}

/// Each cell has its own prediction, and what nobody predicted has no row.
#[test]
fn predictions_stand_beside_the_trials() {
    let summary = foretold();
    let rows: Vec<(&str, &str, &str)> = summary
        .predicted
        .iter()
        .map(|row| (row.cell["memory"].as_str(), row.strategy.as_str(), row.metric.as_str()))
        .collect();
    let total = "total_migration_time_ms";
    assert_eq!(rows, [("512MiB", "pre-copy", total), ("1GiB", "post-copy", total)]);
    let row = &summary.predicted[1];
    // 512 MB over 125 MB/s.
    assert!((row.predicted - 4096.0).abs() < 1e-9, "{row:?}");
    assert!((row.error.unwrap() - (row.predicted / row.median - 1.0)).abs() < 1e-12);
    let text = render_text(&summary);
    assert!(text.contains("Predicted beforehand") && text.contains("4096.0 ms"), "{text}");
    assert!(!render_text(&sample()).contains("Predicted beforehand"));
}

fn schema() -> Schema {
    Schema::read("experiment.schema.json")
}

#[test]
fn experiments_keep_to_the_schema_and_have_no_field_that_it_lacks() {
    let mut modes = foretold();
    let spread = modes.cells[0].metrics.get_mut("total_migration_time_ms").unwrap();
    spread.two_groups = Some((1.0, 2.0));
    let document = serde_json::to_value(&modes).unwrap();
    schema().validate(&document);
    schema().strict().validate(&document);
    let missing = schema().not_in(&[document]);
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_schema_refuses_what_is_no_experiment() {
    let good = serde_json::to_value(sample()).unwrap();
    let changes: [fn(&mut Value); 5] = [
        |v| v["schema"] = json!("loadgen-experiment/2"),
        |v| v["trials"][0]["status"] = json!("lost"),
        |v| v["comparisons"][0]["verdict"] = json!("equal"),
        |v| v["cells"][0]["metrics"]["calls_lost"]["coverage"] = json!(1.5),
        |v| {
            v.as_object_mut().unwrap().remove("plan_hash");
        },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(!schema().takes(&bad), "change {i}");
    }
}

#[test]
fn a_summary_is_read_back_and_says_where_it_is_damaged() {
    let summary = sample();
    let json = summary.to_json_pretty().unwrap();
    assert_eq!(Summary::from_json(&json).unwrap(), summary);
    // A later version may have added fields.
    let mut later: Value = serde_json::from_str(&json).unwrap();
    later["tool"]["version"] = json!("9.9.9");
    later["something"] = json!({"new": 1});
    assert_eq!(Summary::from_json(&later.to_string()).unwrap().trials, summary.trials);
    later["cells"][1]["n"] = json!("many");
    let error = Summary::from_json(&later.to_string()).unwrap_err().to_string();
    assert!(error.contains("cells[1].n") && error.contains("9.9.9"), "{error}");
    assert!(Summary::from_json("{}").is_err());
    let report = crate::report::sample::plain().to_json_pretty().unwrap();
    let error = Summary::from_json(&report).unwrap_err().to_string();
    assert!(error.contains("loadgen-report/1") && error.contains("loadgen-experiment/1"));
}

/// The same settings have the same hash, whatever is varied; others have another one.
#[test]
fn the_hash_is_of_the_settings() {
    let of = |plan: ExperimentPlan| Summary::of(&plan, Vec::new()).unwrap().plan_hash;
    let plan = || ExperimentPlan::new(Design::new(3)).with_load("rate", "1");
    let more = ExperimentPlan::new(Design::new(9).with_seed(4)).with_load("rate", "1");
    assert_eq!(of(plan()), of(more.with_name("x")));
    assert_ne!(of(plan()), of(plan().with_load("rate", "2")));
    assert_ne!(of(plan().with_load("a", "bc")), of(plan().with_load("ab", "c")));
}

/// On a machine that is brought back, the first trial after a boot may be another one.
#[test]
fn first_trials_after_a_boot_are_shown_apart() {
    assert!(!render_text(&sample()).contains("First trials after a boot"));
    let (plan, mut trials) = made();
    let mut counts = [0, 0];
    for trial in &mut trials {
        let is_first = trial.index % 3 == 1;
        trial.since_boot = Some(if is_first { 1 } else { 2 });
        let counted = trial.counts() && trial.figures.get("total_migration_time_ms").is_some();
        counts[usize::from(!is_first)] += u32::from(counted);
        // Twice as long as the others, of the same cell.
        if let Some(Some(total)) = trial.figures.metrics.get_mut("total_migration_time_ms") {
            *total = if is_first { 2_000.0 } else { 1_000.0 };
        }
    }
    let summary = Summary::of(&plan, trials).unwrap();
    let text = render_text(&summary);
    let at = text.find("First trials after a boot").expect(&text);
    let row = text[at..].lines().find(|line| line.trim_start().starts_with("total migration time"));
    let row = row.unwrap();
    let words: Vec<&str> = row.split_whitespace().skip(3).collect();
    let [first, later] = counts.map(|count| count.to_string());
    assert_eq!((words[0], words[2]), (&*first, &*later), "{row}");
    let over = |word: &str| word.trim_end_matches('×').parse::<f64>().unwrap();
    assert!(over(words[1]) > over(words[3]), "{row}");
}

#[test]
fn a_difference_that_is_not_alike_everywhere_is_told_as_such() {
    let design = Design::new(7)
        .with_factor(Factor::new("memory", ["512MiB", "1GiB"]))
        .with_factor(Factor::new("strategy", ["pre-copy", "post-copy"]));
    let plan = ExperimentPlan::new(design);
    let cells = plan.design.cells().unwrap();
    // Twice the memory: nothing to a pre-copy's outage, and twice a post-copy's.
    let told = |outages: [f64; 4]| {
        let mut trials = Vec::new();
        for block in 1..=7_u32 {
            for (place, cell) in plan.design.order(block - 1).unwrap().into_iter().enumerate() {
                let index = trials.len() as u32 + 1;
                let noise = 1.0 + f64::from((index * 37 + 11) % 101) / 2020.0;
                let (metric, outage) = ("outage_established_ms", outages[cell] * noise);
                let mut one = trial(index, block, &cells[cell], metric, outage);
                one.position = place as u32 + 1;
                trials.push(one);
            }
        }
        let text = render_text(&Summary::of(&plan, trials).unwrap());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(cells[1].to_levels()["strategy"], "post-copy");
    let unlike = told([300.0, 500.0, 300.0, 1000.0]);
    let (_, of_memory) = unlike.split_once("memory=1GiB has 1.").unwrap();
    assert!(of_memory.contains("pairs); not alike everywhere: "), "{unlike}");
    assert!(of_memory.contains("with strategy=pre-copy, "), "{unlike}");
    let alike = told([300.0, 500.0, 600.0, 1000.0]);
    assert!(alike.contains("memory=1GiB has ") && !alike.contains("not alike"), "{alike}");
}
