//! A planned move of several machines, as a document and for people.

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::model::planning::{Move, Outcome, Plan, Planned};
use crate::report::json::{document, read_planless, written};
use crate::report::sections::{Section, cell};
use crate::report::text::{paragraph, render_section};
use crate::report::{ReportError, Tool};

/// The schema of the document.
const SCHEMA: &str = "loadgen-evacuation/1";

/// A planned move: `loadgen-evacuation/1`. Bytes, bytes a second and seconds throughout.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct EvacuationReport {
    /// `loadgen-evacuation/1`.
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// When it was made: RFC 3339.
    pub made_at: String,
    /// The plan, or why there is none.
    pub planned: Planned,
}

impl EvacuationReport {
    /// A document of what came of planning.
    #[must_use]
    pub fn new(planned: Planned) -> Self {
        let made_at = rfc3339(std::time::SystemTime::now());
        Self { schema: SCHEMA.to_owned(), tool: Tool::this(), made_at, planned }
    }

    /// Reads one back. Unknown fields are passed over.
    ///
    /// # Errors
    /// [`ReportError`], as of [`Report::from_json`](crate::Report::from_json).
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        read_planless(document(text, SCHEMA)?)
    }

    /// As JSON, indented, with a newline at its end.
    ///
    /// # Errors
    /// [`ReportError::Write`] if a number cannot stand in JSON, which is a defect.
    pub fn to_json_pretty(&self) -> Result<String, ReportError> {
        written(self)
    }
}

/// A planned move as text, with a newline at its end.
#[must_use]
pub fn render_evacuation_text(report: &EvacuationReport) -> String {
    let planned = &report.planned;
    let mut out = String::new();
    let name = if planned.name.is_empty() { "" } else { ": " };
    let title = format!("Plan of a move (nothing was moved){name}{}", planned.name);
    paragraph(&mut out, "", &title);
    let machines = cell::counted(planned.machines as u64, "machine");
    paragraph(&mut out, "  machines  ", &format!("{machines} to move"));
    paragraph(&mut out, "  at least  ", &planned.lower_bound.to_string());
    match &planned.outcome {
        Outcome::Found { plan } => found(&mut out, planned, plan),
        Outcome::Impossible { reasons } => {
            paragraph(&mut out, "  plan      ", "there is none:");
            for reason in reasons {
                paragraph(&mut out, "  * ", &reason.to_string());
            }
        }
        Outcome::NotFound { best, violations } => {
            let none = "none was found that holds the limits, and nothing says that there is none";
            paragraph(&mut out, "  plan      ", none);
            for violation in violations {
                paragraph(&mut out, "  * ", &violation.to_string());
            }
            if let Some(plan) = best {
                let what = "the best that was found, which does not hold them:";
                paragraph(&mut out, "  * ", what);
                render_section(&mut out, &moves(plan));
            }
        }
    }
    out
}

fn found(out: &mut String, planned: &Planned, plan: &Plan) {
    let time = |s: f64| cell::millis(s * 1e3);
    let near = match planned.is_exact {
        true => "the best within the bandwidths that were tried".to_owned(),
        false => format!("at most {} % longer than the best", cell::fixed(plan.gap * 100.0, 1)),
    };
    paragraph(out, "  plan      ", &format!("all moved after {}; {near}", time(plan.empty_s)));
    for host in &plan.hosts {
        let state = if host.empty { "is empty" } else { "has sent its machines" };
        paragraph(out, "  host      ", &format!("{} {state} after {}", host.host, time(host.at_s)));
    }
    let sums = format!(
        "{} over the wire; up to {} calls fall into an outage",
        cell::bytes(plan.sent as u64),
        cell::count(plan.lost_calls.ceil() as u64)
    );
    paragraph(out, "  costs     ", &sums);
    render_section(out, &moves(plan));
}

fn moves(plan: &Plan) -> Section {
    let time = |s: f64| cell::millis(s * 1e3);
    let row = |of: &Move| {
        vec![
            of.machine.clone(),
            format!("{} → {}", of.from, of.to),
            cell::seconds(of.start_s),
            cell::seconds(of.end_s),
            cell::throughput(of.bandwidth),
            of.downtime_limit_s.map_or_else(|| cell::NONE.to_owned(), time),
            time(of.outage_s),
            of.strategy.name().to_owned(),
        ]
    };
    Section {
        title: "Moves, in the order in which they begin".to_owned(),
        scope: "predicted by models; bandwidth and downtime limit are what the hypervisor is to be told; \
                outage: the downtime and the time to settle"
            .to_owned(),
        columns: vec![
            "machine",
            "from → to",
            "begins",
            "ends",
            "bandwidth",
            "limit",
            "outage",
            "by",
        ],
        rows: plan.moves.iter().map(row).collect(),
        text_columns: 1,
        notes: Vec::new(),
    }
}
