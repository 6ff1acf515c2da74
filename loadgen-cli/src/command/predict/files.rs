//! `--plan` and `--availability`: what is described by a file.

use std::path::Path;

use loadgen_core::model::availability::ModelFile;
use loadgen_core::model::planning::Evacuation;
use loadgen_core::prediction::{
    AvailabilityReport, EvacuationReport, render_availability_text, render_evacuation_text,
};
use loadgen_core::recordings::mean_downtime_s;

use crate::exit::{Exit, Failure};
use crate::messages::warning;
use crate::options::Format;
use crate::output::Place;

/// Plans the move of several machines.
pub(super) fn plan(file: &Path, format: Format, place: &Place) -> Result<Exit, Failure> {
    let evacuation = Evacuation::read(file).map_err(Failure::usage)?;
    let planned = evacuation.plan().map_err(|error| refused(file, &error))?;
    let report = EvacuationReport::new(planned);
    let json = || Ok(report.to_json_pretty().map_err(anyhow::Error::from)?);
    let text = match format {
        Format::Text => render_evacuation_text(&report),
        Format::Json => json()?,
    };
    let delivered = place.write(&text, json)?;
    if report.planned.plan().is_some() {
        return Ok(delivered);
    }
    warning(match report.planned.reasons().is_empty() {
        true => "no plan was found that holds the limits",
        false => "no plan can hold the limits",
    });
    Ok(if delivered == Exit::Done { Exit::Breached } else { delivered })
}

/// The long run of a chain or net, or the same for PRISM and Storm.
pub(super) fn availability(
    file: &Path,
    export: bool,
    format: Format,
    place: &Place,
) -> Result<Exit, Failure> {
    let of_trials = |directory: &Path| mean_downtime_s(directory).map_err(|e| e.to_string());
    let model = ModelFile::read_with_trials(file, &of_trials).map_err(Failure::usage)?;
    if export {
        let chain = model.to_chain().map_err(|error| refused(file, &error))?;
        let text = chain.to_prism();
        return place.write(&text, || Ok(text.clone()));
    }
    let report = AvailabilityReport::of(&model, &file.display().to_string())
        .map_err(|error| refused(file, &error))?;
    let json = || Ok(report.to_json_pretty().map_err(anyhow::Error::from)?);
    let text = match format {
        Format::Text => render_availability_text(&report),
        Format::Json => json()?,
    };
    place.write(&text, json)
}

fn refused(file: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::usage(format!("'{}': {error}", file.display()))
}
