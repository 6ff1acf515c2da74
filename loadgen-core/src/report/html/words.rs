//! The words of a report, explained to its readers.

const WORDS: [(&str, &str); 20] = [
    ("call", "one request and its reply"),
    ("connection", "one TCP connection; carries one or more calls"),
    ("schedule", "the arrival process: intended start times that nothing the server does moves"),
    ("intended start", "when the schedule says that a call starts"),
    ("lag", "actual start − intended start: the generator's own lateness"),
    ("response time", "reply complete − intended start: what a user who came at that moment feels"),
    ("service time", "reply complete − first byte sent"),
    ("offered, started, answered rate", "calls by schedule, sent, replied; per second"),
    ("goodput", "good replies (status below 400) per second"),
    ("shed", "an arrival that was never sent (backlog limit, or the run ended)"),
    ("censored", "a call whose end was not seen: known only to be longer than …"),
    (
        "population",
        "calls that share a way of connecting: established (kept-alive connections) or fresh (one \
         connection a call)",
    ),
    ("window", "one step of the timeline"),
    ("event", "a marked moment: name, time, uncertainty, source, attributes"),
    ("trigger", "what started the migration and reported its events"),
    ("total migration time", "migration command accepted → target runs alone and source is free"),
    ("downtime", "no virtual CPU runs: source stopped → target resumed (hypervisor's view)"),
    ("outage", "no call is answered: the client's view of the same, with its error bound"),
    ("brownout", "response time above the band of before, while replies still come"),
    (
        "verdict",
        "whether the figures can be trusted: valid, degraded (with the reservations given) or \
         invalid (they do not say what they seem to say)",
    ),
];

/// The definitions, folded.
pub(super) fn definitions(page: &mut String) {
    page.push_str("<details>\n<summary>What the words mean</summary>\n<dl>\n");
    for (word, meaning) in WORDS {
        page.push_str(&format!("<dt>{word}</dt><dd>{meaning}</dd>\n"));
    }
    page.push_str("</dl>\n</details>\n");
}
