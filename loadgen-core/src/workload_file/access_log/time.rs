//! The times of logs, as µs from 1970 UTC.

/// `27/Nov/2026:00:15:28 +0100`, with a fraction of the second or without.
pub(super) fn of_log(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, clock) = rest.split_once(':')?;
    let month = (month.len() == 3).then(|| MONTHS.find(month)).flatten()?;
    let (clock, offset) = clock.split_once(' ')?;
    let date = (number(year, 9999)?, month as i64 / 3 + 1, number(day, 31)?);
    (month % 3 == 0).then(|| moment(date, clock, offset)).flatten()
}

/// RFC 3339: `2026-11-27T00:15:28.250+01:00`, or `Z`; a blank may stand for the `T`, and the colon
/// of the offset may be missing.
pub(super) fn of_rfc3339(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-');
    let mut part = |most| number(parts.next()?, most);
    let date = (part(9999)?, part(12)?, part(31)?);
    match clock.find(['Z', 'z', '+', '-']) {
        Some(at) if clock[at..].eq_ignore_ascii_case("z") => moment(date, &clock[..at], "+0000"),
        Some(at) => moment(date, clock[..at].trim_end(), &clock[at..]),
        None => None,
    }
}

/// Seconds from 1970 with or without a fraction; numbers that would be later than the year 5138
/// are ms or µs.
pub(super) fn of_number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value: f64 = is_plain.then(|| text.parse().ok()).flatten()?;
    let micros = match value {
        v if v >= 1e14 => v,
        v if v >= 1e11 => v * 1e3,
        v => v * 1e6,
    };
    // Up to the year 33658 they are whole in an f64.
    (micros < 1e18).then(|| micros.round() as i64)
}

/// A moment by its date, its time of day and how far that is ahead of UTC.
fn moment((year, month, day): (i64, i64, i64), clock: &str, offset: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 23)?, number(parts.next()?, 59)?);
    let last = parts.next()?;
    let (second, fraction) = last.split_once(['.', ',']).unwrap_or((last, "0"));
    let second = number(second, 60)?;
    // Digits beyond the sixth are dropped; there may be more than an i64 holds.
    number(fraction.get(..18.min(fraction.len()))?, i64::MAX)?;
    let micros = number(format!("{fraction:0<6}").get(..6)?, 999_999)?;
    let (sign, offset) = match offset.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let offset = offset.replace(':', "");
    let (hours, minutes) = offset.split_at_checked(2)?;
    let ahead = sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60);
    let days = days((month > 0 && day > 0).then_some((year, month, day))?);
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second - ahead) * 1_000_000 + micros)
}

/// Digits alone, and at most this many.
fn number(text: &str, most: i64) -> Option<i64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten().filter(|n| *n <= most)
}

/// Days from 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `days_from_civil`).
fn days((year, month, day): (i64, i64, i64)) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        // By `date -u -d … +%s`.
        for (text, micros) in [
            ("10/Oct/2000:13:55:36 -0700", 971_211_336_000_000),
            ("29/Feb/2024:23:59:59 +0000", 1_709_251_199_000_000),
            ("27/Nov/2026:00:15:28.250 +0100", 1_795_734_928_250_000),
            ("01/Jan/1970:00:00:00 +0000", 0),
        ] {
            assert_eq!(of_log(text), Some(micros), "{text}");
        }
        for (text, micros) in [
            ("2026-11-27T00:15:28+01:00", 1_795_734_928_000_000),
            ("2026-11-26T23:15:28.2500001Z", 1_795_734_928_250_000),
            ("2026-11-26 23:15:28,5 +0000", 1_795_734_928_500_000),
            ("2026-11-26t18:45:28-04:30", 1_795_734_928_000_000),
        ] {
            assert_eq!(of_rfc3339(text), Some(micros), "{text}");
        }
        for (text, micros) in [
            ("1795734928", 1_795_734_928_000_000),
            ("1795734928.250", 1_795_734_928_250_000),
            ("1795734928250", 1_795_734_928_250_000),
            ("1795734928250000", 1_795_734_928_250_000),
        ] {
            assert_eq!(of_number(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "-",
            "10/Oct/2000",
            "10/Oct/2000:13:55:36",
            "10/Okt/2000:13:55:36 +0000",
            "10/anF/2000:13:55:36 +0000",
            "32/Oct/2000:13:55:36 +0000",
            "00/Oct/2000:13:55:36 +0000",
            "10/Oct/2000:24:55:36 +0000",
            "10/Oct/2000:13:55 +0000",
            "10/Oct/2000:13:55:36 0000",
            "10/Oct/2000:13:55:36 +é0",
            "2026-11-27",
            "2026-11-27T00:15:28",
            "2026-13-27T00:15:28Z",
            "2026-11-27T00:15:28.Zx",
        ] {
            assert_eq!((of_log(text), of_rfc3339(text)), (None, None), "{text}");
        }
        assert_eq!((of_number("1e5"), of_number("-5"), of_number("")), (None, None, None));
    }

    proptest::proptest! {
        #[test]
        fn days_follow_each_other(n in 0_i64..3_000_000) {
            // The date of a day, by the inverse of the same source, `civil_from_days`.
            let z = n + 719_468;
            let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
            let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524
                - day_of_era / 146_096) / 365;
            let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
            let shifted = (5 * day_of_year + 2) / 153;
            let day = day_of_year - (153 * shifted + 2) / 5 + 1;
            let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
            let year = year_of_era + era * 400 + i64::from(month <= 2);
            proptest::prop_assert_eq!(days((year, month, day)), n);
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}") {
            let _ = (of_log(&text), of_rfc3339(&text), of_number(&text));
        }
    }
}
