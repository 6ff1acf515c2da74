//! Chains for other programs.

use std::fmt::Write;

use super::chain::{Chain, State};
use crate::printable::printable;

impl Chain {
    /// The chain in PRISM's language (Kwiatkowska, Norman & Parker, CAV 2011), which PRISM and
    /// Storm read: one module, a line for each state, the label `up`, and two rewards: `down` for
    /// time in states that are down, and `reward` for those that the states were given. It begins
    /// in the first state. Rates and rewards keep all of their digits.
    ///
    /// `S=? ["up"]` asks PRISM for the availability, and `LRA=? ["up"]` asks Storm, which has to be
    /// told that the file is one of PRISM (`--prismcompat`); `R{"reward"}=? [S]` and
    /// `R{"reward"}=? [LRA]` ask for the reward in the mean.
    ///
    /// ```
    /// use loadgen_core::model::availability::Chain;
    ///
    /// let chain = Chain::new()
    ///     .with_state("ok", true)?
    ///     .with_state("broken", false)?
    ///     .with_rate("ok", "broken", 0.125)?
    ///     .with_rate("broken", "ok", 2.0)?;
    /// assert!(chain.to_prism().contains("[] s=0 -> 0.125:(s'=1);"));
    /// # Ok::<(), loadgen_core::model::availability::ChainError>(())
    /// ```
    #[must_use]
    pub fn to_prism(&self) -> String {
        let mut text = String::from("ctmc\n\nmodule chain\n");
        for (at, state) in self.states().iter().enumerate() {
            line(&mut text, format_args!("  // {at} {}", printable(&state.name)));
        }
        // A variable has more than one value.
        let last = self.states().len().saturating_sub(1).max(1);
        line(&mut text, format_args!("  s : [0..{last}] init 0;"));
        let mut rates = self.numbered_rates().peekable();
        while let Some((from, to, rate)) = rates.next() {
            let mut command = format!("  [] s={from} -> {rate:?}:(s'={to})");
            while let Some((_, to, rate)) = rates.next_if(|(other, ..)| *other == from) {
                command.push_str(&format!(" + {rate:?}:(s'={to})"));
            }
            line(&mut text, format_args!("{command};"));
        }
        text.push_str("endmodule\n\n");
        let up = self.numbers(|state| state.up);
        let up: Vec<String> = up.into_iter().map(|at| format!("s={at}")).collect();
        let up = if up.is_empty() { "false".to_owned() } else { up.join(" | ") };
        line(&mut text, format_args!("label \"up\" = {up};"));
        self.rewards(&mut text, "down", |state| if state.up { 0.0 } else { 1.0 });
        self.rewards(&mut text, "reward", |state| state.reward);
        text
    }

    fn rewards(&self, text: &mut String, name: &str, of: impl Fn(&State) -> f64) {
        line(text, format_args!("\nrewards \"{name}\""));
        for (at, state) in self.states().iter().enumerate() {
            line(text, format_args!("  s={at} : {};", of(state)));
        }
        line(text, format_args!("endrewards"));
    }

    fn numbers(&self, of: impl Fn(&State) -> bool) -> Vec<usize> {
        (0..).zip(self.states()).filter(|(_, state)| of(state)).map(|(at, _)| at).collect()
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{content}");
}

#[cfg(test)]
mod tests {
    use super::super::expression::Expression;
    use super::*;

    /// As it was checked with Storm.
    const VM: &str = "\
ctmc
const double la=1/720; const double lf=1/168; const double mu=1; const double de=1/24; \
const double m=3600/0.3;
module vm
 s:[0..3] init 0; // 0 robust, 1 aged, 2 failed, 3 blackout
 [] s=0 -> la:(s'=1);
 [] s=1 -> lf:(s'=2);
 [] s=2 -> mu:(s'=0);
 [] s=0 -> de:(s'=3);
 [] s=1 -> de:(s'=3);
 [] s=3 -> m:(s'=0);
endmodule
label \"up\" = s<=1;
rewards \"down\" s>=2:1; endrewards
";

    /// What of the language there is in such files.
    fn read(text: &str) -> Chain {
        let without_comments = text.lines().map(|line| line.split("//").next().unwrap());
        let text = without_comments.collect::<Vec<_>>().join(" ");
        let between = |begin: &str, end: &str| {
            let (_, rest) = text.split_once(begin)?;
            Some(rest.split_once(end)?.0.trim().to_owned())
        };
        assert!(text.trim_start().starts_with("ctmc"));
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for constant in text.split("const double ").skip(1) {
            let (name, value) = constant.split_once(';').unwrap().0.split_once('=').unwrap();
            values.push(Expression::parse(value, &[]).unwrap().value(&[]));
            names.push(name);
        }
        let last = between("[0..", "]").unwrap().parse::<usize>().unwrap();
        let label = between("label \"up\" =", ";").unwrap();
        let label = label.replace('|', "||").replace("s=", "s==").replace("false", "0");
        let up = Expression::parse(&label, &["s"]).unwrap();
        let mut chain = Chain::new();
        for state in 0..=last {
            chain.add_state(state.to_string(), up.value(&[state as f64]) != 0.0).unwrap();
        }
        let module = text.split("init 0;").nth(1).unwrap().split("endmodule").next().unwrap();
        for command in module.split(';').map(str::trim).filter(|command| !command.is_empty()) {
            let command = command.trim_start_matches(['[', ']', '<', '>']).trim();
            let (guard, updates) = command.split_once("->").unwrap();
            let from = guard.trim().strip_prefix("s=").unwrap().parse().unwrap();
            for update in updates.split(" + ") {
                let (rate, to) = update.trim().split_once(":(s'=").unwrap();
                let rate = Expression::parse(rate, &names).unwrap().value(&values);
                chain.add_rate(from, to.strip_suffix(')').unwrap().parse().unwrap(), rate).unwrap();
            }
        }
        chain
    }

    fn rates(chain: &Chain) -> Vec<(usize, usize, f64)> {
        chain.numbered_rates().collect()
    }

    #[test]
    fn the_machine_of_the_notes() {
        let machine = [("robust", true), ("aged", true), ("failed", false), ("blackout", false)]
            .into_iter()
            .try_fold(Chain::new(), |chain, (name, up)| chain.with_state(name, up))
            .and_then(|chain| chain.with_mean("robust", "aged", 720.0))
            .and_then(|chain| chain.with_mean("aged", "failed", 168.0))
            .and_then(|chain| chain.with_mean("failed", "robust", 1.0))
            .and_then(|chain| chain.with_mean("robust", "blackout", 24.0))
            .and_then(|chain| chain.with_mean("aged", "blackout", 24.0))
            .and_then(|chain| chain.with_rate("blackout", "robust", 3600.0 / 0.3))
            .unwrap();
        let wanted = read(VM);
        let got = read(&machine.to_prism());
        assert_eq!(rates(&got), rates(&wanted));
        let up = |chain: &Chain| chain.states().iter().map(|state| state.up).collect::<Vec<_>>();
        assert_eq!(up(&got), up(&wanted));
        let text = machine.to_prism();
        for (name, values) in [("down", [0, 0, 1]), ("reward", [1, 1, 0])] {
            let [robust, aged, failed] = values;
            let wanted =
                format!("\"{name}\"\n  s=0 : {robust};\n  s=1 : {aged};\n  s=2 : {failed};");
            assert!(text.contains(&wanted), "{text}");
        }
        assert!(text.contains("  // 1 aged\n"), "{text}");
        let solved = wanted.steady_state().unwrap().availability().minutes_a_year();
        assert!((solved - 90.473391424528).abs() < 1e-9, "{solved}");
    }

    /// 60 states that another program made of the net of the vectors.
    #[test]
    fn two_hosts() {
        let chain = read(include_str!("../../../tests/two-hosts.prism"));
        assert_eq!(chain.states().len(), 60);
        let down = chain.steady_state().unwrap().availability().minutes_a_year();
        assert!((down - 6.92481919181645).abs() < 1e-9 * down, "{down}");
        assert_eq!(rates(&read(&chain.to_prism())), rates(&chain));
    }

    #[test]
    fn odd_chains() {
        let one = Chain::new().with_state("a\n// b", false).unwrap();
        let text = one.to_prism();
        assert!(text.contains("  // 0 a\\u{a}// b\n  s : [0..1] init 0;\nendmodule"), "{text}");
        assert!(text.contains("label \"up\" = false;"), "{text}");
        let small = one.with_state("b", true).unwrap().with_rate("b", "a\n// b", 1e-17).unwrap();
        assert!(small.to_prism().contains("[] s=1 -> 1e-17:(s'=0);"), "{}", small.to_prism());
    }
}
