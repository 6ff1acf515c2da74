//! The documents inside the replies, by version: what a field is called, where it stands and
//! whether it is there at all.

use std::fmt::Display;

use super::Version::{self, V3_4, V3_8, V4_12, V5_0, V5_6, V6_6, V7_4};
use super::vm::{self, Machine};
use super::xml_rpc::escaped;
use super::{Cloud, Host};

/// How much of a machine is told: all; all but the older records of its history; or what
/// pools tell since 5.8, where the current record is without its times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Info,
    Pool,
    Short,
}

/// A field, and the first and last version that have it. One without a name is XML already.
type Field<'a> = (Version, Version, &'a str, &'a dyn Display);

/// What [`Form::Short`] leaves out, of machines and of records, with a space around each.
const LONG: &str = " PERMISSIONS PREV_STATE PREV_LCM_STATE SCHED_ACTIONS BACKUPS STIME_ ETIME_ \
    PLAN_ID ACTION_ID PSTIME PETIME RSTIME RETIME ESTIME EETIME UID_ GID_ REQUEST_ID ";

const PERMISSIONS: &str = "<OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A>\
    <GROUP_U>0</GROUP_U><GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A>\
    <OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>";
const LOCK: &str =
    "<LOCK><LOCKED>1</LOCKED><OWNER>0</OWNER><TIME>1</TIME><REQ_ID>1</REQ_ID></LOCK>";
const HYPERVISOR: &str = "<HYPERVISOR><![CDATA[kvm]]></HYPERVISOR>";

fn element(name: &str, version: Version, form: Form, fields: &[Field]) -> String {
    let mut xml = format!("<{name}>");
    for (since, until, name, value) in fields {
        let too_long = form == Form::Short && LONG.contains(&format!(" {name} "));
        // The same name is left out of the one, and not of the other.
        let name = name.trim_end_matches('_');
        if version < *since || version > *until || too_long {
            continue;
        }
        xml += &match name {
            "" => value.to_string(),
            _ => format!("<{name}>{value}</{name}>"),
        };
    }
    xml + &format!("</{name}>")
}

pub(super) fn vm(machine: &Machine, version: Version, form: Form) -> String {
    let (id, memory, kilobytes) = (machine.id, machine.memory, u64::from(machine.memory) * 1024);
    let owner = if machine.owner == 0 { "oneadmin" } else { "user" };
    let name = escaped(&machine.name);
    let monitoring = format!(
        "<CPU><![CDATA[3.02]]></CPU><MEMORY><![CDATA[{kilobytes}]]></MEMORY>\
         <NETRX><![CDATA[2]]></NETRX><NETTX><![CDATA[1]]></NETTX>"
    );
    let template = format!(
        "<CPU><![CDATA[1]]></CPU><MEMORY><![CDATA[{memory}]]></MEMORY>\
         <NAME><![CDATA[{}]]></NAME><VMID><![CDATA[{id}]]></VMID>",
        machine.name
    );
    let from = if form == Form::Info { 0 } else { machine.records.len().saturating_sub(1) };
    let records = from..machine.records.len();
    let records: String = records.map(|seq| history(machine, seq, version, form)).collect();
    let fields: [Field; 28] = [
        (V3_4, V7_4, "ID", &id),
        (V3_4, V7_4, "UID", &machine.owner),
        (V3_4, V7_4, "GID", &0),
        (V3_4, V7_4, "UNAME", &owner),
        (V3_4, V7_4, "GNAME", &"oneadmin"),
        (V3_4, V7_4, "NAME", &name),
        (V3_4, V7_4, "PERMISSIONS", &PERMISSIONS),
        (V3_4, V7_4, "LAST_POLL", &vm::now()),
        (V3_4, V7_4, "STATE", &machine.state),
        (V3_4, V7_4, "LCM_STATE", &machine.lcm),
        (V5_0, V7_4, "PREV_STATE", &machine.state),
        (V5_0, V7_4, "PREV_LCM_STATE", &machine.lcm),
        (V3_8, V7_4, "RESCHED", &0),
        (V3_4, V7_4, "STIME", &machine.records.first().map_or(0, |first| first.stime)),
        (V3_4, V7_4, "ETIME", &0),
        // Newer drivers tell the domain's UUID.
        (V3_4, V5_6, "DEPLOY_ID", &format!("one-{id}")),
        (V6_6, V7_4, "DEPLOY_ID", &format!("5f0e61c6-0000-4000-8000-{id:012}")),
        (V5_6, V7_4, "", &if machine.locked { LOCK } else { "" }),
        (V3_4, V4_12, "MEMORY", &kilobytes),
        (V3_4, V4_12, "CPU", &3),
        (V3_4, V4_12, "NET_TX", &1),
        (V3_4, V4_12, "NET_RX", &2),
        (V5_0, V7_4, "MONITORING", &monitoring),
        (V7_4, V7_4, "SCHED_ACTIONS", &""),
        (V3_4, V7_4, "TEMPLATE", &template),
        (V4_12, V7_4, "USER_TEMPLATE", &HYPERVISOR),
        (V3_4, V7_4, "HISTORY_RECORDS", &records),
        (V7_4, V7_4, "BACKUPS", &"<BACKUP_CONFIG/><BACKUP_IDS/>"),
    ];
    element("VM", version, form, &fields)
}

fn history(machine: &Machine, seq: usize, version: Version, form: Form) -> String {
    let record = &machine.records[seq];
    let fields: [Field; 27] = [
        (V3_8, V7_4, "OID", &machine.id),
        (V3_4, V7_4, "SEQ", &seq),
        (V3_4, V7_4, "HOSTNAME", &escaped(&record.hostname)),
        (V3_4, V7_4, "HID", &record.host),
        (V4_12, V7_4, "CID", &0),
        (V3_4, V7_4, "STIME_", &record.stime),
        (V3_4, V7_4, "ETIME_", &record.etime),
        (V3_4, V4_12, "VMMMAD", &"vmm_kvm"),
        (V3_4, V4_12, "VNMMAD", &"dummy"),
        (V3_8, V4_12, "TMMAD", &"shared"),
        (V3_8, V4_12, "DS_LOCATION", &"/var/lib/one/datastores"),
        (V5_0, V7_4, "VM_MAD", &"kvm"),
        (V5_0, V7_4, "TM_MAD", &"shared"),
        (V3_8, V7_4, "DS_ID", &0),
        (V7_4, V7_4, "PLAN_ID", &-1),
        (V7_4, V7_4, "ACTION_ID", &-1),
        (V3_4, V7_4, "PSTIME", &record.pstime),
        (V3_4, V7_4, "PETIME", &record.petime),
        (V3_4, V7_4, "RSTIME", &record.rstime),
        (V3_4, V7_4, "RETIME", &record.retime),
        (V3_4, V7_4, "ESTIME", &0),
        (V3_4, V7_4, "EETIME", &0),
        (V3_4, V5_0, "REASON", &record.reason),
        (V4_12, V7_4, "ACTION", &record.action),
        (V6_6, V7_4, "UID_", &record.user.unwrap_or(-1)),
        (V6_6, V7_4, "GID_", &record.user.map_or(-1, |_| 0)),
        (V6_6, V7_4, "REQUEST_ID", &record.user.map_or(-1, |_| 4711)),
    ];
    element("HISTORY", version, form, &fields)
}

pub(super) fn host_pool(cloud: &Cloud) -> String {
    let hosts: String = cloud.hosts.iter().map(|known| host(known, cloud)).collect();
    format!("<HOST_POOL>{hosts}</HOST_POOL>")
}

pub(super) fn host(host: &Host, cloud: &Cloud) -> String {
    let here = |vm: &&Machine| vm.current().is_some_and(|at| at.host == host.id);
    let here = cloud.vms.iter().filter(here).map(|vm| format!("<ID>{}</ID>", vm.id));
    let ids: Vec<_> = here.collect();
    let (count, cpu) = (ids.len(), 100 * ids.len());
    let share = format!(
        "<MEM_USAGE>{}</MEM_USAGE><CPU_USAGE>{cpu}</CPU_USAGE><MAX_MEM>16777216</MAX_MEM>\
         <MAX_CPU>{}</MAX_CPU><RUNNING_VMS>{count}</RUNNING_VMS>",
        count << 19,
        if host.full { cpu } else { 800 }
    );
    let fields: [Field; 14] = [
        (V3_4, V7_4, "ID", &host.id),
        (V3_4, V7_4, "NAME", &escaped(&host.name)),
        (V3_4, V7_4, "STATE", &host.state),
        (V5_6, V7_4, "PREV_STATE", &host.state),
        (V3_4, V7_4, "IM_MAD", &"kvm"),
        (V3_4, V7_4, "VM_MAD", &"kvm"),
        (V3_4, V4_12, "VN_MAD", &"dummy"),
        (V3_4, V5_6, "LAST_MON_TIME", &vm::now()),
        (V3_4, V7_4, "CLUSTER_ID", &0),
        (V3_4, V7_4, "CLUSTER", &"default"),
        (V3_4, V7_4, "HOST_SHARE", &share),
        (V4_12, V7_4, "VMS", &ids.concat()),
        (V3_4, V7_4, "TEMPLATE", &HYPERVISOR),
        (V6_6, V7_4, "MONITORING", &""),
    ];
    element("HOST", cloud.version, Form::Info, &fields)
}
