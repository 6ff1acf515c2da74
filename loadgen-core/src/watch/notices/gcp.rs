//! Google Compute Engine: the metadata key `maintenance-event`, as
//! <https://cloud.google.com/compute/docs/metadata/getting-live-migration-notice> and
//! <https://cloud.google.com/compute/docs/metadata/querying-metadata> have it.
//!
//! The key changes from `NONE` 60 s before a live migration, and back when it is over. Compute Engine
//! gives those 60 s only to machines that asked for the key since their last maintenance: asking is
//! what switches the notice on. On sole-tenant nodes it always stays `NONE`.
//!
//! The question hangs until the value is another one than that of the `ETag` that was last seen, so a
//! change is known at once; it is renewed each second, since all that is certain of the time of a
//! change is that it came after the question before was asked.

use std::time::Duration;

use http::header::ETAG;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::bounded::kebab;
use super::cloud::{Change, Cloud, Said, Unread, readable, request, status};
use crate::migration::{ApiAnswer, ApiRequest};

const KEY: &str = "/computeMetadata/v1/instance/maintenance-event";
const FLAVOR: &str = "metadata-flavor";
const GOOGLE: HeaderValue = HeaderValue::from_static("Google");
/// How long a question hangs, and what its answer may take beyond that.
const HANGS: Duration = Duration::from_secs(1);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// When something has just changed, the next change is looked for at once, but not without a break:
/// it may be a server that always says something else.
const BREAK: Duration = Duration::from_millis(100);
const LONGEST_ETAG: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gcp {
    value: Option<String>,
    /// Of the value, if it can stand in a query as it is.
    etag: Option<String>,
    just_changed: bool,
}

impl Cloud for Gcp {
    fn name(&self) -> &'static str {
        "gcp"
    }

    fn home(&self) -> &'static str {
        "a Google Compute Engine machine"
    }

    fn request(&self) -> ApiRequest {
        // Without an ETag a change between two questions would go unnoticed if they hung.
        let path = match &self.etag {
            Some(etag) => {
                let hangs = HANGS.as_secs();
                format!("{KEY}?wait_for_change=true&timeout_sec={hangs}&last_etag={etag}")
            }
            None => KEY.to_owned(),
        };
        request(Method::GET, path, FLAVOR, GOOGLE)
    }

    fn limit(&self) -> Duration {
        HANGS + ANSWER_LIMIT
    }

    fn interval(&self) -> Duration {
        if self.just_changed { BREAK } else { HANGS }
    }

    fn read(&mut self, answer: &ApiAnswer) -> Result<Said, Unread> {
        readable(answer)?;
        if answer.headers.get(FLAVOR) != Some(&GOOGLE) {
            return Err(Unread::Wrong(
                "what answers is not Google's metadata server: the header 'Metadata-Flavor: \
                 Google' is missing"
                    .to_owned(),
            ));
        }
        if answer.status != StatusCode::OK {
            return Err(status(answer));
        }
        let text = String::from_utf8_lossy(&answer.body);
        let value = text.trim();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if value.is_empty() || value.len() > 64 || !value.chars().all(is_word) {
            return Err(Unread::Wrong("its answer is not the name of an event".to_owned()));
        }
        let etag = answer.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        self.etag = etag
            .map(|etag| etag.trim_matches('"'))
            .filter(|etag| !etag.is_empty() && etag.len() <= LONGEST_ETAG)
            .filter(|etag| etag.chars().all(plain))
            .map(str::to_owned);
        let before = self.value.replace(value.to_owned());
        self.just_changed = before.as_deref() != Some(value);
        let (changed, is_over) = (self.just_changed, value == "NONE");
        let mut changes = Vec::new();
        // Nothing going on at the first look is not the end of anything.
        if changed && !(is_over && before.is_none()) {
            let name = if is_over { "host-maintenance-over".to_owned() } else { kebab(value) };
            let mut attributes = Map::new();
            attributes.insert("maintenance-event".to_owned(), Value::from(value));
            attributes.extend(before.map(|before| ("before".to_owned(), Value::from(before))));
            changes.push(Change { name, attributes });
        }
        Ok(Said::Changes { changes, odd: None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cloud::{answer, names};
    use super::*;

    const HEADERS: [(&str, &str); 2] = [("metadata-flavor", "Google"), ("etag", "4cd87aef9d9")];

    #[test]
    fn a_migration_from_notice_to_end() {
        let mut gcp = Gcp::default();
        assert_eq!(gcp.request().path, KEY);
        assert!(names(&mut gcp, &answer(200, &HEADERS, "NONE")).is_empty());
        let path = gcp.request().path;
        assert_eq!(path, format!("{KEY}?wait_for_change=true&timeout_sec=1&last_etag=4cd87aef9d9"));
        assert_eq!(gcp.request().headers[FLAVOR], "Google");
        for (body, name) in [
            ("MIGRATE_ON_HOST_MAINTENANCE\n", "migrate-on-host-maintenance"),
            ("TERMINATE_ON_HOST_MAINTENANCE", "terminate-on-host-maintenance"),
            ("NONE", "host-maintenance-over"),
            ("SOMETHING_NEW", "something-new"),
        ] {
            assert_eq!(names(&mut gcp, &answer(200, &HEADERS, body)), [name]);
            assert_eq!(gcp.interval(), BREAK);
            assert!(names(&mut gcp, &answer(200, &HEADERS, body)).is_empty());
            assert_eq!(gcp.interval(), HANGS);
        }
        // One that is under way at the first look is told.
        let now = answer(200, &HEADERS, "MIGRATE_ON_HOST_MAINTENANCE");
        assert_eq!(names(&mut Gcp::default(), &now), ["migrate-on-host-maintenance"]);
    }

    #[test]
    fn what_is_no_answer_of_google_is_told() {
        let mut gcp = Gcp::default();
        let mut wrong = |status, headers: &[_], body: &str| match gcp
            .read(&answer(status, headers, body))
            .unwrap_err()
        {
            Unread::Busy(why) => format!("busy: {why}"),
            Unread::Wrong(why) => why,
        };
        assert!(wrong(200, &[], "NONE").contains("'Metadata-Flavor: Google' is missing"));
        assert!(wrong(200, &[(FLAVOR, "Azure")], "NONE").contains("not Google's"));
        assert_eq!(wrong(404, &HEADERS, ""), "it answers with status 404");
        assert_eq!(wrong(503, &[], ""), "busy: it answers with status 503");
        for body in ["", " ", "<html>", "A B", "NONE\0", &"A".repeat(65), "\u{1b}[2J"] {
            assert!(wrong(200, &HEADERS, body).contains("not the name of an event"), "{body:?}");
        }
        assert!(wrong(200, &HEADERS, &"A".repeat(2 << 20)).contains("1 MiB"));
    }

    #[test]
    fn an_etag_that_cannot_stand_in_a_query_is_not_sent() {
        for (etag, sent) in
            [("\"abc\"", true), ("a&b=c", false), ("a b", false), ("", false), ("a/../b", false)]
        {
            let mut gcp = Gcp::default();
            let headers = [("metadata-flavor", "Google"), ("etag", etag)];
            assert!(names(&mut gcp, &answer(200, &headers, "NONE")).is_empty());
            assert_eq!(gcp.request().path != KEY, sent, "{etag}");
        }
    }
}
