//! What a migration costs in energy.

/// Energy that the hosts use for a migration beside what they use anyway: `E = a V_mig + b` (Liu,
/// Xu, Jin, Gong & Liao, HPDC 2011; Wei 2011 could not be reached).
///
/// The coefficients are those of two hosts and one network: fit your own from a meter
/// ([`Line`](crate::stats::Line)).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TransferEnergy {
    /// Joules for each megabyte (10⁶ bytes) that is sent.
    pub joules_a_megabyte: f64,
    /// Joules for each migration.
    pub joules: f64,
}

/// As Liu et al. 2011 are quoted: 0.512 J/MB and 20.165 J. **Not checked**: the paper's own page
/// could not be reached.
pub const LIU_2011: TransferEnergy = TransferEnergy { joules_a_megabyte: 0.512, joules: 20.165 };

impl TransferEnergy {
    /// With coefficients of one's own.
    #[must_use]
    pub fn new(joules_a_megabyte: f64, joules: f64) -> Self {
        Self { joules_a_megabyte, joules }
    }

    /// Joules of a migration that sends so many **megabytes** (10⁶ bytes).
    ///
    /// ```
    /// use loadgen_core::model::migration::LIU_2011;
    ///
    /// assert!((LIU_2011.of(682.5) - 369.605).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn of(&self, megabytes: f64) -> f64 {
        self.joules_a_megabyte * megabytes + self.joules
    }
}
