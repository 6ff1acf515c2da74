//! `loadgen compare`: what changed between two experiments, or two lots of reports.

use std::path::{Path, PathBuf};

use loadgen_core::experiment::{
    Change, CompareError, Compared, Metric, Outcome, Rule, Side, compare, headlines, judge,
    render_compared, self_check,
};

use crate::exit::{Exit, Failure};
use crate::messages::{note, warning};
use crate::options::{Format, OutputOptions, number_or_percent};
use crate::output::{Place, check_writable};

/// Tell what changed between two experiments, or two directories of reports
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The first side: an experiment's directory, a directory with reports, or a JSON report
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The second side, which is told to be slower or faster
    #[arg(value_name = "B", required_unless_present = "self_check")]
    b: Option<PathBuf>,

    /// Compare these metrics only, by the names that the JSON has (repeatable) [default: those of
    /// the users and of the migration]
    #[arg(long, value_name = "METRIC", value_delimiter = ',')]
    metric: Vec<String>,

    /// From this difference on the sides are told to differ
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_margin)]
    margin: f64,

    /// Fail if B is shown to be so, such as 'outage_ms.established.median > 500ms' (repeatable)
    ///
    /// METRIC.median or METRIC.mean, > or <, and a limit. It is shown when the whole interval lies
    /// beyond the limit: a gate that fires by chance in at most 5 of 100 runs, for all rules and
    /// cells together.
    #[arg(long, value_name = "RULE", help_heading = "Gate")]
    fail_if: Vec<Rule>,

    /// Fail unless B is shown to be so, such as 'outage_ms.established.median < 500ms' (repeatable)
    ///
    /// For releases: too few trials fail it.
    #[arg(long, value_name = "RULE", help_heading = "Gate")]
    fail_if_not_shown: Vec<Rule>,

    /// Fail if B is told to be slower in any metric
    #[arg(long, value_name = "CHANGE", value_parser = ["slower"], help_heading = "Gate")]
    fail_on: Option<String>,

    /// Split A at random 200 times, and tell how often it is told to be slower than itself
    #[arg(long = "self", conflicts_with_all = ["b", "fail_if", "fail_if_not_shown", "fail_on"],
          help_heading = "Gate")]
    self_check: bool,

    /// Compare although the sides did different things
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    output: OutputOptions,
}

const AFTER: &str = "\
Trials are compared, never calls: exact tests of ranks, corrected for the number of questions. Where
nothing is shown, it says \"can't tell\" and about how many more trials would tell, which is not the
same as \"same\". Two experiments measured one after the other cannot tell a change from a machine
that drifts: 'loadgen experiment A.toml --against B.toml' tries both in the same blocks.

Exit codes: 3 if a gate fails or a rule cannot be judged; others as of every command.

Examples:
  loadgen compare before after
  loadgen compare before after --fail-on slower --fail-if 'outage_ms.established.median > 500ms'
  loadgen compare monday.json tuesday.json
  loadgen compare study --self";

/// How often `--self` splits.
const SPLITS: u32 = 200;

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    let format = args.output.format()?;
    let place = args.output.file().map(Path::to_owned);
    if let Some(place) = &place {
        check_writable(place)?;
    }
    let asked = args.metrics()?;
    let a = Side::read(&args.a).map_err(Failure::usage)?;
    let of_a = || headlines(a.trials.iter().map(|trial| &trial.figures));
    let metrics = asked.unwrap_or_else(of_a);
    let place = Place(place);
    let Some(b) = args.b.as_ref().filter(|_| !args.self_check) else {
        return checked(args, &a, &metrics, format, &place);
    };
    let b = Side::read(b).map_err(Failure::usage)?;
    let compared = compare(&a, &b, &metrics, args.margin, args.force).map_err(|e| refused(&e))?;
    if args.force
        && let Err(CompareError::Plans { differences }) =
            compare(&a, &b, &metrics, args.margin, false)
    {
        let lines: String = differences.iter().map(|line| format!("\n  {line}")).collect();
        warning(&format!("the two sides did different things:{lines}"));
    }
    if compared.hours_apart.is_some() && !args.output.quiet {
        note(
            "to tell a change from drift, try both in the same blocks: loadgen experiment A.toml \
             --against B.toml --out DIR",
        );
    }
    let json = || Ok(compared.to_json_pretty().map_err(anyhow::Error::from)?);
    let text = match format {
        Format::Text => render_compared(&compared),
        Format::Json => json()?,
    };
    let delivered = place.write(&text, json)?;
    let passed = args.gate(&compared, &b);
    Ok(match (delivered, passed) {
        (Exit::Done, false) => Exit::Breached,
        (delivered, _) => delivered,
    })
}

impl Args {
    /// Those that are asked for.
    fn metrics(&self) -> Result<Option<Vec<&'static Metric>>, Failure> {
        if self.metric.is_empty() {
            return Ok(None);
        }
        let named = |name: &String| {
            Metric::named(name).ok_or_else(|| {
                let known: Vec<&str> = Metric::all().iter().map(|metric| metric.name).collect();
                let known = known.join(", ");
                Failure::usage(format!("there is no metric '{name}'; there are {known}"))
            })
        };
        self.metric.iter().map(named).collect::<Result<_, _>>().map(Some)
    }

    /// Whether every gate is passed; says which is not.
    fn gate(&self, compared: &Compared, b: &Side) -> bool {
        let mut passed = true;
        if self.fail_on.is_some() {
            let slower =
                compared.comparisons.iter().filter(|row| row.verdict == Change::Slower).count();
            if slower > 0 {
                warning(&format!("--fail-on slower: B is slower in {slower} comparisons"));
                passed = false;
            }
        }
        let rules: Vec<&Rule> = self.fail_if.iter().chain(&self.fail_if_not_shown).collect();
        let judged = judge(b, &rules);
        let per_rule = judged.len() / rules.len().max(1);
        for (place, judged) in judged.iter().enumerate() {
            let place = place / per_rule.max(1);
            let holds = match place < self.fail_if.len() {
                true => !matches!(judged.outcome, Outcome::Shown | Outcome::CannotJudge),
                false => judged.outcome == Outcome::Shown,
            };
            let told = rules.get(place).map(|rule| rule.told(judged)).unwrap_or_default();
            if !holds {
                warning(&told);
                passed = false;
            } else if !self.output.quiet {
                note(&told);
            }
        }
        passed
    }
}

/// A side against itself.
fn checked(
    args: &Args,
    side: &Side,
    metrics: &[&'static Metric],
    format: Format,
    place: &Place,
) -> Result<Exit, Failure> {
    let check = self_check(side, metrics, args.margin, SPLITS, 1).map_err(|e| refused(&e))?;
    let json = || {
        let json = serde_json::to_string_pretty(&check).map_err(anyhow::Error::from)?;
        Ok(json + "\n")
    };
    let text = match format {
        Format::Json => json()?,
        Format::Text => format!(
            "{} split at random {} times: told to be slower than itself in {} of 100 (95 %: {:.1} to \
             {:.1}), to differ in {} of 100\n",
            side.name,
            check.splits,
            check.slower as f64 * 100.0 / check.splits as f64,
            check.slower_low * 100.0,
            check.slower_high * 100.0,
            check.changed as f64 * 100.0 / check.splits as f64
        ),
    };
    place.write(&text, json)
}

fn refused(error: &CompareError) -> Failure {
    match error {
        CompareError::Plans { .. } => {
            Failure::usage(format!("{error}\nCompare all the same with --force"))
        }
        error => Failure::usage(error),
    }
}

fn parse_margin(text: &str) -> Result<f64, String> {
    let share = number_or_percent(text).filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("'{text}' is no share from 0 to below 1, such as 5%"))
}
