//! Reading a list: its file and data are taken apart, and each request is handed out.

use super::entry::{Base, ListedRequest};
use super::file::{Fnv, read};
use super::template::Table;
use super::{
    Found, MOST_REQUESTS, RequestFormat, RequestList, Source, access_log, json_lines, urls,
};
use crate::clock::Nanos;
use crate::error::WorkloadFileError;
use crate::request::Request;
use crate::target::Target;

impl RequestList {
    /// Reads the list and hands out its requests, one after the other, in the order of the
    /// file. `request` is the plan's. Given back is when each came, in ns from the first: of an
    /// access log; nothing otherwise.
    ///
    /// # Errors
    /// [`WorkloadFileError`] if a file cannot be read, or says something wrong, or is another
    /// than the one that the plan was run with.
    pub(crate) fn read(
        &mut self,
        request: &Request,
        target: &Target,
        each: &mut dyn FnMut(ListedRequest),
    ) -> Result<Vec<Nanos>, WorkloadFileError> {
        let mut hash = Fnv::default();
        let data = match &self.data {
            None => Table::none(),
            Some(file) => {
                let bytes = read(file)?;
                hash.add(&bytes);
                Table::read(&bytes, file)?
            }
        };
        let base = Base { request, target };
        let name = self.name();
        let wrong = |line, reason: String| WorkloadFileError::content(&name, line, reason);
        let too_many = || wrong(None, "a load has at most 1,000,000 requests".to_owned());
        let (mut count, mut expects) = (0_usize, false);
        let mut fill = |line: u64, entry: &ListedRequest, row: usize| {
            count += 1;
            if count > MOST_REQUESTS {
                return Err(too_many());
            }
            let entry = data.fill(entry, row).map_err(|reason| wrong(Some(line), reason))?;
            entry
                .validate()
                .map_err(|error| wrong(Some(line), format!("{error}{}", data.told(row))))?;
            expects |= !entry.expect.is_empty();
            each(entry);
            Ok(())
        };
        // With several rows the entries are needed again and again, else one by one.
        let mut entries = Vec::new();
        let mut take = |line: u64, entry: ListedRequest| {
            if data.rows() == 1 {
                return fill(line, &entry, 0);
            }
            if entries.len() >= MOST_REQUESTS {
                return Err(too_many());
            }
            entries.push((line, entry));
            Ok(())
        };
        let mut replayed = access_log::Replayed::default();
        match &self.source {
            // Nothing of it is read.
            Source::Program { .. } => {}
            Source::Request => take(1, ListedRequest::new(request.clone(), target.path()))?,
            Source::Given { requests } => {
                (1..).zip(requests).try_for_each(|(n, listed)| take(n, base.under(listed)))?;
            }
            Source::File { file, format } => {
                let bytes = read(file)?;
                hash.add(&bytes);
                match format.unwrap_or_else(|| RequestFormat::of(&bytes)) {
                    RequestFormat::Urls => urls::lines(&bytes, file, &base, &mut take)?,
                    RequestFormat::Wlog => urls::wlog(&bytes, &base, &mut take)?,
                    RequestFormat::JsonLines => json_lines::read(&bytes, file, &base, &mut take)?,
                    RequestFormat::AccessLog if self.data.is_some() => {
                        let reason = "an access log has no columns to be filled in: leave out the \
                                      data";
                        return Err(wrong(None, reason.to_owned()));
                    }
                    RequestFormat::AccessLog => {
                        let change_state = self.change_state;
                        replayed = access_log::read(&bytes, file, &base, change_state, &mut take)?;
                    }
                }
            }
        }
        for row in 0..data.rows() {
            entries.iter().try_for_each(|(line, entry)| fill(*line, entry, row))?;
        }
        if count == 0 {
            return Err(wrong(None, "there is no request in it".to_owned()));
        }
        let fingerprint = format!("{:016x}", hash.finish());
        let skipped = replayed.skipped;
        let found = Found { count: count as u64, fingerprint, expects, skipped };
        if let Some(before) = self.found.as_ref().filter(|before| **before != found) {
            let reason = format!(
                "this is not what the report was made with: it has {} requests (fingerprint {}), \
                 and had {} ({})",
                found.count, found.fingerprint, before.count, before.fingerprint
            );
            return Err(wrong(None, reason));
        }
        self.found = Some(found);
        Ok(replayed.times)
    }
}

impl RequestFormat {
    /// By the content.
    fn of(bytes: &[u8]) -> Self {
        if bytes.contains(&0) {
            Self::Wlog
        } else if bytes.trim_ascii_start().starts_with(b"{")
            // What data will fill in is the beginning of a URL.
            && !bytes.trim_ascii_start().starts_with(b"{{")
        {
            Self::JsonLines
        } else if access_log::is_one(bytes) {
            Self::AccessLog
        } else {
            Self::Urls
        }
    }
}
