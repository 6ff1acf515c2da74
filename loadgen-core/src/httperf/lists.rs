//! Values of several numbers: `--client`, `--period` and the workloads.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::error::illegal;
use super::options::{Client, Wlog, Wsess, Wsesslog, Wset};
use super::values::{Base, Scan, integer, real, whole_real};
use crate::schedule::{GapLaw, GapStep, GapSteps};

/// A message that shows what was left to read.
fn at_rest(what: &str, rest: &[u8]) -> Vec<u8> {
    [what.as_bytes(), b" (rest: `", rest, b"')"].concat()
}

fn count(text: &[u8]) -> Option<Scan<'_, u32>> {
    let scan = integer(text, Base::Automatic)?;
    // What does not fit is out of range too.
    let value = u32::try_from(scan.value);
    let out_of_range = scan.out_of_range || value.is_err();
    Some(Scan { value: value.unwrap_or(u32::MAX), out_of_range, rest: scan.rest })
}

/// `I/N`; what follows is not looked at.
pub(super) fn client(text: &[u8]) -> Result<Client, Vec<u8>> {
    let fits = |scan: &Scan<'_, u32>| !scan.out_of_range;
    let number = count(text).filter(fits).ok_or_else(|| at_rest("bad client id", text))?;
    let after = number
        .rest
        .strip_prefix(b"/")
        .ok_or_else(|| at_rest("client id not followed by `/'", number.rest))?;
    let clients = count(after).filter(fits).filter(|clients| number.value < clients.value);
    let clients = clients.ok_or_else(|| at_rest("bad number of clients", after))?;
    Ok(Client { number: number.value, count: clients.value })
}

/// The law of the arrivals; `None` if there is no time between them or no end of
/// it.
pub(super) fn period(text: &[u8]) -> Result<Option<GapLaw>, Vec<u8>> {
    let time = |text: &[u8]| whole_real(text).filter(|time| *time >= 0.0 || time.is_nan());
    let mean = |text: &[u8]| time(text).ok_or_else(|| illegal("mean interarrival time", text));
    let sound = |mean: f64| mean.is_finite() && mean > 0.0;
    let (letter, rest) = match text {
        [b'0'..=b'9', ..] => (b'd', text),
        [letter, rest @ ..] => (letter.to_ascii_lowercase(), rest),
        [] => (0, text),
    };
    match letter {
        b'd' => Ok(Some(mean(rest)?).filter(|m| sound(*m)).map(|gap_s| GapLaw::Constant { gap_s })),
        b'e' => {
            Ok(Some(mean(rest)?).filter(|m| sound(*m)).map(|mean_s| GapLaw::Exponential { mean_s }))
        }
        b'u' => {
            let least = real(rest)
                .filter(|least| !least.out_of_range && (least.value >= 0.0 || least.value.is_nan()))
                .ok_or_else(|| illegal("minimum interarrival time", rest))?;
            let most = least.rest.strip_prefix(b",").ok_or_else(|| {
                at_rest("minimum interarrival time not followed by `,MAX_IAT'", least.rest)
            })?;
            let most_s = time(most).ok_or_else(|| illegal("request period", most))?;
            let law = GapLaw::Uniform { least_s: least.value, most_s };
            Ok(sound(least.value + most_s).then_some(law))
        }
        b'v' => steps(rest).map(Some),
        _ => {
            let letter = text.first().copied().unwrap_or(0);
            let named = [b"interarrival distribution '" as &[u8], &[letter], b"' in "].concat();
            Err([b"illegal " as &[u8], &named, text].concat())
        }
    }
}

/// `T1,D1[,T2,D2...]`
fn steps(text: &[u8]) -> Result<GapLaw, Vec<u8>> {
    let positive =
        |scan: &Scan<'_, f64>| !scan.out_of_range && scan.value > 0.0 && scan.value.is_finite();
    let mut steps = Vec::new();
    let mut left = text;
    loop {
        let gap = real(left).filter(positive);
        let gap = gap.ok_or_else(|| illegal("mean interarrival time", left))?;
        let after = gap
            .rest
            .strip_prefix(b",")
            .ok_or_else(|| at_rest("interarrival time not followed by `,duration'", gap.rest))?;
        let duration = real(after).filter(positive);
        let duration = duration.ok_or_else(|| illegal("duration", after))?;
        if steps.len() == GapSteps::MOST {
            return Err(b"too many rates".to_vec());
        }
        steps.push(GapStep { gap_s: gap.value, duration_s: duration.value });
        left = match duration.rest {
            [b',', rest @ ..] => rest,
            [] => break,
            _ => return Err(illegal("duration", after)),
        };
    }
    let steps = GapSteps::new(&steps).ok_or_else(|| b"too many rates".to_vec())?;
    Ok(GapLaw::Steps { steps })
}

/// The first letter says whether to begin again; the name begins at the third.
pub(super) fn wlog(text: &[u8]) -> Wlog {
    let file = OsStr::from_bytes(text.get(2..).unwrap_or_default()).to_owned();
    Wlog { wrap: matches!(text, [b'y' | b'Y', ..]), file }
}

/// The parameters of a session workload, one after the other.
struct Parameters<'a> {
    option: &'static str,
    rest: &'a [u8],
    /// A comma comes before the next one.
    begun: bool,
}

impl<'a> Parameters<'a> {
    fn of(option: &'static str, text: &'a [u8]) -> Self {
        Self { option, rest: text, begun: false }
    }

    fn bad(&self, what: &str, out_of_range: bool) -> Vec<u8> {
        let what = format!("{what} in --{} arg", self.option);
        let mut message = at_rest(&what, self.rest);
        if out_of_range {
            message.extend_from_slice(b": Numerical result out of range");
        }
        message
    }

    fn comma(&mut self, what: &str) -> Result<(), Vec<u8>> {
        if self.begun {
            self.rest = self.rest.strip_prefix(b",").ok_or_else(|| self.bad(what, false))?;
        }
        self.begun = true;
        Ok(())
    }

    fn take<T>(&mut self, what: &str, scan: Option<Scan<'a, T>>) -> Result<T, Vec<u8>> {
        let scan = scan.ok_or_else(|| self.bad(what, false))?;
        self.rest = scan.rest;
        if scan.out_of_range { Err(self.bad(what, true)) } else { Ok(scan.value) }
    }

    fn count(&mut self, what: &str) -> Result<u32, Vec<u8>> {
        self.comma(what)?;
        self.take(what, count(self.rest))
    }

    fn think_time(&mut self, nth: &str) -> Result<f64, Vec<u8>> {
        let what = format!("bad user think time ({nth} param)");
        self.comma(&what)?;
        let think_s = self.take(&what, real(self.rest))?;
        // A think time without end, or none at all, would be of no use.
        if think_s.is_finite() && think_s >= 0.0 {
            Ok(think_s)
        } else {
            Err(self.bad(&what, false))
        }
    }

    fn end(&self) -> Result<(), Vec<u8>> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.bad("extraneous parameter", false)) }
    }
}

const SESSIONS: &str = "bad number of sessions (1st param)";

/// `SESSIONS,CALLS,THINK`
pub(super) fn wsess(text: &[u8]) -> Result<Wsess, Vec<u8>> {
    three("wsess", "bad number of calls per session (2nd param)", text)
}

/// `SESSIONS,PAGES,THINK`
pub(super) fn wsesspage(text: &[u8]) -> Result<Wsess, Vec<u8>> {
    three("wsesspage", "bad number of user requests per session (2nd param)", text)
}

fn three(option: &'static str, second: &str, text: &[u8]) -> Result<Wsess, Vec<u8>> {
    let mut parameters = Parameters::of(option, text);
    let sessions = parameters.count(SESSIONS)?;
    let calls = parameters.count(second)?;
    let think_s = parameters.think_time("3rd")?;
    parameters.end()?;
    Ok(Wsess { sessions, calls, think_s })
}

/// `SESSIONS,THINK,FILE`
pub(super) fn wsesslog(text: &[u8]) -> Result<Wsesslog, Vec<u8>> {
    let mut parameters = Parameters::of("wsesslog", text);
    let sessions = parameters.count(SESSIONS)?;
    let think_s = parameters.think_time("2nd")?;
    parameters.comma("bad session filename (3rd param)")?;
    let mut parts = parameters.rest.splitn(2, |b| *b == b',');
    let file = OsStr::from_bytes(parts.next().unwrap_or_default()).to_owned();
    parameters.rest = parts.next().unwrap_or_default();
    parameters.end()?;
    Ok(Wsesslog { sessions, think_s, file })
}

/// `FILES,MISS_RATE`; the messages show the parameter that is wrong, not what
/// follows it.
pub(super) fn wset(text: &[u8]) -> Result<Wset, Vec<u8>> {
    let mut parameters = Parameters::of("wset", text);
    let what = "bad working set size (1st parameter)";
    let files = count(text).ok_or_else(|| parameters.bad(what, false))?;
    if files.out_of_range {
        return Err(parameters.bad(what, true));
    }
    let what = "bad target miss rate (2nd parameter)";
    parameters.rest = files.rest.strip_prefix(b",").ok_or_else(|| parameters.bad(what, false))?;
    let rate = real(parameters.rest).ok_or_else(|| parameters.bad(what, false))?;
    if rate.out_of_range || !(0.0..=1.0).contains(&rate.value) {
        return Err(parameters.bad(what, rate.out_of_range));
    }
    if !rate.rest.is_empty() {
        return Err(parameters.bad("extraneous parameter", false));
    }
    Ok(Wset { files: files.value, miss_rate: rate.value })
}
