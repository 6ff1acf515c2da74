//! Which shard a process is, by what the engine that started it has put into its environment.

use std::fmt;

use super::shard::Shard;

/// Something that starts many processes, and how it numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Launcher {
    name: &'static str,
    /// The number of a process.
    index: &'static str,
    /// The number of the first one: its variable, or 0 or 1.
    first: First,
    /// From one number to the next, if that need not be 1.
    step: Option<&'static str>,
    /// How many there are; `None`: it does not tell.
    of: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Is(u32),
    Told(&'static str),
}

const fn plain(name: &'static str, index: &'static str, of: Option<&'static str>) -> Launcher {
    Launcher { name, index, first: First::Is(0), step: None, of }
}

/// In each element of it Slurm sets `SLURM_PROCID` to 0.
const ARRAY: Launcher = Launcher {
    name: "a Slurm job array",
    index: "SLURM_ARRAY_TASK_ID",
    first: First::Told("SLURM_ARRAY_TASK_MIN"),
    step: Some("SLURM_ARRAY_TASK_STEP"),
    of: Some("SLURM_ARRAY_TASK_COUNT"),
};

/// The innermost first: where Slurm starts an `mpirun` its own numbers are those of the nodes.
const LAUNCHERS: [Launcher; 6] = [
    plain("Open MPI", "OMPI_COMM_WORLD_RANK", Some("OMPI_COMM_WORLD_SIZE")),
    plain("MPICH", "PMI_RANK", Some("PMI_SIZE")),
    plain("Slurm's srun", "SLURM_PROCID", Some("SLURM_STEP_NUM_TASKS")),
    plain("PMIx", "PMIX_RANK", None),
    plain("Kubernetes", "JOB_COMPLETION_INDEX", None),
    Launcher {
        name: "GNU parallel",
        index: "PARALLEL_SEQ",
        first: First::Is(1),
        step: None,
        of: None,
    },
];

/// No shard can be told from the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Nothing of what is known has started this process.
    #[error(
        "nothing in the environment says which shard this is: there is no {}; say it as i/n",
        names()
    )]
    Nobody,
    /// The engine numbers its processes, and does not say how many there are.
    #[error("{launcher} does not say how many shards there are: say it, as in auto/4")]
    NoSize {
        /// What started the process.
        launcher: &'static str,
    },
    /// There is another number of processes than was said.
    #[error("{launcher} has started {of} processes, and {said} shards were said")]
    OtherSize {
        /// What started the process.
        launcher: &'static str,
        /// So many it started.
        of: u32,
        /// So many were said.
        said: u32,
    },
    /// A variable is missing, or holds no such number.
    #[error("{launcher} has started this process, but {variable} is {value}; say the shard as i/n")]
    Odd {
        /// What started the process.
        launcher: &'static str,
        /// The variable.
        variable: &'static str,
        /// What it is.
        value: String,
    },
    /// The process is one of several in one of several jobs.
    #[error(
        "this is process {inner} in job {array} of an array: which of them are the shards? Say it as i/n, \
         such as $SLURM_PROCID/$SLURM_STEP_NUM_TASKS"
    )]
    Both {
        /// The process in the job.
        inner: Shard,
        /// The job in the array.
        array: Shard,
    },
}

fn names() -> String {
    let all = [ARRAY].into_iter().chain(LAUNCHERS);
    let all: Vec<String> = all.map(|of| format!("{} ({})", of.index, of.name)).collect();
    let (last, others) = all.split_last().unwrap_or_else(|| unreachable!("there are launchers"));
    format!("{} and no {last}", others.join(", "))
}

impl Launcher {
    fn number(
        self,
        variable: &'static str,
        of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<u32, LaunchError> {
        let text = of(variable);
        let number = text.as_deref().and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| {
            let value = text.map_or_else(
                || "not set".to_owned(),
                |text| format!("'{}'", text.escape_debug().take(40).collect::<String>()),
            );
            LaunchError::Odd { launcher: self.name, variable, value }
        })
    }

    /// Which one this process is, if this has started it.
    fn shard(
        self,
        said: Option<u32>,
        of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Shard>, LaunchError> {
        if of(self.index).is_none() {
            return Ok(None);
        }
        let launcher = self.name;
        let number = self.number(self.index, of)?;
        let first = match self.first {
            First::Is(first) => first,
            First::Told(variable) => self.number(variable, of)?,
        };
        let step = match self.step {
            Some(variable) if of(variable).is_some() => self.number(variable, of)?,
            _ => 1,
        };
        let told = self.of.map(|variable| self.number(variable, of)).transpose()?;
        let size = match (told, said) {
            (Some(of), Some(said)) if of != said => {
                return Err(LaunchError::OtherSize { launcher, of, said });
            }
            (Some(of), _) | (None, Some(of)) => of,
            (None, None) => return Err(LaunchError::NoSize { launcher }),
        };
        let index = number.checked_sub(first).filter(|beyond| beyond.checked_rem(step) == Some(0));
        let index = index.and_then(|beyond| beyond.checked_div(step));
        index.and_then(|index| Shard::new(index, size).ok()).map(Some).ok_or_else(|| {
            let value = format!("{number} of {size} from {first} in steps of {step}");
            LaunchError::Odd { launcher, variable: self.index, value }
        })
    }
}

/// A shard that is said, or is to be told from the environment. Text form: `i/n`, `auto`, or
/// `auto/n` where the environment does not tell how many there are.
///
/// ```
/// use loadgen_core::{Shard, ShardSpec};
///
/// let said: ShardSpec = "1/4".parse()?;
/// assert_eq!(said.resolve()?, Shard::new(1, 4)?);
/// assert!("auto/0".parse::<ShardSpec>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardSpec {
    /// This one.
    Is(Shard),
    /// That of the environment, of so many, if that is said.
    Auto(Option<u32>),
}

impl std::str::FromStr for ShardSpec {
    type Err = crate::error::PlanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Auto(None)),
            // As the first of so many it has to be one.
            Some(of) => {
                let first: Shard = format!("0{of}").parse().map_err(|_| Shard::wrong(text))?;
                Ok(Self::Auto(Some(first.of())))
            }
            None => text.parse().map(Self::Is),
        }
    }
}

impl fmt::Display for ShardSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(shard) => shard.fmt(f),
            Self::Auto(None) => f.write_str("auto"),
            Self::Auto(Some(of)) => write!(f, "auto/{of}"),
        }
    }
}

impl ShardSpec {
    /// The shard. Job arrays of Slurm are looked for first, since each of their elements is
    /// process 0 of its own; then Open MPI, MPICH (and Intel MPI), srun, PMIx, the index of a
    /// Kubernetes Job, and GNU parallel. The last three do not tell how many there are.
    ///
    /// # Errors
    /// [`LaunchError`] if the environment does not tell it.
    pub fn resolve(self) -> Result<Shard, LaunchError> {
        self.resolve_by(&|variable| std::env::var(variable).ok())
    }

    fn resolve_by(self, of: &dyn Fn(&str) -> Option<String>) -> Result<Shard, LaunchError> {
        let said = match self {
            Self::Is(shard) => return Ok(shard),
            Self::Auto(said) => said,
        };
        let is_there = |launcher: &&Launcher| of(launcher.index).is_some();
        let inner = LAUNCHERS.iter().find(is_there);
        let Some(array) = [ARRAY].iter().find(is_there).copied() else {
            let shard = inner.map(|launcher| launcher.shard(said, of)).transpose()?;
            return shard.flatten().ok_or(LaunchError::Nobody);
        };
        // An array that has one element says nothing.
        let array = array.shard(None, of)?.filter(|array| array.of() > 1);
        let inner = inner.map(|launcher| launcher.shard(None, of).ok().flatten()).flatten();
        let inner = inner.filter(|inner| inner.of() > 1);
        let shard = match (array, inner) {
            (Some(array), Some(inner)) => return Err(LaunchError::Both { inner, array }),
            (one, other) => one.or(other).ok_or(LaunchError::Nobody)?,
        };
        match said {
            Some(said) if said != shard.of() => {
                Err(LaunchError::OtherSize { launcher: ARRAY.name, of: shard.of(), said })
            }
            _ => Ok(shard),
        }
    }
}
