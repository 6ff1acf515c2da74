use proptest::prelude::*;

use super::*;

const HOSTS: &str = r#"
[[host]]
name = "a"
link = "10Gbit/s"
empty = true
[[host]]
name = "b"
link = "1.25GB/s"
memory = "64GiB"
"#;

const MACHINE: &str = r#"
[[machine]]
name = "web"
host = "a"
memory = "4GiB"
dirty = "20MiB/s"
"#;

fn parse(text: &str) -> Result<Evacuation, EvacuationFileError> {
    Evacuation::parse(text, "evacuate.toml".as_ref())
}

fn told(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_example_is_planned() {
    let file =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/evacuation/evacuate.toml"));
    let evacuation = Evacuation::read(file).unwrap();
    assert_eq!((evacuation.machines.len(), evacuation.hosts.len()), (100, 8));
    let planned = evacuation.plan().unwrap();
    let plan = planned.plan().unwrap();
    assert_eq!(plan.moves.len(), 100);
    assert!(plan.gap < 0.15, "{}", plan.gap);
    assert!(plan.hosts.iter().all(|host| host.empty));
}

#[test]
fn every_key() {
    let text = r#"
        name = "rack"
        [limits]
        outage = "1s"
        downtime = "300ms"
        total = "30min"
        lost_calls = 100
        at_once = 4
        [overhead]
        prepare = "2s"
        load = "20ms"
        settle = "50ms"
        faulting = "150ms"
        device_state = "4MiB"
        [network]
        bandwidth = "40Gbit/s"
        [[machine]]
        name = "web"
        host = "a"
        memory = "4GiB"
        to_send = "1.5GiB"
        dirty = "20MiB/s"
        working_set = "300MiB"
        pattern = "round-robin"
        requests = 500
        outage = "300ms"
        to = "b"
        apart_from = ["web", "db"]
        strategy = "any"
        count = 2
        [[machine]]
        name = "db"
        host = "b"
        memory = "1GiB"
        dirty = "0"
    "#;
    let of = parse(&format!("{text}{HOSTS}")).unwrap();
    assert_eq!((of.name.as_str(), of.network), ("rack", Some(5e9)));
    let limits = Limits::default().with_outage_s(1.0).with_downtime_s(0.3).with_total_s(1800.0);
    assert_eq!(of.limits, limits.with_lost_calls(100.0).with_at_once(4));
    let overhead = Overhead::default().with_prepare_s(2.0).with_load_s(0.02).with_settle_s(0.05);
    let overhead = overhead.with_faulting_s(0.15);
    assert_eq!(of.overhead, overhead.with_device_state(4.0 * 1024.0 * 1024.0));
    assert_eq!((of.hosts[0].link, of.hosts[1].link), (1.25e9, 1.25e9));
    let mebi = 1024.0 * 1024.0;
    let dirtying = Dirtying::new(20.0 * mebi).within(300.0 * mebi, Pattern::RoundRobin);
    let second = Machine::new("web-2", "a", 4096.0 * mebi, dirtying)
        .with_to_send(1536.0 * mebi)
        .with_requests(500.0)
        .with_outage_s(0.3)
        .with_target("b")
        .with_apart_from("web-1")
        .with_apart_from("db")
        .with_strategies(Strategies::Any);
    assert_eq!(of.machines[1], second);
}

#[test]
fn errors_name_line_and_mend() {
    let cases = [
        ("hosts = 1".to_owned(), "evacuate.toml:1: unknown field `hosts`"),
        (format!("{HOSTS}{MACHINE}colour = 1"), "unknown field `colour`"),
        (HOSTS.replace("10Gbit/s", "10Gb"), "evacuate.toml:4: '10Gb' is not a number of bytes per"),
        (HOSTS.replace("10Gbit/s", "10"), "'10' has no unit: write a rate with its unit"),
        (HOSTS.replace("\"64GiB\"", "64"), "expected a size with its unit, such as \"4GiB\""),
        (HOSTS.replace("memory = \"64GiB\"", ""), "evacuate.toml:6: host 'b': it has no memory"),
        (format!("{HOSTS}{MACHINE}to = \"x\""), "evacuate.toml:11: machine 'web': its to 'x'"),
        (format!("{HOSTS}{MACHINE}count = 0"), "evacuate.toml:11: machine 'web': its count"),
        (format!("{HOSTS}{MACHINE}count = 4000000000"), "at most 1000 machines"),
        (format!("{HOSTS}{MACHINE}{MACHINE}"), "evacuate.toml:17: machine 'web': there are two"),
        (format!("{HOSTS}{MACHINE}strategy = \"none\""), "unknown variant `none`"),
        (format!("limits = {{ outage = \"0s\" }}\n{HOSTS}"), "the limit on the outage must be"),
    ];
    for (text, expected) in cases {
        let told = told(&text);
        assert!(told.contains(expected), "{told}");
        assert!(told.starts_with("evacuate.toml") && !told.contains('\n'), "{told}");
    }
    let missing = Evacuation::read(Path::new("/nowhere/evacuate.toml")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read '/nowhere/evacuate.toml'"));
}

proptest! {
    /// Broken files are errors, and no panics.
    #[test]
    fn any_text_at_all(cut in 0..400_usize, with: String) {
        let mut text = format!("{HOSTS}{MACHINE}");
        let at = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &with);
        let _ = parse(&text);
    }
}
