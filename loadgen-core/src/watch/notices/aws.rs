//! Amazon EC2: scheduled events in the instance metadata (IMDSv2), as
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html> and
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>
//! have them.
//!
//! These are reboots, stops and retirements. Of live migrations Amazon tells nothing: they come
//! without a notice.
//!
//! The token that answers are given for is a secret: it is in no event and in no words.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};

use super::cloud::{Cloud, Said, Unread, readable, request, status};
use super::listed::{List, Words};
use crate::migration::{ApiAnswer, ApiRequest};
use crate::secret::Secret;

const TOKEN: &str = "/latest/api/token";
const EVENTS: &str = "/latest/meta-data/events/maintenance/scheduled";
/// How long a token lasts, in seconds: the longest that there is.
const TTL_S: HeaderValue = HeaderValue::from_static("21600");
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });
const LONGEST_TOKEN: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Aws {
    token: Option<Secret>,
    /// The token was not asked for anything yet.
    is_new: bool,
    list: List,
}

impl Default for Aws {
    fn default() -> Self {
        let words = Words { id: "EventId", kind: "Code", state: "State" };
        Self { token: None, is_new: false, list: List::new(words) }
    }
}

impl Aws {
    fn token(&mut self, answer: &ApiAnswer) -> Result<Said, Unread> {
        if answer.status == StatusCode::FORBIDDEN {
            return Err(Unread::Wrong(
                "it gives no token (status 403): the metadata service of the instance is switched \
                 off"
                .to_owned(),
            ));
        }
        if answer.status != StatusCode::OK {
            return Err(status(answer));
        }
        let token = std::str::from_utf8(&answer.body).map(str::trim).unwrap_or_default();
        let is_token = (1..=LONGEST_TOKEN).contains(&token.len())
            && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<');
        if !is_token {
            return Err(Unread::Wrong("what it gives is no token of EC2's metadata".to_owned()));
        }
        self.token = Some(Secret::new(token));
        self.is_new = true;
        Ok(Said::Go)
    }
}

impl Cloud for Aws {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn home(&self) -> &'static str {
        "an Amazon EC2 instance (in a container of it: if the hop limit of its metadata is 2)"
    }

    fn request(&self) -> ApiRequest {
        let token = self.token.as_ref().and_then(Secret::reveal);
        match token.map(HeaderValue::from_str) {
            Some(Ok(mut token)) => {
                token.set_sensitive(true);
                request(Method::GET, EVENTS, "x-aws-ec2-metadata-token", token)
            }
            _ => request(Method::PUT, TOKEN, "x-aws-ec2-metadata-token-ttl-seconds", TTL_S),
        }
    }

    fn limit(&self) -> Duration {
        ANSWER_LIMIT
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn read(&mut self, answer: &ApiAnswer) -> Result<Said, Unread> {
        readable(answer)?;
        let Some(token) = self.token.as_ref().and_then(Secret::reveal) else {
            return self.token(answer);
        };
        let is_new = std::mem::take(&mut self.is_new);
        let events = match answer.status {
            StatusCode::NOT_FOUND => Vec::new(),
            StatusCode::UNAUTHORIZED => {
                self.token = None;
                if is_new {
                    return Err(Unread::Wrong("it refuses the token that it just gave".to_owned()));
                }
                return Ok(Said::Go);
            }
            StatusCode::OK => {
                // What repeats it must not come into a report.
                if memchr::memmem::find(&answer.body, token.as_bytes()).is_some() {
                    return Err(Unread::Wrong("its answer repeats the token".to_owned()));
                }
                let events = serde_json::from_slice(&answer.body);
                events
                    .map_err(|_| Unread::Wrong("its answer is not a list of events".to_owned()))?
            }
            _ => return Err(status(answer)),
        };
        let (changes, odd) = self.list.changes(events);
        Ok(Said::Changes { changes, odd })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cloud::{answer, names};
    use super::*;

    fn with_token() -> Aws {
        let mut aws = Aws::default();
        assert_eq!((aws.request().method, aws.request().path.as_str()), (Method::PUT, TOKEN));
        assert_eq!(names(&mut aws, &answer(200, &[], "AQAAhunter2==")), ["go"]);
        aws
    }

    #[test]
    fn lists_as_amazon_writes_them() {
        let mut aws = with_token();
        assert_eq!(aws.request().headers["x-aws-ec2-metadata-token"], "AQAAhunter2==");
        assert!(names(&mut aws, &answer(404, &[], "<html>no</html>")).is_empty());
        let list = |state: &str| {
            answer(
                200,
                &[],
                &format!(
                    r#"[{{"NotBefore":"21 Jan 2019 09:00:43 GMT","Code":"system-reboot",
                       "Description":"scheduled reboot","EventId":"instance-event-0d59937288b749b32",
                       "NotAfter":"21 Jan 2019 09:17:23 GMT","State":"{state}"}}]"#
                ),
            )
        };
        let Ok(Said::Changes { changes, .. }) = aws.read(&list("active")) else { panic!() };
        assert_eq!(changes[0].name, "system-reboot-scheduled");
        assert_eq!(changes[0].attributes["NotAfter"], "21 Jan 2019 09:17:23 GMT");
        assert_eq!(names(&mut aws, &list("canceled")), ["system-reboot-canceled"]);
        assert!(names(&mut aws, &answer(200, &[], "[]")).is_empty());
        assert_eq!(names(&mut aws, &list("active")), ["system-reboot-scheduled"]);
        assert_eq!(names(&mut aws, &answer(404, &[], "")), ["system-reboot-over"]);
    }

    #[test]
    fn a_token_expires_once_and_is_never_shown() {
        let mut aws = with_token();
        assert!(!format!("{aws:?} {:?}", aws.request()).contains("hunter2"));
        assert!(names(&mut aws, &answer(200, &[], "[]")).is_empty());
        assert_eq!(names(&mut aws, &answer(401, &[], "")), ["go"]);
        assert_eq!(aws.request().method, Method::PUT);
        assert_eq!(names(&mut aws, &answer(200, &[], "AQAAhunter2==")), ["go"]);
        let why = aws.read(&answer(401, &[], "")).unwrap_err();
        assert!(matches!(why, Unread::Wrong(why) if why.contains("just gave")));
        let mut aws = with_token();
        let echo = r#"[{"EventId":"1","Code":"AQAAhunter2==","State":"active"}]"#;
        let why = aws.read(&answer(200, &[], echo)).unwrap_err();
        assert_eq!(why, Unread::Wrong("its answer repeats the token".to_owned()));
    }

    #[test]
    fn other_answers_are_told() {
        let wrong = |aws: &mut Aws, status, body: &str| match aws.read(&answer(status, &[], body)) {
            Err(Unread::Wrong(why)) => why,
            other => panic!("{other:?}"),
        };
        for body in ["", "<html>", "a b", "a\r\nb", &"x".repeat(2000)] {
            let why = wrong(&mut Aws::default(), 200, body);
            assert!(why.contains("no token"), "{body:?}: {why}");
        }
        assert!(wrong(&mut Aws::default(), 403, "").contains("switched off"));
        assert!(wrong(&mut Aws::default(), 404, "").contains("status 404"));
        for body in ["", "{}", "[", "null", "<html>"] {
            assert!(wrong(&mut with_token(), 200, body).contains("not a list"), "{body}");
        }
        assert!(wrong(&mut with_token(), 302, "").contains("status 302"));
    }
}
