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

const OPEN_MPI: Launcher = plain("Open MPI", "OMPI_COMM_WORLD_RANK", Some("OMPI_COMM_WORLD_SIZE"));
const MPICH: Launcher = plain("MPICH", "PMI_RANK", Some("PMI_SIZE"));
const SRUN: Launcher = plain("Slurm's srun", "SLURM_PROCID", Some("SLURM_STEP_NUM_TASKS"));
const PMIX: Launcher = plain("PMIx", "PMIX_RANK", None);

/// All that are known.
const LAUNCHERS: [Launcher; 7] = [
    Launcher {
        name: "a Slurm job array",
        index: "SLURM_ARRAY_TASK_ID",
        first: First::Told("SLURM_ARRAY_TASK_MIN"),
        step: Some("SLURM_ARRAY_TASK_STEP"),
        of: Some("SLURM_ARRAY_TASK_COUNT"),
    },
    OPEN_MPI,
    MPICH,
    SRUN,
    PMIX,
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
    /// Several have started it, one within the other, and do not say the same.
    #[error(
        "{one} says that this is shard {shard}, and {other} that it is {other_shard}: say which of them \
         are meant, as i/n, such as $SLURM_PROCID/$SLURM_STEP_NUM_TASKS"
    )]
    Both {
        /// One of them.
        one: &'static str,
        /// What it says.
        shard: Shard,
        /// Another one.
        other: &'static str,
        /// What that says.
        other_shard: Shard,
    },
}

fn names() -> String {
    let all: Vec<String> =
        LAUNCHERS.iter().map(|of| format!("{} ({})", of.index, of.name)).collect();
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

    /// Whether it has started this process.
    fn is_there(self, of: &dyn Fn(&str) -> Option<String>) -> bool {
        // The script of a job has the number of a process, too, and is none of a step.
        of(self.index).is_some() && (self != SRUN || SRUN.of.and_then(of).is_some())
    }

    /// Which one this process is, of what has started it.
    fn shard(
        self,
        said: Option<u32>,
        of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Shard, LaunchError> {
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
        index.and_then(|index| Shard::new(index, size).ok()).ok_or_else(|| {
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
    /// The shard. The environment is looked through for a Slurm job array, Open MPI, MPICH (and Intel
    /// MPI), srun, PMIx, the index of a Kubernetes Job, and GNU parallel. The last three do not tell
    /// how many there are. Of one within another (`srun` in each element of a job array) that of the
    /// inner one is taken if the outer one has started only it, and an `mpirun` counts more than the
    /// `srun` around it, whose processes are its nodes.
    ///
    /// # Errors
    /// [`LaunchError`] if the environment does not tell it, or says more than one thing.
    pub fn resolve(self) -> Result<Shard, LaunchError> {
        self.resolve_by(&|variable| std::env::var(variable).ok())
    }

    fn resolve_by(self, of: &dyn Fn(&str) -> Option<String>) -> Result<Shard, LaunchError> {
        let said = match self {
            Self::Is(shard) => return Ok(shard),
            Self::Auto(said) => said,
        };
        let mut found: Vec<Launcher> =
            LAUNCHERS.into_iter().filter(|launcher| launcher.is_there(of)).collect();
        // By it the others talk to the processes that they start.
        if found.iter().any(|launcher| [OPEN_MPI, MPICH, SRUN].contains(launcher)) {
            found.retain(|launcher| *launcher != PMIX);
        }
        let shard = |launcher: Launcher| {
            let alone = said.filter(|_| launcher.of.is_none() || found.len() == 1);
            Ok((launcher, launcher.shard(alone, of)?))
        };
        let mut told: Vec<(Launcher, Shard)> =
            found.iter().copied().map(shard).collect::<Result<_, _>>()?;
        // Who has started one process only says nothing, if there is another.
        if told.iter().any(|(_, shard)| shard.of() > 1) {
            told.retain(|(_, shard)| shard.of() > 1);
        }
        if told.iter().any(|(launcher, _)| [OPEN_MPI, MPICH].contains(launcher)) {
            told.retain(|(launcher, _)| *launcher != SRUN);
        }
        let Some(&(one, shard)) = told.first() else { return Err(LaunchError::Nobody) };
        if let Some(&(other, other_shard)) = told.iter().find(|(_, other)| *other != shard) {
            return Err(LaunchError::Both { one: one.name, shard, other: other.name, other_shard });
        }
        match said {
            Some(said) if said != shard.of() => {
                Err(LaunchError::OtherSize { launcher: one.name, of: shard.of(), said })
            }
            _ => Ok(shard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(spec: &str, set: &[(&str, &str)]) -> Result<Shard, LaunchError> {
        let value = |variable: &str| set.iter().find(|(name, _)| *name == variable);
        let of = |variable: &str| value(variable).map(|(_, value)| (*value).to_owned());
        spec.parse::<ShardSpec>().unwrap().resolve_by(&of)
    }

    fn is(spec: &str, set: &[(&str, &str)], shard: &str) {
        assert_eq!(resolved(spec, set).unwrap().to_string(), shard, "{set:?}");
    }

    const ARRAY: [(&str, &str); 5] = [
        ("SLURM_ARRAY_TASK_ID", "7"),
        ("SLURM_ARRAY_TASK_MIN", "3"),
        ("SLURM_ARRAY_TASK_STEP", "2"),
        ("SLURM_ARRAY_TASK_COUNT", "4"),
        ("SLURM_PROCID", "0"),
    ];
    const STEP: [(&str, &str); 2] = [("SLURM_PROCID", "3"), ("SLURM_STEP_NUM_TASKS", "4")];
    const MPI: [(&str, &str); 3] =
        [("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "8"), ("PMIX_RANK", "1")];

    #[test]
    fn each_engine_tells_it() {
        is("auto", &ARRAY, "2/4");
        is("auto", &STEP, "3/4");
        is("auto/4", &STEP, "3/4");
        is("auto", &MPI, "1/8");
        is("auto", &[("PMI_RANK", "0"), ("PMI_SIZE", "2")], "0/2");
        is("auto/3", &[("PMIX_RANK", "2")], "2/3");
        is("auto/5", &[("JOB_COMPLETION_INDEX", "4")], "4/5");
        is("auto/5", &[("PARALLEL_SEQ", "5")], "4/5");
        is("1/2", &STEP, "1/2");
    }

    #[test]
    fn of_one_within_the_other_the_one_that_divides_is_meant() {
        // Processes that Slurm starts to start others, and what they leave in the environment.
        is("auto", &[&STEP[..], &MPI].concat(), "1/8");
        let alone = [("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "1")];
        is("auto", &[&STEP[..], &alone].concat(), "3/4");
        let one = [("PMI_RANK", "0"), ("PMI_SIZE", "1")];
        is("auto", &[&STEP[..], &one].concat(), "3/4");
        let same = [("PMI_RANK", "3"), ("PMI_SIZE", "4")];
        is("auto", &[&STEP[..], &same].concat(), "3/4");
        let of_one = [("SLURM_PROCID", "0"), ("SLURM_STEP_NUM_TASKS", "1")];
        is("auto", &[&ARRAY[..4], &of_one].concat(), "2/4");
        is("auto", &of_one, "0/1");
        // GNU parallel in the script of a job.
        is("auto/4", &[("SLURM_PROCID", "0"), ("PARALLEL_SEQ", "3")], "2/4");
    }

    #[test]
    fn what_is_not_told_or_told_twice_is_refused() {
        let why = |spec, set: &[(&str, &str)]| resolved(spec, set).unwrap_err().to_string();
        assert!(why("auto", &[]).contains("SLURM_ARRAY_TASK_ID (a Slurm job array), "));
        assert!(why("auto", &[("PARALLEL_SEQ", "1")]).contains("auto/4"));
        let job = [("JOB_COMPLETION_INDEX", "1")];
        for set in [
            &[&ARRAY[..4], &STEP].concat()[..],
            &[&job[..], &MPI].concat(),
            &[&job[..], &[("PARALLEL_SEQ", "3")]].concat(),
            &[&ARRAY[..], &[("PARALLEL_SEQ", "1")]].concat(),
        ] {
            let text = why("auto/4", set);
            assert!(text.contains("say which of them are meant"), "{set:?}: {text}");
        }
        assert!(why("auto/5", &STEP).contains("has started 4 processes, and 5 shards were said"));
        let odd = why("auto", &[("PMI_RANK", "x"), ("PMI_SIZE", "2")]);
        assert!(odd.contains("PMI_RANK is 'x'"), "{odd}");
        assert!(why("auto", &[("PMI_RANK", "0")]).contains("PMI_SIZE is not set"));
        assert!(why("auto", &[("PMI_RANK", "2"), ("PMI_SIZE", "2")]).contains("2 of 2 from 0"));
        assert!(why("auto/2", &[("PARALLEL_SEQ", "0")]).contains("PARALLEL_SEQ"));
    }
}
