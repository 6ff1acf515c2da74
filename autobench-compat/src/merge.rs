//! The figures of several clients that tested one server at the same time, as those
//! of one.

use crate::httperf_output::{Figure, Figures};
use crate::perl;

/// How figures of several clients become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// What can be merged correctly, is.
    Correct,
    /// As the original: everything is added, response time and percentage of errors
    /// are averaged over the clients.
    Original,
}

/// A figure of all clients together, as a number in Perl's digits; `None` if no client
/// told it.
#[must_use]
pub fn merged(figure: Figure, clients: &[Figures], arithmetic: Arithmetic) -> Option<String> {
    let number = match arithmetic {
        Arithmetic::Original => original(figure, clients),
        Arithmetic::Correct => correct(figure, clients),
    };
    number.map(perl::text)
}

fn original(figure: Figure, clients: &[Figures]) -> Option<f64> {
    match figure {
        Figure::RepTime | Figure::PercentErrors => {
            Some(sum(figure, clients)? / clients.len() as f64)
        }
        _ => sum(figure, clients),
    }
}

fn correct(figure: Figure, clients: &[Figures]) -> Option<f64> {
    match figure {
        Figure::RepTime => weighted_by_replies(figure, clients),
        Figure::PercentErrors => percent_errors(clients),
        Figure::RepRateMin => {
            reply_rate(clients, figure, |rates| rates.iter().copied().reduce(f64::min))
        }
        Figure::RepRateMax => {
            reply_rate(clients, figure, |rates| rates.iter().copied().reduce(f64::max))
        }
        Figure::RepRateAvg => reply_rate(clients, figure, mean),
        Figure::RepRateStdv => stddev(clients),
        _ => sum(figure, clients),
    }
}

fn sum(figure: Figure, clients: &[Figures]) -> Option<f64> {
    clients.iter().filter_map(|client| client.number(figure)).reduce(|sum, number| sum + number)
}

/// A mean over replies, not over clients: a client with few replies has little to say.
fn weighted_by_replies(figure: Figure, clients: &[Figures]) -> Option<f64> {
    if let [only] = clients {
        return only.number(figure);
    }
    let mut weighted = 0.0;
    let mut replies = 0.0;
    for client in clients {
        if let (Some(number), Some(count)) = (client.number(figure), client.number(Figure::Replies))
        {
            weighted += number * count;
            replies += count;
        }
    }
    if replies > 0.0 { Some(weighted / replies) } else { original(figure, clients) }
}

fn percent_errors(clients: &[Figures]) -> Option<f64> {
    let whole = |figure| clients.iter().map(|client| client.number(figure)).sum::<Option<f64>>();
    match (whole(Figure::Errors), whole(Figure::Replies)) {
        (Some(errors), Some(replies)) if replies > 0.0 => Some(100.0 * errors / replies),
        _ => original(Figure::PercentErrors, clients),
    }
}

/// The reply rates of all clients together, one each 5 s, as long as all were testing.
/// The clients start at the same time, so the n-th samples belong together.
fn together(clients: &[Figures]) -> Vec<f64> {
    let shortest = clients.iter().map(|client| client.samples.len()).min().unwrap_or(0);
    (0..shortest).map(|n| clients.iter().filter_map(|client| client.samples.get(n)).sum()).collect()
}

/// A figure of the samples, in tenths as httperf tells it; without samples the sum, which
/// is right for the mean and a bound for the others.
fn reply_rate(
    clients: &[Figures],
    figure: Figure,
    of: impl Fn(&[f64]) -> Option<f64>,
) -> Option<f64> {
    match clients {
        [_] => sum(figure, clients),
        _ => of(&together(clients)).map(tenths).or_else(|| sum(figure, clients)),
    }
}

/// Deviations do not add up. Without samples: that of a sum of independent rates.
fn stddev(clients: &[Figures]) -> Option<f64> {
    let figure = Figure::RepRateStdv;
    let rates = together(clients);
    if clients.len() > 1 && !rates.is_empty() {
        return sample_stddev(&rates).map(tenths);
    }
    let squares = clients.iter().filter_map(|client| client.number(figure)).map(|s| s * s);
    match clients {
        [_] => sum(figure, clients),
        _ => squares.reduce(|sum, square| sum + square).map(|variance| tenths(variance.sqrt())),
    }
}

fn mean(rates: &[f64]) -> Option<f64> {
    (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
}

/// 0 of a single sample, as httperf.
fn sample_stddev(rates: &[f64]) -> Option<f64> {
    let mean = mean(rates)?;
    let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
    let freedom = rates.len() as f64 - 1.0;
    Some(if freedom > 0.0 { (squares / freedom).sqrt() } else { 0.0 })
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(figures: &[(Figure, &str)], samples: &[f64]) -> Figures {
        let mut client = Figures::default();
        client.samples = samples.to_vec();
        for (figure, digits) in figures {
            client.set(*figure, digits);
        }
        client
    }

    fn both(figure: Figure, clients: &[Figures]) -> [Option<String>; 2] {
        [Arithmetic::Original, Arithmetic::Correct].map(|how| merged(figure, clients, how))
    }

    fn some(digits: &str) -> Option<String> {
        Some(digits.to_owned())
    }

    #[test]
    fn rates_and_counts_add_up() {
        let clients = [
            client(&[(Figure::ReqRate, "20.4"), (Figure::Status200, "40")], &[]),
            client(&[(Figure::ReqRate, "20.5"), (Figure::Status200, "40")], &[]),
        ];
        assert_eq!(both(Figure::ReqRate, &clients), [some("40.9"), some("40.9")]);
        assert_eq!(both(Figure::Status200, &clients), [some("80"), some("80")]);
        assert_eq!(both(Figure::NetIo, &clients), [None, None]);
    }

    #[test]
    fn response_time_and_errors_count_by_reply() {
        let figures = |time, replies, errors, percent| {
            let figures = [
                (Figure::RepTime, time),
                (Figure::Replies, replies),
                (Figure::Errors, errors),
                (Figure::PercentErrors, percent),
            ];
            client(&figures, &[])
        };
        let clients = [figures("1.0", "300", "0", "0"), figures("9.0", "100", "50", "50")];
        assert_eq!(both(Figure::RepTime, &clients), [some("5"), some("3")]);
        assert_eq!(both(Figure::PercentErrors, &clients), [some("25"), some("12.5")]);
    }

    #[test]
    fn clients_that_do_not_tell_their_replies_count_alike() {
        let times = [(Figure::RepTime, "0.6"), (Figure::PercentErrors, "4")];
        let clients = [client(&times, &[]), client(&[(Figure::RepTime, "0.7")], &[])];
        assert_eq!(both(Figure::RepTime, &clients), [some("0.65"), some("0.65")]);
        assert_eq!(both(Figure::PercentErrors, &clients), [some("2"), some("2")]);
    }

    fn reply_rates(samples: [&[f64]; 2]) -> [Figures; 2] {
        samples.map(|samples| {
            let figures = [
                (Figure::RepRateMin, "10.0"),
                (Figure::RepRateAvg, "20.0"),
                (Figure::RepRateMax, "30.0"),
                (Figure::RepRateStdv, "3.0"),
            ];
            client(&figures, samples)
        })
    }

    #[test]
    fn reply_rates_are_those_of_the_sums_of_samples() {
        // One client is slow when the other is fast: together they are steady.
        let clients = reply_rates([&[10.0, 30.0, 20.0], &[30.0, 10.0, 21.0, 99.0]]);
        assert_eq!(both(Figure::RepRateMin, &clients), [some("20"), some("40")]);
        assert_eq!(both(Figure::RepRateAvg, &clients), [some("40"), some("40.3")]);
        assert_eq!(both(Figure::RepRateMax, &clients), [some("60"), some("41")]);
        assert_eq!(both(Figure::RepRateStdv, &clients), [some("6"), some("0.6")]);
    }

    #[test]
    fn without_samples_deviations_add_as_squares() {
        let clients = reply_rates([&[], &[30.0]]);
        assert_eq!(both(Figure::RepRateMin, &clients), [some("20"), some("20")]);
        assert_eq!(both(Figure::RepRateStdv, &clients), [some("6"), some("4.2")]);
    }

    #[test]
    fn one_client_is_told_as_it_is() {
        let figures: Vec<_> = Figure::ALL.iter().map(|&figure| (figure, "7.3")).collect();
        let one = [client(&figures, &[1.0, 2.0])];
        for figure in Figure::ALL {
            let expected = match figure {
                Figure::PercentErrors => "100",
                _ => "7.3",
            };
            assert_eq!(merged(figure, &one, Arithmetic::Correct), some(expected));
            assert_eq!(merged(figure, &one, Arithmetic::Original), some("7.3"));
        }
    }

    #[test]
    fn no_client_has_no_figures() {
        for figure in Figure::ALL {
            assert_eq!(both(figure, &[]), [None, None]);
        }
    }
}
