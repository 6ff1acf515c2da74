//! The fake `oned` against OpenNebula's own client for Python, which knows nothing of ours: it must
//! satisfy both.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::oned::xml_rpc::Value;
use crate::oned::{Cloud, Oned, Step, Version};
use crate::require::require;

const PYONE: &str = "pyone==7.3.80";

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A Python that has it. It is kept for the next time.
fn python() -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PYONE);
    let python = venv.join("bin/python");
    let has_it =
        || succeeds(Command::new(&python).args(["-c", "import pyone"]).stderr(Stdio::null()));
    let install = || {
        succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            && succeeds(Command::new(&python).args(["-m", "pip", "install", "-q", PYONE]))
    };
    let is_there = has_it() || install();
    require(is_there, &format!("{PYONE} from PyPI"), "python3-venv").then_some(python)
}

/// Takes the steps of its next migration, each when what was before has been seen.
fn drive(oned: &Oned, vm: i32, pyone: &mut Child) -> Vec<Step> {
    let ended = pyone.try_wait().unwrap();
    assert!(ended.is_none(), "pyone ended: {ended:?}");
    oned.wait_until("a migration", |cloud| {
        cloud.vms.iter().any(|machine| machine.id == vm && machine.course.is_some())
    });
    let mut steps = Vec::new();
    while oned.vm(vm).course.is_some() {
        oned.wait_for_looks(3);
        steps.push(oned.step(vm));
    }
    steps
}

#[test]
fn pyone_sees_what_oned_would_show() {
    let Some(python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clouds/with_pyone.py");
    for version in Version::ALL {
        let mut cloud = Cloud::new(version);
        cloud.vm(8).fails = true;
        let oned = Oned::start(cloud);
        let short = version.release().rsplit_once('.').unwrap().0;
        let command = Command::new(&python).arg(script).args([&oned.url(), short]).spawn();
        let mut pyone = command.unwrap();
        let live = [Step::Started, Step::Finished];
        assert_eq!(drive(&oned, 7, &mut pyone), live, "{version:?}");
        assert_eq!(drive(&oned, 8, &mut pyone), live, "{version:?}");
        let cold = [Step::Started, Step::Saved, Step::Copied, Step::Finished];
        assert_eq!(drive(&oned, 7, &mut pyone), cold, "{version:?}");
        assert!(pyone.wait().unwrap().success(), "{version:?}");

        let calls = oned.calls();
        let six = calls.iter().find(|call| call.args.len() == 6).unwrap();
        assert!(six.session_ok && six.user == "oneadmin" && six.method == "one.vm.migrate");
        assert_eq!(six.args[..3], [Value::Int(7), Value::Int(2), Value::Bool(true)]);
        assert_eq!(calls.iter().filter(|call| !call.session_ok).count(), 1, "the wrong password");
    }
}
