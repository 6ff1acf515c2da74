//! Asking QEMU itself, at its QMP socket. Nothing is set: all is `query-…`, but for the order to
//! measure.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::LookError;
use super::machine::{DirtyMode, MachineNow, limit};
use super::measuring::{Measured, Measures, PAGES_OF_ITSELF, Reading, samples};
use super::spec::LookSpec;
use crate::migration::qmp::{QmpAddress, Session, busy, memory_bytes};
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// All that QEMU tells into `now`, and what it measures.
pub(super) fn ask(
    address: &QmpAddress,
    spec: &LookSpec,
    now: &mut MachineNow,
    pause: &mut dyn FnMut(Duration),
) -> Result<(), LookError> {
    let session = Session::alone(address)?;
    let mut qemu = Qemu {
        session,
        place: now.source.clone(),
        mode: spec.mode,
        pages: None,
        is_chosen: spec.pages_per_gib.is_some(),
    };
    now.hypervisor = Some(qemu.session.version.clone());
    qemu.check()?;
    now.memory_bytes = memory_bytes(&mut qemu.session)?;
    if spec.mode == DirtyMode::DirtyBitmap {
        qemu.check_kvm()?;
    } else {
        qemu.pages = now.memory_bytes.map(|memory| spec.pages(memory)).or(spec.pages_per_gib);
    }
    now.name = qemu.told("query-name")?.and_then(|told| Some(told["name"].as_str()?.to_owned()));
    now.balloon_bytes = qemu.told("query-balloon")?.and_then(|told| told["actual"].as_u64());
    now.capabilities = qemu.told("query-migrate-capabilities")?.map(|told| are_on(&told));
    if let Some(told) = qemu.told("query-migrate-parameters")? {
        let number = |name: &str| told[name].as_u64();
        now.max_bandwidth_bytes_per_s = number("max-bandwidth").and_then(limit);
        now.max_postcopy_bandwidth_bytes_per_s = number("max-postcopy-bandwidth").and_then(limit);
        now.switchover_bandwidth_bytes_per_s = number("avail-switchover-bandwidth").and_then(limit);
        now.downtime_limit_s = number("downtime-limit").map(|ms| ms as f64 / 1e3);
    }
    now.dirty = samples(&mut qemu, spec, now.memory_bytes, pause)?;
    Ok(())
}

fn are_on(capabilities: &Value) -> Vec<String> {
    let all = capabilities.as_array().into_iter().flatten();
    let on = all.filter(|capability| capability["state"] == true);
    on.filter_map(|capability| Some(capability["capability"].as_str()?.to_owned())).collect()
}

/// QEMU, and how it is to measure.
struct Qemu {
    session: Session,
    place: String,
    mode: DirtyMode,
    /// Pages of each GiB; `None`: as QEMU has it.
    pages: Option<u32>,
    /// Whether somebody wants so many, and no others.
    is_chosen: bool,
}

impl Qemu {
    /// What it tells, if it can.
    fn told(&mut self, question: &str) -> Result<Option<Value>, TriggerError> {
        Ok(self.session.ask(Side::Source, question, Value::Null)?.ok())
    }

    /// Without KVM, QEMU 7.2 looks for KVM's state in answer to this mode, and crashes.
    fn check_kvm(&mut self) -> Result<(), LookError> {
        match self.told("query-kvm")? {
            Some(kvm) if kvm["enabled"] == true => Ok(()),
            _ => Err(LookError::NeedsKvm { place: self.place() }),
        }
    }

    fn too_old(&self, what: &'static str, since: &'static str) -> LookError {
        LookError::TooOld { place: self.place(), what, since }
    }
}

impl Measures for Qemu {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn check(&mut self) -> Result<(), LookError> {
        // Events, of which none is waited for.
        self.session.forget();
        let status = self.session.execute(Side::Source, "query-status", Value::Null)?;
        if status["running"] != true {
            let state = status["status"].as_str().unwrap_or("in an unknown state").to_owned();
            return Err(LookError::NotRunning { place: self.place(), state });
        }
        match busy(&mut self.session, Side::Source)? {
            Some(state) => Err(LookError::Busy {
                place: self.place(),
                job: format!("a migration (its state is {state})"),
            }),
            None => Ok(()),
        }
    }

    fn begin(&mut self, over_s: u32) -> Result<Option<u32>, LookError> {
        let mut order = json!({ "calc-time": over_s });
        match self.mode {
            DirtyMode::DirtyBitmap => order["mode"] = self.mode.name().into(),
            DirtyMode::PageSampling => {
                if let Some(pages) = self.pages {
                    order["sample-pages"] = pages.into();
                }
            }
        }
        let Err(error) = self.session.ask(Side::Source, "calc-dirty-rate", order)? else {
            let is_sampled = self.mode == DirtyMode::PageSampling;
            return Ok(is_sampled.then(|| self.pages.unwrap_or(PAGES_OF_ITSELF)));
        };
        if error.class == "CommandNotFound" {
            return Err(self.too_old("calc-dirty-rate", "QEMU 5.2"));
        }
        if error.desc.contains("'sample-pages' is unexpected") {
            if self.is_chosen {
                return Err(self.too_old("a number of pages to sample", "QEMU 6.1"));
            }
            self.pages = None;
            return self.begin(over_s);
        }
        if error.desc.contains("'mode' is unexpected") {
            return Err(self.too_old("the mode dirty-bitmap", "QEMU 6.2"));
        }
        let what = format!("calc-dirty-rate ({})", self.place);
        Err(TriggerError::refused(what, error.desc).into())
    }

    fn read(&mut self) -> Result<Reading, LookError> {
        let told = match self.session.ask(Side::Source, "query-dirty-rate", Value::Null)? {
            Ok(told) => told,
            Err(error) if error.class == "CommandNotFound" => {
                return Err(self.too_old("query-dirty-rate", "QEMU 5.2"));
            }
            Err(error) => {
                let what = format!("query-dirty-rate ({})", self.place);
                return Err(TriggerError::refused(what, error.desc).into());
            }
        };
        let number = |name: &str| told[name].as_u64();
        let small = |name: &str| number(name).and_then(|value| u32::try_from(value).ok());
        Ok(match (told["status"].as_str(), small("calc-time"), number("dirty-rate")) {
            (Some("unstarted"), ..) => Reading::Unstarted,
            (Some("measuring"), ..) => Reading::Measuring,
            // A rate of -1 stands for a measurement that failed.
            (Some("measured"), Some(over_s), Some(rate)) => Reading::Measured(Measured {
                over_s,
                rate,
                mode: told["mode"].as_str().map(str::to_owned),
                pages_per_gib: small("sample-pages"),
            }),
            _ => Reading::Nonsense(told.to_string().chars().take(200).collect()),
        })
    }
}
