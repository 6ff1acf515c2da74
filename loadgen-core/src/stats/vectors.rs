//! Values that were computed elsewhere (SciPy, statsmodels, enumeration, exact fractions).

use serde_json::Value;

use super::*;
use crate::test_vectors::{cases, close};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn sample(value: &Value) -> Sample {
    Sample::new(numbers(value)).unwrap()
}

#[track_caller]
fn interval(name: &str, expected: &Value, got: Interval) {
    close(name, &expected["low"], got.low);
    close(name, &expected["high"], got.high);
    if let Some(coverage) = expected.get("coverage") {
        close(name, coverage, got.coverage);
    }
}

#[test]
fn intervals_of_a_mean() {
    for (input, expect) in cases("mean_interval") {
        let sample = sample(&input["x"]);
        assert_eq!(sample.n() as u64, expect["n"]);
        close("mean", &expect["mean"], sample.mean());
        close("median", &expect["median"], sample.median());
        close("sd", &expect["sd"], sample.sd().unwrap());
        close("cv", &expect["cv"], sample.cv().unwrap());
        close("t", &expect["t_quantile"], t_quantile(sample.n(), Confidence::P95).unwrap());
        interval("mean", &expect, sample.mean_interval(Confidence::P95).unwrap());
    }
}

#[test]
fn intervals_of_a_median() {
    for (input, expect) in cases("median_interval") {
        match sample(&input["x"]).median_interval(Confidence::P95) {
            MedianInterval::Found { interval: got, ranks } => {
                assert_eq!(expect["exists"], true, "{input}");
                interval("median", &expect, got);
                assert_eq!(ranks.0 as u64, expect["rank_low"]);
                assert_eq!(ranks.1 as u64, expect["rank_high"]);
            }
            MedianInterval::TooFew { largest_coverage } => {
                assert_eq!(expect["exists"], false, "{input}");
                close("coverage", &expect["largest_coverage"], largest_coverage);
            }
        }
    }
}

#[test]
fn bootstraps_by_all_resamples() {
    for (input, expect) in cases("bootstrap_exact") {
        let statistic = match input["statistic"].as_str().unwrap() {
            "mean" => Statistic::Mean,
            _ => Statistic::Median,
        };
        let got = bootstrap(&sample(&input["x"]), statistic, Confidence::P95).unwrap();
        close("percentile", &expect["percentile_low"], got.percentile.0);
        close("percentile", &expect["percentile_high"], got.percentile.1);
        close("bca", &expect["bca_low"], got.bca.0);
        close("bca", &expect["bca_high"], got.bca.1);
        close("z0", &expect["z0"], got.z0);
        close("acceleration", &expect["acceleration"], got.acceleration);
    }
    for (input, expect) in cases("bootstrap_median_odd") {
        let got = bootstrap(&sample(&input["x"]), Statistic::Median, Confidence::P95).unwrap();
        close("low", &expect["low"], got.percentile.0);
        close("high", &expect["high"], got.percentile.1);
    }
    assert_eq!(bootstrap(&Sample::new([1.0]).unwrap(), Statistic::Mean, Confidence::P95), None);
}

#[test]
fn two_samples_compared() {
    for (input, expect) in cases("two_samples") {
        let got = two_samples(&sample(&input["x"]), &sample(&input["y"]), Confidence::P95);
        let test = &expect["mann_whitney"];
        close("u", &test["u"], got.u);
        close("p", &test["p_exact"], got.p);
        close("p_normal", &test["p_normal"], got.p_normal);
        close("p_less", &test["p_less"], got.p_less);
        close("p_greater", &test["p_greater"], got.p_greater);
        assert_eq!(test["ties"], got.ties);
        match got.smallest_p {
            Some(p) => close("smallest p", &test["smallest_possible_p"], p),
            None => assert!(test["smallest_possible_p"].is_null()),
        }
        let shift = &expect["hodges_lehmann"];
        close("shift", &shift["shift"], got.shift);
        match got.shift_interval {
            Some(got) => interval("shift", shift, got),
            None => assert_eq!(shift["interval"], false, "{input}"),
        }
        close("delta", &expect["effect"]["cliffs_delta"], got.cliffs_delta);
        close("A", &expect["effect"]["vargha_delaney"], got.vargha_delaney);
    }
}

#[test]
fn pairs_compared() {
    for (input, expect) in cases("paired") {
        let got = paired(&sample(&input["difference"]), Confidence::P95);
        close("w", &expect["w_plus"], got.w_plus);
        assert_eq!(got.n_nonzero as u64, expect["n_nonzero"]);
        close("p", &expect["p_exact"], got.p);
        close("pseudo-median", &expect["pseudo_median"], got.pseudo_median);
        interval("pseudo-median", &expect, got.interval.unwrap());
    }
}

#[test]
fn several_at_once() {
    for (input, expect) in cases("holm") {
        let got = holm(&numbers(&input["p"]));
        for ((expected, rejected), got) in expect["adjusted"]
            .as_array()
            .unwrap()
            .iter()
            .zip(expect["rejected_at_5_percent"].as_array().unwrap())
            .zip(got)
        {
            close("holm", expected, got);
            assert_eq!(*rejected, got <= 0.05);
        }
    }
    for (input, expect) in cases("kruskal_wallis") {
        let groups: Vec<Sample> = input["groups"].as_array().unwrap().iter().map(sample).collect();
        let got = kruskal_wallis(&groups).unwrap();
        close("h", &expect["h"], got.statistic);
        close("p", &expect["p_chi2"], got.p);
    }
    for (input, expect) in cases("friedman") {
        let blocks: Vec<Vec<f64>> =
            input["blocks"].as_array().unwrap().iter().map(numbers).collect();
        let got = friedman(&blocks).unwrap();
        close("chi2", &expect["chi2"], got.statistic);
        close("p", &expect["p_chi2"], got.p);
    }
}

#[test]
fn trials_and_shares() {
    for (input, expect) in cases("trials_needed") {
        let (cv, relative) = (input["cv"].as_f64().unwrap(), input["relative"].as_f64().unwrap());
        assert_eq!(
            trials_for_mean(cv, relative, Confidence::P95).map(|n| n as u64),
            expect["n"].as_u64()
        );
    }
    assert_eq!(trials_for_mean(f64::NAN, 0.05, Confidence::P95), None);
    assert_eq!(trials_for_mean(0.0, 0.05, Confidence::P95), Some(2));
    assert_eq!(trials_for_mean(1e9, 0.05, Confidence::P95), None);
    for (input, expect) in cases("proportion_interval") {
        let (successes, of) = (input["successes"].as_u64().unwrap(), input["of"].as_u64().unwrap());
        interval("share", &expect, proportion_interval(successes, of, Confidence::P95).unwrap());
    }
}

/// Quantiles of the beta law hold far beyond the vectors.
#[test]
fn shares_of_many() {
    use statrs::function::beta::beta_reg;
    for of in [1_u64, 7, 1_000, 1_000_000] {
        for successes in [0, 1, of / 3, of / 2, of - 1, of] {
            let got = proportion_interval(successes, of, Confidence::P95).unwrap();
            let (k, n) = (successes as f64, of as f64);
            assert!(got.low <= k / n && k / n <= got.high, "{successes} of {of}: {got:?}");
            if successes > 0 {
                let tail = beta_reg(k, n - k + 1.0, got.low);
                assert!((tail - 0.025).abs() < 1e-6, "{successes} of {of}: {tail}");
            }
            if successes < of {
                let tail = 1.0 - beta_reg(k + 1.0, n - k, got.high);
                assert!((tail - 0.025).abs() < 1e-6, "{successes} of {of}: {tail}");
            }
        }
    }
    assert_eq!(proportion_interval(1, 0, Confidence::P95), None);
    assert_eq!(proportion_interval(2, 1, Confidence::P95), None);
}

#[test]
fn lines() {
    for (input, expect) in cases("cpu_regression") {
        let (x, y) = (numbers(&input["x"]), numbers(&input["y"]));
        let line = Line::through(&x.into_iter().zip(y).collect::<Vec<_>>()).unwrap();
        close("intercept", &expect["intercept"], line.intercept);
        close("slope", &expect["slope"], line.slope);
        close("error", &expect["se_intercept"], line.intercept_error.unwrap());
        close("error", &expect["se_slope"], line.slope_error.unwrap());
        close("r2", &expect["r2"], line.r2.unwrap());
        let slope = line.slope_interval(Confidence::P95).unwrap();
        close("low", &expect["ci_slope"][0], slope.low);
        close("high", &expect["ci_slope"][1], slope.high);
        let intercept = line.intercept_interval(Confidence::P95).unwrap();
        close("low", &expect["ci_intercept"][0], intercept.low);
        close("high", &expect["ci_intercept"][1], intercept.high);
    }
}
