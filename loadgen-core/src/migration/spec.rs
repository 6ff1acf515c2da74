//! The text that chooses a trigger: `kind:rest`, as `loadgen migrate --trigger`
//! takes it.
//!
//! | SPEC | `rest` |
//! |---|---|
//! | `simulated:KEY=VALUE,…` | checked by the simulated trigger |
//! | `command:PROGRAM ARGS` | words as a shell would split them, but no shell runs: see [`split_words`] |
//! | `qmp:SOCKET,to=URI,…` | see [`QmpOptions`] |
//! | `libvirt:DOMAIN,to=URI,…` | see [`LibvirtOptions`] |
//! | `opennebula:VM,host=HOST,…` | see `OpenNebulaOptions` (feature `clouds`) |
//! | `http:RECIPE.toml,KEY=VALUE,…` | see `RecipeOptions` (feature `clouds`) |
//!
//! In comma-separated lists a comma inside a value is written twice, as QEMU does.

use std::str::FromStr;

use super::command::CommandTrigger;
use super::libvirt::{LibvirtOptions, LibvirtTrigger};
use super::lists::{key_values, spec};
#[cfg(feature = "clouds")]
use super::opennebula::{OpenNebulaOptions, OpenNebulaTrigger};
use super::qmp::{QmpOptions, QmpTrigger};
#[cfg(feature = "clouds")]
use super::recipe::{RecipeOptions, RecipeTrigger};
use super::trigger::{Trigger, TriggerError};
use crate::shell_words;

/// A parsed trigger specification.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TriggerSpec {
    /// The built-in simulation, with its settings in the order given.
    Simulated(Vec<(String, String)>),
    /// A program of the user.
    Command {
        /// The program and its arguments; never empty.
        argv: Vec<String>,
    },
    /// QEMU, through its machine protocol.
    Qmp(QmpOptions),
    /// Libvirt, by virsh.
    Libvirt(LibvirtOptions),
    /// OpenNebula, by its XML-RPC interface.
    #[cfg(feature = "clouds")]
    OpenNebula(OpenNebulaOptions),
    /// Any manager, over HTTP, as a recipe says.
    #[cfg(feature = "clouds")]
    Http(RecipeOptions),
}

const KINDS: &str = if cfg!(feature = "clouds") {
    "simulated, command, qmp, libvirt, opennebula, http"
} else {
    "simulated, command, qmp, libvirt"
};

impl TriggerSpec {
    /// The trigger. That of a simulated machine needs a program besides, which becomes the
    /// machine: see [`SimulatedTrigger::start`](super::SimulatedTrigger::start).
    ///
    /// # Errors
    /// [`TriggerError::Spec`] if its options do not go together, and of a simulated one.
    pub fn into_trigger(self) -> Result<Box<dyn Trigger>, TriggerError> {
        Ok(match self {
            Self::Simulated(_) => {
                return Err(spec("simulated: nothing real is moved by it".to_owned()));
            }
            Self::Command { argv } => Box::new(CommandTrigger::new(argv)?),
            Self::Qmp(options) => Box::new(QmpTrigger::new(options)?),
            Self::Libvirt(options) => Box::new(LibvirtTrigger::new(options)?),
            #[cfg(feature = "clouds")]
            Self::OpenNebula(options) => OpenNebulaTrigger::with_events(options)?,
            #[cfg(feature = "clouds")]
            Self::Http(options) => RecipeTrigger::with_events(options)?,
        })
    }
}

impl FromStr for TriggerSpec {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "simulated" => Ok(Self::Simulated(key_values(rest)?)),
            "command" => {
                let argv = split_words(rest)?;
                if argv.is_empty() {
                    return Err(spec(
                        "command: needs a program, as in command:./migrate.sh web1".to_owned(),
                    ));
                }
                Ok(Self::Command { argv })
            }
            "qmp" => rest.parse().map(Self::Qmp),
            "libvirt" => rest.parse().map(Self::Libvirt),
            #[cfg(feature = "clouds")]
            "opennebula" => rest.parse().map(Self::OpenNebula),
            #[cfg(feature = "clouds")]
            "http" => rest.parse().map(Self::Http),
            #[cfg(not(feature = "clouds"))]
            "opennebula" | "http" => Err(spec(format!(
                "this build has no {kind} trigger: build it with the feature clouds; available: \
                 {KINDS}"
            ))),
            _ => Err(spec(format!(
                "unknown kind '{}'; available: {KINDS}; write KIND:OPTIONS, such as \
                 qmp:/run/vm.sock,to=tcp:10.0.0.2:4444",
                kind.escape_debug()
            ))),
        }
    }
}

/// Splits a command line into words as a POSIX shell does: at blanks, except in
/// `'single quotes'` (all literal), in `"double quotes"` (where a backslash counts
/// before `"`, `\`, `$` and `` ` `` alone), and after a backslash. Nothing is expanded: no
/// `$`, no `~`, no `*`, no `|`; for these name a shell: `command:sh -c '…'`.
///
/// # Errors
/// [`TriggerError::Spec`] if a quote is not closed.
pub fn split_words(text: &str) -> Result<Vec<String>, TriggerError> {
    shell_words::split(text).map_err(|error| spec(format!("{error} in '{}'", text.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<TriggerSpec>().unwrap_err().to_string()
    }

    #[test]
    fn words_are_split_as_by_a_shell() {
        let words = |text| split_words(text).unwrap();
        assert_eq!(words("  a  b\tc "), ["a", "b", "c"]);
        assert_eq!(
            words(r#"sh -c 'echo "x"; exit 1' '' "#),
            ["sh", "-c", r#"echo "x"; exit 1"#, ""]
        );
        assert_eq!(words(r#""a \"b\" \n \\" c\ d e'f'"g""#), [r#"a "b" \n \"#, "c d", "efg"]);
        assert_eq!(words("$HOME ~ *"), ["$HOME", "~", "*"]);
        for bad in ["'a", "\"a", "\"a\\"] {
            let error = split_words(bad).unwrap_err().to_string();
            assert!(error.contains("is not closed"), "{error}");
        }
    }

    #[test]
    fn kinds() {
        assert_eq!("simulated".parse::<TriggerSpec>().unwrap(), TriggerSpec::Simulated(vec![]));
        assert_eq!(
            "simulated:memory=512MiB,strategy=post-copy".parse::<TriggerSpec>().unwrap(),
            TriggerSpec::Simulated(vec![
                ("memory".into(), "512MiB".into()),
                ("strategy".into(), "post-copy".into())
            ])
        );
        assert_eq!(
            "command:./m.sh 'web 1'".parse::<TriggerSpec>().unwrap(),
            TriggerSpec::Command { argv: vec!["./m.sh".into(), "web 1".into()] }
        );
        let TriggerSpec::Qmp(options) = "qmp:/run/a,,b.sock,to=tcp:h:1".parse().unwrap() else {
            panic!("not qmp")
        };
        assert_eq!(options.socket.to_string(), "/run/a,b.sock");
        let TriggerSpec::Libvirt(options) = "libvirt:web,to=qemu+ssh://b/system".parse().unwrap()
        else {
            panic!("not libvirt")
        };
        assert_eq!((&*options.domain, &*options.to), ("web", "qemu+ssh://b/system"));
    }

    #[test]
    fn refusals_say_what_exists() {
        assert!(refusal("vmware:x").contains("unknown kind 'vmware'; available: simulated"));
        if cfg!(feature = "clouds") {
            assert!(refusal("opennebula:0").contains("needs host=HOST"));
            assert!(refusal("http:").contains("needs a recipe"));
        } else {
            assert!(refusal("opennebula:0,host=1").contains("build it with the feature clouds"));
            assert!(refusal("http:r.toml").contains("build it with the feature clouds"));
        }
        assert!(refusal("command:").contains("needs a program"));
        assert!(refusal("command:  ").contains("needs a program"));
        assert!(refusal("simulated:memory").contains("'memory' is not KEY=VALUE"));
        assert!(refusal("simulated:a=1,").contains("'' is not KEY=VALUE"));
    }
}
