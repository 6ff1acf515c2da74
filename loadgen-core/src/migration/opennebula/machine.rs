//! A machine as oned describes it, and what became of an order, by the machine's history.
//!
//! oned never says that a live migration failed: it answers the order with success, and the
//! machine is RUNNING before, at a moment in between, and after, whether it was moved or not. What
//! happened stands in the history records alone (read from the sources of 3.4 to 7.4):
//! - right after the order the target has a record whose times are all 0, and the machine is RUNNING
//!   still: this looks like success, and is none;
//! - it arrived when that record has an RSTIME;
//! - it did not when that record has an ETIME and no RSTIME, and a third record is of the source.

use serde::Deserialize;

/// STATE of an active machine.
pub(super) const ACTIVE: i32 = 3;
/// LCM_STATE of a machine that runs.
pub(super) const RUNNING: i32 = 3;
/// LCM_STATE during a live migration.
const MIGRATE: i32 = 4;
/// LCM_STATEs of a cold migration: SAVE_MIGRATE, PROLOG_MIGRATE, BOOT (until 4.12), BOOT_MIGRATE,
/// and what comes before the latter two where the machine was powered off.
const COLD: [i32; 7] = [7, 8, 2, 35, 43, 45, 60];
/// LCM_STATEs of a migration that failed: FAILURE (until 4.12), and the FAILUREs of booting,
/// moving and copying.
const FAILED: [i32; 7] = [14, 36, 37, 38, 44, 46, 61];

/// A machine, as `one.vm.info` describes it. What is not needed is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Machine {
    #[serde(rename = "ID")]
    pub(super) id: i32,
    #[serde(rename = "NAME", default)]
    pub(super) name: String,
    #[serde(rename = "STATE")]
    pub(super) state: i32,
    #[serde(rename = "LCM_STATE")]
    pub(super) lcm_state: i32,
    /// Its name at the hypervisor.
    #[serde(rename = "DEPLOY_ID", default)]
    pub(super) deploy_id: String,
    #[serde(rename = "TEMPLATE", default)]
    template: Template,
    #[serde(rename = "HISTORY_RECORDS", default)]
    records: Records,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Template {
    /// MiB.
    #[serde(rename = "MEMORY", default)]
    memory: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Records {
    #[serde(rename = "HISTORY", default)]
    history: Vec<Record>,
}

/// The machine's time on one host. Times are Unix seconds, 0 is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "SEQ")]
    pub(super) seq: i32,
    #[serde(rename = "HOSTNAME", default)]
    pub(super) hostname: String,
    #[serde(rename = "HID")]
    pub(super) host: i32,
    #[serde(rename = "STIME", default)]
    stime: i64,
    #[serde(rename = "ETIME", default)]
    etime: i64,
    #[serde(rename = "RSTIME", default)]
    pub(super) rstime: i64,
    /// Why it was left, by releases from 4.0 on.
    #[serde(rename = "ACTION", default)]
    action: i32,
}

/// ACTION of a host that was left by a cold migration, although a live one may have been ordered.
const LEFT_COLD: i32 = 1;

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The history does not know of it.
    Unknown,
    /// It was taken, and nothing has begun.
    Taken,
    /// The machine is on its way, while it runs.
    Live,
    /// The machine is on its way, saved to a file or switched off; the state by its name.
    Cold(String),
    /// It runs at its target.
    Arrived,
    /// It did not get there, and this is why.
    Failed(String),
}

impl Machine {
    /// The host that it is on, or is to be on next.
    pub(super) fn record(&self) -> Option<&Record> {
        self.records.history.iter().max_by_key(|record| record.seq)
    }

    /// The number of the last record; -1 of a machine that was never deployed.
    pub(super) fn seq(&self) -> i32 {
        self.record().map_or(-1, |record| record.seq)
    }

    /// Its memory, in bytes.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        let mib: u64 = self.template.memory.as_deref()?.trim().parse().ok()?;
        mib.checked_mul(1 << 20)
    }

    /// Whether oned says that it runs.
    pub(super) fn is_running(&self) -> bool {
        (self.state, self.lcm_state) == (ACTIVE, RUNNING)
    }

    /// Its state, as oned's own programs name it.
    pub(super) fn state_name(&self) -> String {
        match self.state {
            ACTIVE => lcm_name(self.lcm_state),
            other => {
                const NAMES: [&str; 12] = [
                    "INIT",
                    "PENDING",
                    "HOLD",
                    "ACTIVE",
                    "STOPPED",
                    "SUSPENDED",
                    "DONE",
                    "FAILED",
                    "POWEROFF",
                    "UNDEPLOYED",
                    "CLONING",
                    "CLONING_FAILURE",
                ];
                let name = usize::try_from(other).ok().and_then(|state| NAMES.get(state));
                name.map_or_else(|| format!("STATE {other}"), |name| (*name).to_owned())
            }
        }
    }

    /// What became of the order to move it to the host, given when the last record was `seq`.
    pub(super) fn standing(&self, seq: i32, host: i32) -> Standing {
        let mut since: Vec<&Record> =
            self.records.history.iter().filter(|record| record.seq > seq).collect();
        since.sort_by_key(|record| record.seq);
        let Some(last) = since.last() else {
            // 7.4 describes the last two records only.
            return match self.is_running() {
                true => Standing::Unknown,
                false => self.elsewhere().unwrap_or(Standing::Unknown),
            };
        };
        let given_up = since
            .iter()
            .find(|record| record.host == host && record.etime > 0 && record.rstime == 0);
        if let Some(record) = given_up {
            let back = match last.seq > record.seq && last.rstime > 0 {
                true => format!("; it says that the machine runs on at {}", last.hostname),
                false => String::new(),
            };
            return Standing::Failed(format!(
                "oned gave it up without a word: the machine's record of {} has an end and no \
                 begin of running{back} (the machine's log there says why)",
                record.hostname
            ));
        }
        if last.host != host {
            return Standing::Failed(format!(
                "somebody else moved the machine meanwhile: it is on {} by its history",
                last.hostname
            ));
        }
        if last.rstime > 0 && last.etime == 0 && self.is_running() {
            return Standing::Arrived;
        }
        if let Some(elsewhere) = self.elsewhere() {
            return elsewhere;
        }
        match self.lcm_state {
            MIGRATE => Standing::Live,
            lcm if COLD.contains(&lcm) => Standing::Cold(lcm_name(lcm)),
            lcm if FAILED.contains(&lcm) => {
                Standing::Failed(format!("the machine is in the state {}", lcm_name(lcm)))
            }
            _ => Standing::Taken,
        }
    }

    /// Whether the host that it left says that it was moved cold.
    pub(super) fn left_cold(&self, seq: i32) -> bool {
        let left = self.records.history.iter().find(|record| record.seq == seq);
        left.is_some_and(|record| record.action == LEFT_COLD)
    }

    /// When it began to be moved and to run, by oned's own account, of a machine that arrived: Unix
    /// seconds.
    pub(super) fn moved_s(&self) -> Option<[i64; 2]> {
        self.record().map(|record| [record.stime, record.rstime])
    }

    /// A state in which nothing is under way any more.
    fn elsewhere(&self) -> Option<Standing> {
        let name = self.state_name();
        (self.state != ACTIVE)
            .then(|| Standing::Failed(format!("the machine is {name} now, and runs nowhere")))
    }
}

/// The name of an LCM_STATE, of those that a machine is found in that is moved.
fn lcm_name(lcm_state: i32) -> String {
    let name = match lcm_state {
        0 => "LCM_INIT",
        1 => "PROLOG",
        2 => "BOOT",
        3 => "RUNNING",
        4 => "MIGRATE",
        5 => "SAVE_STOP",
        6 => "SAVE_SUSPEND",
        7 => "SAVE_MIGRATE",
        8 => "PROLOG_MIGRATE",
        9 => "PROLOG_RESUME",
        10 => "EPILOG_STOP",
        11 => "EPILOG",
        12 => "SHUTDOWN",
        13 => "CANCEL",
        14 => "FAILURE",
        16 => "UNKNOWN",
        35 => "BOOT_MIGRATE",
        36 => "BOOT_FAILURE",
        37 => "BOOT_MIGRATE_FAILURE",
        38 => "PROLOG_MIGRATE_FAILURE",
        43 => "PROLOG_MIGRATE_POWEROFF",
        44 => "PROLOG_MIGRATE_POWEROFF_FAILURE",
        45 => "PROLOG_MIGRATE_SUSPEND",
        46 => "PROLOG_MIGRATE_SUSPEND_FAILURE",
        60 => "PROLOG_MIGRATE_UNKNOWN",
        61 => "PROLOG_MIGRATE_UNKNOWN_FAILURE",
        other => return format!("LCM_STATE {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: i32, host: i32, stime: i64, etime: i64, rstime: i64) -> Record {
        Record { seq, hostname: format!("node{host}"), host, stime, etime, rstime, action: 0 }
    }

    fn machine(state: i32, lcm_state: i32, history: &[Record]) -> Machine {
        Machine {
            id: 7,
            name: "web1".into(),
            state,
            lcm_state,
            deploy_id: "one-7".into(),
            template: Template::default(),
            records: Records { history: history.to_vec() },
        }
    }

    /// The courses that an independent client saw of a server written from OpenNebula's sources.
    #[test]
    fn what_became_of_an_order() {
        let before = record(0, 1, 1, 0, 1);
        let left = record(0, 1, 1, 1, 1);
        let of = |lcm, history: &[Record]| machine(ACTIVE, lcm, history).standing(0, 2);
        assert_eq!(of(3, std::slice::from_ref(&before)), Standing::Unknown);
        // The trap.
        assert_eq!(of(3, &[before.clone(), record(1, 2, 0, 0, 0)]), Standing::Taken);
        assert_eq!(of(4, &[before.clone(), record(1, 2, 1, 0, 0)]), Standing::Live);
        assert_eq!(of(3, &[left.clone(), record(1, 2, 1, 0, 1)]), Standing::Arrived);
        // Monitoring lost it just then: it runs, or it does not.
        assert_eq!(of(16, &[left.clone(), record(1, 2, 1, 0, 1)]), Standing::Taken);
        // In which order they are told is nowhere said.
        assert_eq!(of(3, &[record(1, 2, 1, 0, 1), left.clone()]), Standing::Arrived);
        let silent = of(3, &[left.clone(), record(1, 2, 1, 1, 0), record(2, 1, 1, 0, 1)]);
        let Standing::Failed(why) = silent else { panic!("{silent:?}") };
        assert!(why.contains("record of node2") && why.contains("runs on at node1"), "{why}");
        // It has no third record yet, or 7.4 does not tell the second one.
        let silent = of(4, &[left.clone(), record(1, 2, 1, 1, 0)]);
        assert!(matches!(&silent, Standing::Failed(why) if !why.contains("runs on")), "{silent:?}");
        let other = of(3, &[left.clone(), record(2, 1, 1, 0, 1)]);
        assert!(matches!(&other, Standing::Failed(why) if why.contains("on node1")), "{other:?}");
        let away = of(3, &[left.clone(), record(1, 3, 1, 0, 1)]);
        assert!(
            matches!(&away, Standing::Failed(why) if why.contains("somebody else")),
            "{away:?}"
        );
        for lcm in [7, 8, 35, 2] {
            let cold = of(lcm, &[left.clone(), record(1, 2, 1, 0, 0)]);
            assert!(matches!(cold, Standing::Cold(_)), "{lcm} {cold:?}");
        }
        let broken = of(37, &[left.clone(), record(1, 2, 1, 0, 0)]);
        let name = "BOOT_MIGRATE_FAILURE";
        assert!(matches!(&broken, Standing::Failed(why) if why.contains(name)), "{broken:?}");
        let off = machine(8, 0, &[left, record(1, 2, 1, 0, 0)]).standing(0, 2);
        assert!(matches!(&off, Standing::Failed(why) if why.contains("POWEROFF")), "{off:?}");
        let gone = machine(6, 0, &[before]).standing(0, 2);
        assert!(matches!(&gone, Standing::Failed(why) if why.contains("DONE")), "{gone:?}");
    }

    #[test]
    fn a_machine_of_each_age_is_read() {
        let old = "<VM><ID>7</ID><NAME>web1</NAME><LAST_POLL>1</LAST_POLL><STATE>3</STATE>\
                   <LCM_STATE>3</LCM_STATE><STIME>1</STIME><ETIME>0</ETIME>\
                   <DEPLOY_ID>one-7</DEPLOY_ID><MEMORY>524288</MEMORY><CPU>1</CPU>\
                   <TEMPLATE><MEMORY><![CDATA[512]]></MEMORY><VMID><![CDATA[7]]></VMID></TEMPLATE>\
                   <HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><HOSTNAME>node1</HOSTNAME><HID>1</HID>\
                   <STIME>1</STIME><ETIME>0</ETIME><PSTIME>1</PSTIME><RSTIME>5</RSTIME>\
                   <REASON>0</REASON></HISTORY></HISTORY_RECORDS></VM>";
        let old: Machine = quick_xml::de::from_str(old).unwrap();
        assert_eq!((old.memory_bytes(), old.seq()), (Some(512 << 20), 0));
        assert_eq!(old.record().map(|r| (r.host, r.rstime)), Some((1, 5)));
        assert!(old.is_running());
        let bare = "<VM><ID>8</ID><STATE>1</STATE><LCM_STATE>0</LCM_STATE><DEPLOY_ID/>\
                    <TEMPLATE/><HISTORY_RECORDS/></VM>";
        let bare: Machine = quick_xml::de::from_str(bare).unwrap();
        assert_eq!((bare.seq(), bare.state_name().as_str()), (-1, "PENDING"));
        assert_eq!(machine(42, 0, &[]).state_name(), "STATE 42");
        assert_eq!(machine(ACTIVE, 99, &[]).state_name(), "LCM_STATE 99");
    }
}
