//! How often the machine's kernel is asked.

use loadgen_core::units::parse_rate;

/// A rate that the reach check may have.
pub(crate) fn reach_rate(text: &str) -> Result<f64, String> {
    let rate = parse_rate(text).map_err(|error| error.to_string())?;
    if (1.0..=1000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("the reach check asks 1 to 1000 times a second; --reach-check off switches it off"
            .into())
    }
}
