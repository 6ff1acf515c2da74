//! The moment that a head's `Date` names.

/// Seconds since 1970 of the `Date` field (an IMF-fixdate, RFC 9110 §5.6.7: what
/// servers send) of a complete head. `None` without one, and of a reply out of a
/// cache (`Age`), whose date is that of another moment.
pub(crate) fn date_of(head: &[u8]) -> Option<i64> {
    let mut date = None;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"age") {
            return None;
        }
        if name.eq_ignore_ascii_case(b"date") {
            date = parse(std::str::from_utf8(value).ok()?.trim());
        }
    }
    date
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn parse(text: &str) -> Option<i64> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = number(words.next()?, 31)?;
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = words.next().filter(|name| name.len() == 3)?;
    let month = months.find(name).filter(|at| at % 3 == 0)? as i64 / 3 + 1;
    let year = number(words.next()?, 9999)?;
    let mut time = words.next()?.split(':');
    let hour = number(time.next()?, 23)?;
    let minute = number(time.next()?, 59)?;
    let second = number(time.next()?, 60)?;
    (words.next()? == "GMT")
        .then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(text: &str, most: i64) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= most)
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. Years begin in March,
/// so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str) -> Option<i64> {
        date_of(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").as_bytes())
    }

    #[test]
    fn dates_are_seconds_since_1970() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Thu, 26 Nov 2026 08:15:39 UTC", -1),
        ] {
            let expected = (seconds >= 0).then_some(seconds);
            assert_eq!(of(&format!("Server: x\r\nDate: {text}")), expected, "{text}");
            assert_eq!(of(&format!("date:{text}")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for fields in [
            "Server: x",
            "Date: yesterday",
            "Date: Sun, 06 anF 1994 08:49:37 GMT",
            "Date: Sun, 06 Nov 1994 08:-9:37 GMT",
            "Date: Sun, 06 Nov 1994 08:49:37",
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 12",
            "X-Date: Sun, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(of(fields), None, "{fields}");
        }
    }
}
