//! When a machine is moved.

/// When a machine is moved.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Timer {
    /// Never.
    None,
    /// After times that follow an exponential law, as plain chains have it. It overstates the
    /// downtime by far where moves are scheduled.
    Exponential {
        /// The mean interval in hours.
        interval_h: f64,
    },
    /// Always after the same time: what a schedule does.
    Deterministic {
        /// The interval in hours.
        interval_h: f64,
    },
    /// After some stages of equal exponential laws: the more, the closer to a schedule.
    Erlang {
        /// How many stages, from 1 to 10,000.
        stages: u32,
        /// The mean interval in hours, of all of them together.
        interval_h: f64,
    },
}

impl Timer {
    /// The interval in hours, if there is one.
    #[must_use]
    pub fn interval_h(self) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Exponential { interval_h }
            | Self::Deterministic { interval_h }
            | Self::Erlang { interval_h, .. } => Some(interval_h),
        }
    }

    /// The same law with another interval, in hours.
    #[must_use]
    pub fn with_interval_h(self, interval_h: f64) -> Self {
        match self {
            Self::None => Self::None,
            Self::Exponential { .. } => Self::Exponential { interval_h },
            Self::Deterministic { .. } => Self::Deterministic { interval_h },
            Self::Erlang { stages, .. } => Self::Erlang { stages, interval_h },
        }
    }
}
