use std::path::Path;

use proptest::prelude::*;

use super::*;

const VM: &str = r#"
# A chain: states, which of them are up, and mean times (or rates) between them.
[chain]
unit = "h"
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

const NET: &str = r#"
[net]
unit = "min"
up = "a > 0"
rewards = { share = "a / 2" }
[net.places]
b = 0
a = 2
[[net.timed]]
name = "there"
takes = { a = 1 }
gives = { b = 1 }
mean = "1h"
[[net.timed]]
name = "back"
takes = { b = 1 }
gives = { a = 1 }
rate = "0.05/m"
guard = "b > 0"
[[net.immediate]]
name = "never"
takes = { a = 3 }
gives = { b = 3 }
inhibitors = { b = 1 }
weight = 2.5
priority = 1
"#;

fn parse(text: &str) -> Result<ModelFile, ModelFileError> {
    ModelFile::parse(text, Path::new("vm.toml"))
}

fn told(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn minutes(text: &str) -> f64 {
    parse(text).unwrap().solve().unwrap().distribution.availability().minutes_a_year()
}

#[test]
fn the_chain_of_the_notes() {
    let found = minutes(VM);
    assert!((found - 97.85940812557018).abs() < 1e-9 * found, "{found}");
    // The same by other ways to say it.
    let by_rate = VM.replace("mean = 720", "rate = \"0.033333333333333333/d\"");
    assert!(told(&by_rate).contains("chain.move.rate"), "a day is no unit of rates");
    let by_rate = VM.replace("mean = 168", &format!("rate = {}", 1.0 / 168.0));
    assert!((minutes(&by_rate) - found).abs() < 1e-9 * found);
    let in_seconds = VM
        .replace("unit = \"h\"", "unit = \"s\"")
        .replace("mean = 720", "mean = 2_592_000.0")
        .replace("mean = 168", "mean = \"168h\"")
        .replace("mean = 24", "mean = \"24h\"");
    assert!((minutes(&in_seconds) - found).abs() < 1e-9 * found);
}

#[test]
fn clocks() {
    let every = minutes(&VM.replace("mean = 24", "every = 24"));
    assert!((every - 55.14778338632449).abs() < 1e-9 * every, "{every}");
    for stages in ["every = 24\nstages = 10", "mean = \"24h\"\nstages = 10"] {
        let stages = minutes(&VM.replace("mean = 24", stages));
        assert!((stages - 59.83472318558241).abs() < 1e-9 * stages, "{stages}");
    }
    let two =
        VM.replace("mean = 24", "every = 24").replace("mean = \"65min\"", "every = \"65min\"");
    let error = parse(&two).unwrap().solve().unwrap_err().to_string();
    assert!(error.contains("stages = 10"), "{error}");
    let chain = parse(&VM.replace("mean = 24", "every = 24\nstages = 3")).unwrap().to_chain();
    assert_eq!(chain.unwrap().states().len(), 8);
    let none = parse(&VM.replace("mean = 24", "every = 24")).unwrap().to_chain().unwrap_err();
    assert!(none.to_string().contains("stages = 10"), "{none}");
}

#[test]
fn trials_are_looked_up_by_who_asks() {
    let text = VM.replace("mean = \"0.3s\"", "from_trials = \"results/\"");
    let error = told(&text);
    assert!(
        error.starts_with("vm.toml:22: chain.move.from_trials: the mean of the trials in"),
        "{error}"
    );
    assert!(error.contains("`loadgen predict`"), "{error}");
    let file = Path::new("plans/vm.toml");
    let found = |directory: &Path| {
        assert_eq!(directory, Path::new("plans/results/"));
        Ok(0.3)
    };
    let found = ModelFile::parse_with_trials(&text, file, &found).unwrap().solve().unwrap();
    assert!((found.distribution.availability().minutes_a_year() - minutes(VM)).abs() < 1e-9);
    let none = |_: &Path| Err("there are no trials".to_owned());
    let error = ModelFile::parse_with_trials(&text, file, &none).unwrap_err().to_string();
    assert_eq!(error, "plans/vm.toml:22: chain.move.from_trials: there are no trials");
}

#[test]
fn a_net() {
    let solved = parse(NET).unwrap().solve().unwrap();
    // 1/60 and 1/20 a minute: a line of three states with ratio 1/3.
    let probabilities = solved.distribution.probabilities();
    let wanted = [9.0 / 13.0, 3.0 / 13.0, 1.0 / 13.0];
    for (wanted, got) in wanted.iter().zip(probabilities) {
        assert!((wanted - got).abs() < 1e-14, "{probabilities:?}");
    }
    assert_eq!(solved.rewards[0].0, "share");
    assert!((solved.rewards[0].1 - (9.0 + 1.5) / 13.0).abs() < 1e-14);
    let chain = parse(NET).unwrap().to_chain().unwrap();
    let names: Vec<&str> = chain.states().iter().map(|state| &*state.name).collect();
    assert_eq!(names, ["2*a", "b a", "2*b"], "places are in the order of the file");
}

#[test]
fn errors_name_file_key_and_mend() {
    for (from, to, wanted) in [
        (
            "mean = 720",
            "",
            "vm.toml:6: chain.move: it says nothing of when: give one of mean, rate, \
          every and from_trials",
        ),
        (
            "mean = 720",
            "mean = 720\nrate = 1",
            "vm.toml:6: chain.move.rate: it has mean too: give \
          one of mean, rate, every and from_trials",
        ),
        (
            "mean = 720",
            "mean = -720",
            "vm.toml:6: chain.move: the rate from 'robust' to 'aged' is \
          -0.001388888888888889: it has to be above 0, from 1e-100 to 1e100",
        ),
        (
            "mean = 720",
            "mean = \"720\"",
            "vm.toml:6: chain.move.mean: '720' has no unit: write \
          \"65min\", or a number without quotes, in the unit of the model",
        ),
        (
            "mean = 720",
            "mean = [720]",
            "vm.toml:9: expected a number in the unit of the model, or text with a unit such as \
             \"65min\"",
        ),
        (
            "from = \"robust\"",
            "from = 5",
            "vm.toml:7: expected the name of a state, or a list of names",
        ),
        (
            "mean = 720",
            "rate = \"5\"",
            "vm.toml:6: chain.move.rate: '5' has no unit: write \"2/h\", \
          or a number without quotes, per unit of the model",
        ),
        (
            "mean = 720",
            "rate = 1\nstages = 3",
            "vm.toml:6: chain.move.stages: with stages, give a \
          mean and no rate",
        ),
        (
            "mean = 24",
            "every = 24\nstages = 0",
            "vm.toml:18: chain.move: a clock has 1 to 1000 \
          stages, and not 0",
        ),
        (
            "to = \"aged\"",
            "to = \"robust\"",
            "vm.toml:6: chain.move: the state 'robust' leads to \
          itself: leave that out, it changes nothing",
        ),
        (
            "[\"robust\", \"aged\"]\nto",
            "[]\nto",
            "vm.toml:18: chain.move.from: there is no state in \
          it",
        ),
        (
            "up = [\"robust\", \"aged\"]",
            "up = [\"old\"]",
            "vm.toml:5: chain.up: no move names the \
          state 'old'",
        ),
        (
            "unit = \"h\"",
            "rewards = { old = 1.0 }",
            "vm.toml:4: chain.rewards.old: there is no state \
          'old': there are 'robust', 'aged', 'failed' and 'blackout'",
        ),
    ] {
        assert!(VM.contains(from), "{from}");
        assert_eq!(told(&VM.replacen(from, to, 1)), wanted);
    }
    for (from, to, wanted) in [
        ("a > 0", "a > c", "vm.toml:4: net.up: at character 5: there is no 'c'"),
        (
            "a / 2",
            "a /",
            "vm.toml:5: net.rewards.share: at character 4: expected a number, a name \
          or '(', and not the end",
        ),
        (
            "guard = \"b > 0\"",
            "guard = \"b = 0\"",
            "vm.toml:14: net.timed 'back': the guard of the \
          transition 'back' cannot be read: at character 3: expected '==', and not '='",
        ),
        (
            "mean = \"1h\"",
            "",
            "vm.toml:9: net.timed 'there': it says nothing of when: give one of \
          mean, rate and from_trials",
        ),
        (
            "inhibitors = { b = 1 }",
            "inhibitors = { x = 1 }",
            "vm.toml:20: net.immediate 'never': the \
          transition 'never' names the place 'x': there are 'b' and 'a'",
        ),
        (
            "weight = 2.5",
            "weight = 0",
            "vm.toml:20: net.immediate 'never': the weight of the \
          transition 'never' is 0: it has to be above 0, from 1e-100 to 1e100",
        ),
    ] {
        assert!(NET.contains(from), "{from}");
        assert_eq!(told(&NET.replacen(from, to, 1)), wanted);
    }
    for (text, wanted) in [
        ("", "vm.toml: there is no [chain] and no [net]: a model is one of them"),
        (
            "[chain]\nup = []",
            "vm.toml: chain: there is no move: a move is [[chain.move]] with from, \
          to and mean",
        ),
    ] {
        assert_eq!(told(text), wanted);
    }
    assert!(told(&format!("{VM}{NET}")).contains("both a [chain] and [net]"));
    for unknown in ["[chain]\nup = []\nstate = 1", "[net]\nmoves = 1", "[model]", "x = 1"] {
        let error = told(unknown);
        assert!(error.contains("unknown field") && error.starts_with("vm.toml:"), "{error}");
    }
    let unit = told("[chain]\nunit = \"weeks\"\nup = []");
    assert!(unit.starts_with("vm.toml:2: unknown variant") && unit.contains("`min`"), "{unit}");
    let none = ModelFile::read(Path::new("/nowhere/vm.toml")).unwrap_err().to_string();
    assert!(none.starts_with("cannot read '/nowhere/vm.toml': "), "{none}");
}

#[test]
fn states_that_no_repair_leads_out_of_are_named() {
    let without =
        VM.replace("from = \"failed\"\nto = \"robust\"", "from = \"robust\"\nto = \"aged\"");
    let error = parse(&without).unwrap().solve().unwrap_err().to_string();
    assert!(error.starts_with("'failed' cannot be left"), "{error}");
}

#[test]
fn deep_tables_are_no_trouble() {
    let deep = format!("[chain]\nup = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(told(&deep).starts_with("vm.toml"));
    let deep = format!("{}x = 1", "a.".repeat(5_000));
    assert!(told(&deep).starts_with("vm.toml"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever becomes of a file, there is a model or an error.
    #[test]
    fn broken_files_are_errors(
        of_net: bool,
        cuts in prop::collection::vec(
            (0_usize..700, 0_usize..6, "[\\[\\]{}=\"a1.,\n -]{0,6}"),
            1..6,
        ),
    ) {
        let mut text: Vec<char> = if of_net { NET } else { VM }.chars().collect();
        for (at, length, instead) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, instead.chars());
        }
        if let Ok(model) = parse(&text.into_iter().collect::<String>()) {
            let _ = model.solve();
            let _ = model.to_chain();
        }
    }

    #[test]
    fn any_text_at_all(text: String) {
        let _ = parse(&text);
    }
}
