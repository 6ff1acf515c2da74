//! How likely how many steps are.

/// Weights of a Poisson law around its mode, which together are 1.
#[derive(Debug)]
pub(super) struct Poisson {
    /// The first number that has a weight.
    pub(super) first: usize,
    /// The weights from there on.
    pub(super) weights: Vec<f64>,
}

impl Poisson {
    /// Of a mean, without tails that are together less than `tails` of the whole.
    ///
    /// It begins at the mode and goes to both sides by the ratio of neighbours, so that nothing
    /// becomes too small or too large (the thought of Fox & Glynn, *CACM* 31, 1988); the tails
    /// are bounded by geometric series.
    pub(super) fn new(mean: f64, tails: f64) -> Self {
        let mode = mean.floor();
        let (mut below, mut above) = (Vec::new(), Vec::new());
        let (mut number, mut weight) = (mode, 1.0);
        // What is beyond is less than the weight there by 1 minus the ratio, and all is more
        // than 1.
        while number > 0.0 {
            let ratio = number / mean;
            weight *= ratio;
            number -= 1.0;
            let beyond = number / mean;
            below.push(weight);
            if beyond < 1.0 && weight * beyond / (1.0 - beyond) < tails / 2.0 {
                break;
            }
        }
        let first = number;
        (number, weight) = (mode, 1.0);
        // Of a mean of 0 there is the mode alone.
        loop {
            number += 1.0;
            weight *= mean / number;
            let beyond = mean / (number + 1.0);
            if weight == 0.0 {
                break;
            }
            above.push(weight);
            if weight * beyond / (1.0 - beyond) < tails / 2.0 {
                break;
            }
        }
        let sum: f64 = below.iter().rev().sum::<f64>() + 1.0 + above.iter().rev().sum::<f64>();
        let all = below.into_iter().rev().chain([1.0]).chain(above);
        Self { first: first as usize, weights: all.map(|weight| weight / sum).collect() }
    }

    /// The weight of a number.
    pub(super) fn weight(&self, number: usize) -> f64 {
        let at = number.checked_sub(self.first);
        at.and_then(|at| self.weights.get(at)).copied().unwrap_or(0.0)
    }

    /// The last number that has a weight.
    pub(super) fn last(&self) -> usize {
        self.first + self.weights.len().saturating_sub(1)
    }

    /// How likely more than each number are, from 0 to the last that has a weight.
    pub(super) fn tails(&self) -> Vec<f64> {
        let mut tails = vec![1.0; self.last() + 1];
        let mut beyond = 0.0;
        for (tail, weight) in tails.iter_mut().rev().zip(self.weights.iter().rev()) {
            *tail = beyond;
            beyond += weight;
        }
        tails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_law() {
        for mean in [0.0_f64, 1e-9, 0.3, 1.0, 7.5, 300.0] {
            let law = Poisson::new(mean, 1e-12);
            let mut wanted = (-mean).exp();
            for number in 0..=law.last() {
                if number >= law.first {
                    let got = law.weight(number);
                    assert!(
                        (got - wanted).abs() <= 1e-11 * wanted,
                        "{mean} {number}: {got} {wanted}"
                    );
                }
                wanted *= mean / (number + 1) as f64;
            }
        }
    }

    #[test]
    fn large_means_are_no_trouble() {
        let mean = 1e7;
        let law = Poisson::new(mean, 1e-12);
        assert!(law.weights.len() < 60_000, "{}", law.weights.len());
        let numbers = || (law.first..=law.last()).map(|number| number as f64);
        let of = |value: &dyn Fn(f64) -> f64| -> f64 {
            numbers().zip(&law.weights).map(|(number, weight)| value(number) * weight).sum()
        };
        assert!((of(&|_| 1.0) - 1.0).abs() < 1e-12);
        assert!((of(&|number| number - mean)).abs() < 1e-3);
        assert!((of(&|number| (number - mean).powi(2)) / mean - 1.0).abs() < 1e-8);
        let tails = law.tails();
        assert_eq!((tails.len(), tails[0], tails[law.last()]), (law.last() + 1, 1.0, 0.0));
        assert!((tails.iter().sum::<f64>() / mean - 1.0).abs() < 1e-10, "they add up to the mean");
    }
}
