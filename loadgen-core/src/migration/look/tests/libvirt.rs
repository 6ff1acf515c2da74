//! Asked by a virsh of ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// A domain `lab` that runs, and a virsh for it.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let here = world.0.path().to_str().unwrap().to_owned();
        let script = include_str!("../../libvirt/fake-virsh").replace("FAKE", &here);
        world.write("virsh", &script);
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(world.0.path().join("virsh"), runs).unwrap();
        world.write("state.source", "running\n");
        world
    }

    /// With a file that says what is so.
    fn with(file: &str, text: &str) -> Self {
        let world = Self::new();
        world.write(file, text);
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.0.path().join("asked")).unwrap()
    }

    fn spec(&self) -> LookSpec {
        LookSpec::new(LookAt::Libvirt {
            domain: "lab".into(),
            uri: Some("fake://user:secret@a/".into()),
            virsh: self.0.path().join("virsh"),
        })
    }

    fn why(&self) -> String {
        ask_at_once(&self.spec()).unwrap_err().to_string()
    }
}

#[test]
fn all_that_it_tells() {
    let world = World::with("speed", "32\n");
    let now = ask_at_once(&world.spec()).unwrap();
    assert!(now.source.starts_with("libvirt:lab,uri=fake://") && now.source.ends_with("@a/"));
    assert!(!now.source.contains("secret"), "{}", now.source);
    let names = [&now.name, &now.host, &now.hypervisor].map(|name| name.as_deref());
    assert_eq!(names, [Some("lab"), Some("node-source"), Some("QEMU 7.2.22, libvirt 9.0.0")]);
    assert_eq!((now.memory_bytes, now.balloon_bytes), (Some(512 << 20), Some(256 << 20)));
    assert_eq!(now.resident_bytes, Some(467_456 << 10));
    assert_eq!(now.max_bandwidth_bytes_per_s, Some(32 << 20));
    assert_eq!((now.max_postcopy_bandwidth_bytes_per_s, now.downtime_limit_s), (None, Some(0.3)));
    assert_eq!(told(&now), [(1.0, 8.0), (4.0, 8.0)]);
    let sample = &now.dirty[0];
    let known = (sample.pages_per_gib, sample.resolution_bytes_per_s, sample.mode);
    assert_eq!(known, (Some(512), 2.0 * MIB, DirtyMode::PageSampling));
}

#[test]
fn nothing_is_changed() {
    let world = World::new();
    ask_at_once(&world.spec()).unwrap();
    let asked = world.asked();
    let mut commands: Vec<&str> = asked.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    commands.sort_unstable();
    commands.dedup();
    let questions = [
        "domdirtyrate-calc",
        "dominfo",
        "domjobinfo",
        "domstate",
        "domstats",
        "hostname",
        "migrate-getmaxdowntime",
        "migrate-getspeed",
        "version",
    ];
    assert_eq!(commands, questions);
    assert!(asked.contains("domdirtyrate-calc --seconds 4 --domain lab"), "{asked}");
}

#[test]
fn a_machine_that_stands_still_or_is_moved_is_not_measured() {
    for (file, text, reason) in [
        ("state.source", "paused\n", "does not run (it is paused)"),
        ("job", "Job type: 2\nOperation: 5\n", "a job of the domain"),
        ("fails.dominfo", "failed to get domain 'lab'", "virsh list --all"),
    ] {
        let world = World::with(file, text);
        let why = world.why();
        assert!(why.contains(reason), "{why}");
        assert!(!world.asked().contains("domdirtyrate-calc"));
    }
}

/// An emulated machine crashes when QEMU 7.2 is asked for this, and libvirt 9.0 asks it.
#[test]
fn pages_are_tracked_with_kvm_alone() {
    let world = World::new();
    let error = ask_at_once(&world.spec().with_mode(DirtyMode::DirtyBitmap)).unwrap_err();
    assert!(matches!(error, LookError::NeedsKvm { .. }), "{error}");
    assert!(!world.asked().contains("domdirtyrate-calc"));

    let world = World::with("type", "kvm");
    let told_by = "  dirtyrate.calc_status=2\n  dirtyrate.calc_period=1\n  \
                   dirtyrate.calc_mode=dirty-bitmap\n  dirtyrate.megabytes_per_second=7\n";
    world.write("dirtyrate", told_by);
    let spec = world.spec().with_mode(DirtyMode::DirtyBitmap).with_over_s([1]);
    let now = ask_at_once(&spec).unwrap();
    assert_eq!((told(&now), now.dirty[0].pages_per_gib), (vec![(1.0, 7.0)], None));
    assert!(world.asked().contains("--seconds 1 --mode dirty-bitmap --domain lab"));
}

#[test]
fn what_an_old_version_lacks_is_named_or_stays_unknown() {
    let world = World::with("fails.domdirtyrate-calc", "unknown command: 'domdirtyrate-calc'");
    assert!(world.why().contains("does not know domdirtyrate-calc: that came with libvirt 7.2"));
    let world =
        World::with("fails.domstats", "command 'domstats' doesn't support option --dirtyrate");
    assert!(world.why().contains("does not know domstats --dirtyrate: that came with libvirt 7.2"));
    let world = World::with("type", "kvm");
    world.write("fails.domdirtyrate-calc", "command 'x' doesn't support option --mode");
    let spec = world.spec().with_mode(DirtyMode::DirtyBitmap);
    assert!(ask_at_once(&spec).unwrap_err().to_string().contains("libvirt 8.1"));
    let world = World::with("fails.domdirtyrate-calc", "no QEMU for that");
    assert!(world.why().contains("was refused: no QEMU for that"));

    let world = World::with("fails.migrate-getspeed", "unknown command: 'migrate-getspeed'");
    world.write("fails.migrate-getmaxdowntime", "?");
    world.write("fails.hostname", "?");
    world.write("balloon", "");
    let now = ask_at_once(&world.spec()).unwrap();
    assert_eq!((now.max_bandwidth_bytes_per_s, now.downtime_limit_s, now.host), (None, None, None));
    assert_eq!((now.memory_bytes, now.resident_bytes), (Some(256 << 20), None), "by dominfo");
}

#[test]
fn nonsense_is_refused_and_no_wait_is_without_end() {
    for (told, reason) in [
        ("  dirtyrate.calc_status=2\n", "makes no sense: status 2"),
        ("  dirtyrate.calc_status=7\n", "makes no sense: status 7"),
        (
            "  dirtyrate.calc_status=2\n  dirtyrate.calc_period=1\n  \
             dirtyrate.megabytes_per_second=-1\n",
            "makes no sense: status 2",
        ),
        (
            "  dirtyrate.calc_status=2\n  dirtyrate.calc_period=30\n  \
             dirtyrate.megabytes_per_second=3\n",
            "somebody else measures",
        ),
        ("", "still being measured 15 s"),
    ] {
        let why = World::with("dirtyrate", told).why();
        assert!(why.contains(reason), "{why}");
    }
    let mut world = World::new().spec();
    world.place =
        LookAt::Libvirt { domain: "lab".into(), uri: None, virsh: "/nowhere/virsh".into() };
    assert!(ask(&world).unwrap_err().to_string().contains("libvirt-clients"));
}
