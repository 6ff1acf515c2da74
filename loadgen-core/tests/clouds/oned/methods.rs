//! What the methods do: the checks in the order that `oned` makes them, and their texts.

use super::Version::{V3_8, V4_12, V5_0, V5_6, V6_6, V7_4};
use super::documents::{self, Form};
use super::vm::{self, Course, Machine, Record};
use super::xml_rpc::{
    ACTION, AUTHENTICATION, AUTHORIZATION, Answer, Args, METHOD_FAULT, NO_EXISTS, Refusal,
    XML_RPC_API,
};
use super::{Cloud, Host, OFFLINE, Version};

/// The methods, with the names that messages had for them up to 5.2.
const METHODS: [(&str, &str); 7] = [
    ("one.vm.info", "VirtualMachineInfo"),
    ("one.vm.migrate", "VirtualMachineMigrate"),
    ("one.vmpool.info", "VirtualMachinePoolInfo"),
    ("one.vmpool.infoextended", ""),
    ("one.host.info", "HostInfo"),
    ("one.hostpool.info", "HostPoolInfo"),
    ("one.system.version", "SystemVersion"),
];

/// The only datastore there is.
const DATASTORE: i32 = 0;

/// A call, and who it comes from (-1 until that is known).
struct Request<'a> {
    version: Version,
    method: &'a str,
    args: &'a Args<'a>,
    user: i32,
}

/// A refusal by this method, its name before the text; `id` is of what is not there, or -1.
pub(super) fn refusal(version: Version, method: &str, code: i32, id: i32, text: &str) -> Refusal {
    let old = METHODS.iter().find(|(new, _)| *new == method).map_or(method, |(_, old)| old);
    let name = if version >= V5_6 { method } else { old };
    Refusal::Api { code, text: format!("[{name}] {text}"), id }
}

pub(super) fn execute(cloud: &mut Cloud, method: &str, args: &Args) -> Result<Answer, Refusal> {
    let version = cloud.version;
    let known = METHODS.iter().any(|(name, _)| *name == method);
    if !known || (method == "one.vmpool.infoextended" && version < V6_6) {
        return Err(Refusal::Fault(METHOD_FAULT, format!("Method '{method}' not defined")));
    }
    let session = args.text(0)?;
    let Some((user, _)) = cloud.users.iter().find(|(_, known)| known == session) else {
        let text = "User couldn't be authenticated, aborting call.";
        return Err(refusal(version, method, AUTHENTICATION, -1, text));
    };
    let request = Request { version, method, args, user: *user };
    let text = match method {
        "one.vm.migrate" => return request.migrate(cloud),
        "one.vm.info" => {
            let machine = request.machine(cloud, args.int(1)?)?;
            request.allow(machine, "USE", machine.owner)?;
            // Whether to decrypt what is secret in it.
            if version >= V6_6 && args.has(2) {
                args.boolean(2)?;
            }
            documents::vm(machine, version, Form::Info)
        }
        "one.vmpool.info" if version >= V6_6 => request.vm_pool(cloud, Form::Short)?,
        "one.vmpool.info" | "one.vmpool.infoextended" => request.vm_pool(cloud, Form::Pool)?,
        "one.host.info" => documents::host(request.host(cloud, args.int(1)?)?, cloud),
        "one.hostpool.info" => documents::host_pool(cloud),
        _ => version.release().to_owned(),
    };
    Ok(Answer::Text(text))
}

impl Request<'_> {
    fn refuse<T>(&self, code: i32, text: &str) -> Result<T, Refusal> {
        Err(refusal(self.version, self.method, code, -1, text))
    }

    fn no_such(&self, what: &str, id: i32) -> Refusal {
        let text = format!("Error getting {what} [{id}].");
        refusal(self.version, self.method, NO_EXISTS, id, &text)
    }

    fn machine<'a>(&self, cloud: &'a Cloud, id: i32) -> Result<&'a Machine, Refusal> {
        let machine = cloud.vms.iter().find(|machine| machine.id == id);
        machine.ok_or_else(|| self.no_such("virtual machine", id))
    }

    fn host<'a>(&self, cloud: &'a Cloud, id: i32) -> Result<&'a Host, Refusal> {
        cloud.hosts.iter().find(|host| host.id == id).ok_or_else(|| self.no_such("host", id))
    }

    /// `oneadmin` may do everything, and this user, too, may do this.
    fn allow(&self, machine: &Machine, right: &str, user: i32) -> Result<(), Refusal> {
        if self.user == 0 || self.user == user {
            return Ok(());
        }
        let (user, id) = (self.user, machine.id);
        let text = format!("User [{user}] : Not authorized to perform {right} VM [{id}].");
        self.refuse(AUTHORIZATION, &text)
    }

    fn vm_pool(&self, cloud: &Cloud, form: Form) -> Result<String, Refusal> {
        let args = self.args;
        let (filter, start, end, state) = (args.int(1)?, args.int(2)?, args.int(3)?, args.int(4)?);
        if self.version >= V6_6 && args.has(5) {
            // What to search for. An empty text finds all; others are not faked.
            args.text(5)?;
        }
        if filter < -4 {
            return self.refuse(XML_RPC_API, "Incorrect filter_flag, must be >= -4.");
        }
        // With an end below -1, a page of that size; else a range of numbers.
        let paged = end < -1;
        let found = cloud.vms.iter().filter(|vm| {
            let asked = if filter >= 0 { filter } else { self.user };
            let of_whom = (filter == -2 && self.user == 0) || vm.owner == asked;
            let seen = self.user == 0 || vm.owner == self.user;
            let in_state =
                state == -2 || state == vm.state || (state == -1 && vm.state != vm::DONE);
            let in_range = (start < 0 || vm.id >= start) && (end < 0 || vm.id <= end);
            of_whom && seen && in_state && (paged || in_range)
        });
        let (skip, take) = if paged { (start.max(0), end.saturating_neg()) } else { (0, i32::MAX) };
        let found = found.skip(skip as usize).take(take as usize);
        let machines: String = found.map(|vm| documents::vm(vm, self.version, form)).collect();
        Ok(format!("<VM_POOL>{machines}</VM_POOL>"))
    }

    fn migrate(&self, cloud: &mut Cloud) -> Result<Answer, Refusal> {
        let (version, args) = (self.version, self.args);
        let (id, target, live) = (args.int(1)?, args.int(2)?, args.boolean(3)?);
        // What a version does not know of it does not look at.
        let enforce = version >= V4_12 && args.has(4) && args.boolean(4)?;
        let datastore = if version >= V5_0 && args.has(5) { args.int(5)? } else { -1 };
        let kind = if version >= V6_6 && args.has(6) { args.int(6)? } else { 0 };

        let host = self.host(cloud, target)?;
        if version >= V5_6 && host.state == OFFLINE {
            return self.refuse(ACTION, "Host is offline, cannot use it to deploy VM");
        }
        if datastore != -1 && datastore != DATASTORE {
            return Err(self.no_such("datastore", datastore));
        }
        // It is authorized first, but what is not there needs no right.
        let machine = self.machine(cloud, id)?;
        self.allow(machine, "ADMIN", 0)?;

        let running = machine.state == vm::ACTIVE && machine.lcm == vm::RUNNING;
        let migratable = match (machine.state, machine.lcm) {
            (vm::ACTIVE, vm::UNKNOWN) | (vm::POWEROFF | vm::SUSPENDED, _) => version >= V5_0,
            _ => running,
        };
        if !migratable || machine.is_previous_history_open(version) {
            let state = machine.state_name();
            let new = format!("Migrate action is not available for state {state}");
            let old = "Wrong state to perform action";
            return self.refuse(ACTION, if version >= V5_0 { &new } else { old });
        }
        let current = machine.current().map_or(-1, |record| record.host);
        if current == target && version >= V3_8 {
            let newest = format!(" and datastore [{DATASTORE}]");
            let newest = if version >= V7_4 { newest.as_str() } else { "" };
            let text = format!("VM is already running on host [{current}]{newest}");
            return self.refuse(ACTION, &text);
        }
        if enforce && host.full {
            let new = "Not enough CPU: 100/0";
            let new = format!("virtual machine [{id}] does not fit in host [{target}]. {new}");
            let old = format!("host {target} does not have enough capacity.");
            return self.refuse(ACTION, if version >= V5_6 { &new } else { &old });
        }

        // Anything that is not running goes cold, whatever was asked for.
        let live = live && running;
        let action = match (live, kind) {
            (true, _) => vm::BY_LIVE_MIGRATE,
            (_, 1) if running => vm::BY_POFF_MIGRATE,
            (_, 2) if running => vm::BY_POFF_HARD_MIGRATE,
            _ => vm::BY_MIGRATE,
        };
        let (record, due) = (Record::on(target, &host.name), cloud.pace.first_due());
        let machine = cloud.vm(id);
        machine.records.push(record);
        machine.course = Some(Course { live, action, user: self.user, taken: None });
        (machine.looks, machine.due) = (0, due);
        Ok(Answer::Id(id))
    }
}
