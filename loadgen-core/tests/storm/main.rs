//! Chains and nets against Storm (Hensel, Junges, Katoen, Quatmann & Volk, STTT 24, 2022), a model
//! checker that knows nothing of ours: it reads what [`Chain::to_prism`] writes.
//!
//! In the long run Storm computes with fractions, so that it is right to the last digit. At a time
//! it leaves out less than 1e-13.

#![cfg(feature = "model")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../engine/require.rs"]
mod require;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use loadgen_core::model::availability::{
    Chain, Distribution, ModelFile, Net, Rejuvenation, Timer, Transition,
};

/// With all that it needs, as wheels: to build it from its sources takes hours.
const STORM: [&str; 3] = ["stormpy==1.11.3", "Deprecated==1.3.1", "wrapt==2.5.2"];

/// By how much a probability may be off at a time.
const AT_A_TIME: f64 = 1e-11;

/// By which part of it a number may be off in the long run.
const IN_THE_LONG_RUN: f64 = 1e-12;

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A Python that has it. It is kept for the next time.
fn python() -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(STORM[0]);
    let python = venv.join("bin/python");
    let has_it =
        || succeeds(Command::new(&python).args(["-c", "import stormpy"]).stderr(Stdio::null()));
    let pip = ["-m", "pip", "install", "-q", "--only-binary", ":all:", "--no-deps"];
    let install = || {
        succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            && succeeds(Command::new(&python).args(pip).args(STORM))
    };
    let is_there = has_it() || install();
    require::require(is_there, &format!("{} from PyPI", STORM[0]), "python3-venv").then_some(python)
}

/// What Storm is asked, with what we say.
struct Question {
    what: String,
    /// In PRISM's language.
    chain: String,
    formula: String,
    exact: bool,
    ours: f64,
}

#[derive(Default)]
struct Questions(Vec<Question>);

impl Questions {
    fn ask(&mut self, what: &str, chain: &str, formula: String, exact: bool, ours: f64) {
        let (what, chain) = (what.to_owned(), chain.to_owned());
        self.0.push(Question { what, chain, formula, exact, ours });
    }

    /// How much of the time it is up and down, and what a unit of time is worth, in the long run.
    fn long_run(&mut self, what: &str, chain: &Chain, ours: &Distribution) {
        let text = chain.to_prism();
        let availability = ours.availability();
        self.ask(what, &text, "LRA=? [\"up\"]".to_owned(), true, availability.up());
        self.ask(what, &text, "R{\"down\"}=? [LRA]".to_owned(), true, availability.down());
        self.ask(what, &text, "R{\"reward\"}=? [LRA]".to_owned(), true, ours.reward());
    }

    /// The same at a time, from the first state on.
    fn at(&mut self, what: &str, chain: &Chain, time: f64) {
        let text = chain.to_prism();
        let first = chain.states()[0].name.clone();
        let ours = chain.transient(time, [(&*first, 1.0)]).unwrap();
        let up = format!("P=? [F[{time},{time}] \"up\"]");
        self.ask(what, &text, up, false, ours.availability().up());
        self.ask(what, &text, format!("R{{\"reward\"}}=? [I={time}]"), false, ours.reward());
    }

    /// Puts all of them to Storm at once.
    fn put(&self, python: &Path) {
        let dir = tempfile::tempdir().unwrap();
        let mut asked = Vec::new();
        for (number, question) in self.0.iter().enumerate() {
            let file = dir.path().join(format!("{number}.prism"));
            std::fs::write(&file, &question.chain).unwrap();
            asked.push((file, &question.formula, question.exact));
        }
        let (questions, answers) = (dir.path().join("questions"), dir.path().join("answers"));
        std::fs::write(&questions, serde_json::to_string(&asked).unwrap()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/storm/storm.py");
        // It warns of each file that it is one of PRISM.
        let storm = Command::new(python).arg(script).arg(questions).arg(&answers).output().unwrap();
        assert!(storm.status.success(), "{storm:?}");
        let answers: Vec<f64> =
            serde_json::from_str(&std::fs::read_to_string(answers).unwrap()).unwrap();
        assert_eq!(answers.len(), self.0.len());
        for (question, storm) in self.0.iter().zip(answers) {
            let Question { what, formula, exact, ours, .. } = question;
            let most = if *exact { IN_THE_LONG_RUN * storm.abs() } else { AT_A_TIME };
            let off = (ours - storm).abs();
            assert!(off <= most, "{what}: {formula} is {ours:e}, and by Storm {storm:e}");
        }
    }
}

/// The machine of the guide, moved each 24 hours in the mean.
const MACHINE: &str = r#"
[chain]
up = ["robust", "aged"]
[[chain.move]]
from = "robust"
to = "aged"
mean = 720
[[chain.move]]
from = "aged"
to = "failed"
mean = 168
[[chain.move]]
from = "failed"
to = "robust"
mean = "65min"
[[chain.move]]
from = ["robust", "aged"]
to = "blackout"
mean = 24
[[chain.move]]
from = "blackout"
to = "robust"
mean = "0.3s"
"#;

fn read(text: &str) -> ModelFile {
    ModelFile::parse(text, "model.toml".as_ref()).unwrap()
}

fn machines(questions: &mut Questions) {
    let closed_form = Rejuvenation::new(720.0, 168.0, 65.0 / 60.0).with_blackout_s(0.3);
    let interval_h = 24.0;
    for (what, stages, timer) in [
        ("a machine", "", Timer::Exponential { interval_h }),
        ("of 10 stages", "\nstages = 10", Timer::Erlang { stages: 10, interval_h }),
    ] {
        let model = read(&MACHINE.replace("mean = 24", &format!("mean = 24{stages}")));
        let chain = model.to_chain().unwrap();
        questions.long_run(what, &chain, &model.solve().unwrap().distribution);
        questions.at(what, &chain, 10.0);
        let down = closed_form.with_timer(timer).outcome().unwrap().availability.down();
        let formula = "R{\"down\"}=? [LRA]".to_owned();
        questions.ask("its closed form", &chain.to_prism(), formula, true, down);
    }
}

/// The net of the vectors from a file, and what another program made of it.
fn two_hosts(questions: &mut Questions) {
    let model = read(include_str!("two-hosts.toml"));
    let chain = model.to_chain().unwrap();
    assert_eq!(chain.states().len(), 60);
    let solved = model.solve().unwrap().distribution;
    questions.long_run("two hosts", &chain, &solved);
    questions.at("two hosts", &chain, 10.0);
    let other = include_str!("../two-hosts.prism");
    let up = solved.availability().up();
    questions.ask("two hosts by another", other, "LRA=? [\"up\"]".to_owned(), true, up);
}

/// Rates from 1e-6 to 1e6, of which many lead far away.
fn twelve_orders(questions: &mut Questions) {
    let n = 13;
    let states = (0..n).map(|at| (format!("s{at}"), at % 3 > 0));
    let mut chain = states
        .clone()
        .try_fold(Chain::new(), |chain, (name, up)| chain.with_state(name, up))
        .unwrap();
    for from in 0..n {
        for (step, exponent) in [(1, from), (5, 7 * from + 3), (7, 5 * from + 8)] {
            let rate = 10_f64.powi(exponent % n - 6);
            let (from, to) = (format!("s{from}"), format!("s{}", (from + step) % n));
            chain = chain.with_rate(&from, &to, rate).unwrap();
        }
    }
    for (at, (name, _)) in states.enumerate() {
        chain = chain.with_reward(&name, 0.1 * at as f64).unwrap();
    }
    questions.long_run("12 orders of magnitude", &chain, &chain.steady_state().unwrap());
    questions.at("12 orders of magnitude", &chain, 0.01);
}

/// A net with all that nets have: guards, inhibitors, weights, priorities, loops in no time, and a
/// beginning that it does not come back to.
fn a_net(questions: &mut Questions) {
    let places = [("new", 1), ("ok", 2), ("choice", 0), ("wait", 0), ("broken", 0), ("spare", 1)];
    let net = places.into_iter().try_fold(Net::new(), |net, (name, n)| net.with_place(name, n));
    let moves = |it: Transition, from: &str, to: &str| it.taking(from, 1).giving(to, 1);
    let at_once = Transition::immediate;
    let transitions = [
        Transition::after_mean("install", 3.0).taking("new", 1),
        moves(Transition::after_mean("fails", 50.0), "ok", "choice").guarded("new == 0"),
        moves(at_once("minor"), "choice", "wait").with_weight(3.0),
        moves(at_once("major"), "choice", "broken").inhibited_by("broken", 2),
        moves(at_once("again"), "wait", "choice").with_weight(0.5).guarded("broken == 1"),
        moves(at_once("replace"), "wait", "ok").taking("spare", 1).with_priority(2),
        moves(Transition::after_mean("reset", 0.25), "wait", "ok"),
        moves(Transition::after_mean("repair", 4.0), "broken", "ok"),
        Transition::at_rate("delivery", 0.02).giving("spare", 1).inhibited_by("spare", 2),
    ];
    let net = transitions.into_iter().try_fold(net.unwrap(), Net::with_transition).unwrap();
    let reached = net.explore("(ok + wait / 2) / 2").unwrap();
    assert!(reached.markings() > 10 && reached.vanishing() > 5, "{reached:?}");
    let long_run = reached.steady_state().unwrap();
    questions.long_run("a net", reached.chain(), &long_run);
    for time in [0.5, 8.0, 400.0] {
        questions.at("a net", reached.chain(), time);
    }
}

/// States that cannot be left are no trouble at a time, nor are chains that are always up.
fn odd_ones(questions: &mut Questions) {
    let two = Chain::new().with_state("up", true).unwrap().with_state("gone", false).unwrap();
    let gone = two.with_mean("up", "gone", 30.0).unwrap();
    questions.at("gone", &gone, 12.0);
    let always = Chain::new()
        .with_state("a", true)
        .and_then(|chain| chain.with_state("b", true)?.with_rate("a", "b", 2.0))
        .and_then(|chain| chain.with_rate("b", "a", 3.0)?.with_reward("a", 0.0))
        .and_then(|chain| chain.with_reward("b", 0.0))
        .unwrap();
    questions.long_run("always up", &always, &always.steady_state().unwrap());
}

/// What stands in the guide, as blocks of a language.
fn guide(language: &str) -> Vec<String> {
    let text = include_str!("../../../docs/models.md");
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(language)).map(str::to_owned).collect()
}

fn the_guide(questions: &mut Questions) {
    let texts = guide("text\n");
    let chain = texts.iter().find(|text| text.starts_with("ctmc")).unwrap();
    let ours = read(MACHINE).solve().unwrap().distribution.availability().up();
    questions.ask("the guide", chain, "LRA=? [\"up\"]".to_owned(), true, ours);
}

#[test]
fn models_of_the_guide_are_models() {
    let seconds = |_: &Path| Ok(0.3);
    let minutes: Vec<f64> = guide("toml\n")
        .iter()
        .map(|text| ModelFile::parse_with_trials(text, "guide.toml".as_ref(), &seconds).unwrap())
        .map(|model| model.solve().unwrap().distribution.availability().minutes_a_year())
        .collect();
    let [chain, net] = *minutes else { panic!("{minutes:?}") };
    assert!((chain - 55.148).abs() < 0.01, "{chain}");
    assert!((net - 12.447).abs() < 1e-3, "{net}");
}

#[test]
fn storm_says_the_same() {
    let Some(python) = python() else { return };
    let mut questions = Questions::default();
    machines(&mut questions);
    two_hosts(&mut questions);
    twelve_orders(&mut questions);
    a_net(&mut questions);
    odd_ones(&mut questions);
    the_guide(&mut questions);
    questions.put(&python);
}
