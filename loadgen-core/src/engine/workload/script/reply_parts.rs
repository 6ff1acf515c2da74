//! Where the parts of a session's reply go: to whoever watches, to its cookie, and to the
//! search for objects of a page.

use super::common::Common;
use super::page::PageReply;
use super::session::Session;
use crate::expectation::Scanning;
use crate::protocol::Sink;
use crate::protocol::http1::LINE_KEPT;
use crate::session::{CookieJar, Found, Notice};

/// Takes the parts of one reply.
pub(crate) struct ReplyParts<'a> {
    common: &'a Common,
    call: u64,
    /// Somebody does something with the lines and the body.
    is_wanted: bool,
    cookie: Option<&'a mut CookieJar>,
    page: Option<&'a mut PageReply>,
    /// What is looked for in the body.
    scanning: Option<Scanning<'a>>,
    found: Vec<Vec<u8>>,
}

impl<'a> ReplyParts<'a> {
    /// Of the reply to the call of this number.
    pub(crate) fn new(
        common: &'a Common,
        call: u64,
        session: Option<&'a mut Session>,
        page: Option<&'a mut PageReply>,
    ) -> Self {
        let cookie = session.and_then(|session| session.cookie.as_deref_mut());
        let is_wanted = common.wants_messages || cookie.is_some() || page.is_some();
        Self { common, call, is_wanted, cookie, page, scanning: None, found: Vec::new() }
    }

    /// Looks at the body for what is expected of it, too.
    pub(crate) fn scanned(self, scanning: Option<Scanning<'a>>) -> Self {
        Self { is_wanted: self.is_wanted || scanning.is_some(), scanning, ..self }
    }

    /// The objects that were found in it.
    pub(crate) fn into_found(self) -> Vec<Vec<u8>> {
        self.found
    }
}

impl Sink for ReplyParts<'_> {
    #[inline]
    fn takes_whole_lines(&self) -> bool {
        self.common.wants_messages
    }

    #[inline]
    fn line(&mut self, line: &[u8]) {
        if self.is_wanted {
            self.take_line(line);
        }
    }

    #[inline]
    fn body(&mut self, bytes: &[u8]) {
        if self.is_wanted {
            self.take_body(bytes);
        }
    }

    fn notice(&mut self, notice: Notice<'_>) {
        self.common.tell(|observer| observer.notice(notice));
    }
}

impl ReplyParts<'_> {
    fn take_line(&mut self, line: &[u8]) {
        if self.common.wants_messages {
            self.common.tell(|observer| observer.reply_line(self.call, line));
        }
        // A run does not do something else because it is watched.
        let line = line.get(..LINE_KEPT).unwrap_or(line);
        if let Some(jar) = &mut self.cookie
            && let Some(notice) = jar.take(line)
        {
            self.common.tell(|observer| observer.notice(notice));
        }
        if let (Some(page), Some(links)) = (&mut self.page, &self.common.settings.links) {
            page.line(links, line, &mut |found| keep(self.common, &mut self.found, &found));
        }
    }

    fn take_body(&mut self, bytes: &[u8]) {
        if let Some(scanning) = &mut self.scanning {
            scanning.body(bytes);
        }
        if self.common.wants_messages {
            self.common.tell(|observer| observer.reply_body(self.call, bytes));
        }
        if let (Some(page), Some(links)) = (&mut self.page, &self.common.settings.links) {
            page.body(links, bytes, &mut |found| keep(self.common, &mut self.found, &found));
        }
    }
}

/// Keeps an object to be fetched, tells of one that is not.
fn keep(common: &Common, objects: &mut Vec<Vec<u8>>, found: &Found<'_>) {
    match found {
        Found::Fetch(uri) => objects.push(uri.to_vec()),
        Found::Foreign(uri) => common.tell(|o| o.notice(Notice::ForeignUri(uri))),
    }
}
