//! The text that says where notices come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::migration::TriggerError;
use crate::target::Target;

/// By its name, not its address, as Google's own libraries have it.
const GCP: &str = "http://metadata.google.internal";
/// Link-local: never behind a proxy.
const LINK_LOCAL: &str = "http://169.254.169.254";

/// Where maintenance notices come from.
///
/// As text: `gcp`, `azure` or `aws`, each also with the base URL of its metadata server
/// (`gcp=http://127.0.0.1:8080`, for proxies and tests); anything else is the path of a file, and
/// `file:PATH` is one whatever it is called.
///
/// | | what it tells | how it is asked |
/// |---|---|---|
/// | [Google Compute Engine](https://cloud.google.com/compute/docs/metadata/getting-live-migration-notice) | a live migration (or termination) about 60 s before it, and its end; not on sole-tenant nodes | a question that hangs until something changes, renewed each second |
/// | [Azure](https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events) | freezes (a live migration is one), reboots, redeployments, evictions: scheduled, started, over. Also those of other machines in the same availability or scale set: the attribute `Resources` names them | each second |
/// | [Amazon EC2](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html) | reboots, stops and retirements, days before. Of live migrations it tells nothing | every 5 s |
/// | a file | the lines that are appended to it from the start on: any text, or JSON `{"event": "NAME", "t": UNIX_SECONDS, …}` with the wall clock of this machine (`t` may be left out) | 10 times a second |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoticeSource {
    /// The metadata server of Google Compute Engine; its base URL, if it is another one than
    /// `http://metadata.google.internal` (or what `GCE_METADATA_HOST` says).
    Gcp(Option<String>),
    /// Azure's scheduled events; the base URL, if it is another one than `http://169.254.169.254`.
    Azure(Option<String>),
    /// Amazon EC2's scheduled events; the base URL, if it is another one than
    /// `http://169.254.169.254` (or what `AWS_EC2_METADATA_SERVICE_ENDPOINT` says).
    Aws(Option<String>),
    /// A file to which lines are appended. It need not be there yet, but its folder must.
    File(PathBuf),
}

impl NoticeSource {
    /// The base URL of the server, without a slash at its end; `None` for a file. `env` gives
    /// variables of the environment.
    pub(super) fn server(&self, env: impl Fn(&str) -> Option<String>) -> Option<String> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let url = match self {
            Self::Gcp(Some(url)) | Self::Azure(Some(url)) | Self::Aws(Some(url)) => url.clone(),
            Self::Gcp(None) => match env("GCE_METADATA_HOST") {
                Some(host) if host.contains("://") => host,
                Some(host) => format!("http://{host}"),
                None => GCP.to_owned(),
            },
            Self::Azure(None) => LINK_LOCAL.to_owned(),
            Self::Aws(None) => {
                env("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| LINK_LOCAL.to_owned())
            }
            Self::File(_) => return None,
        };
        Some(url.trim_end_matches('/').to_owned())
    }

    /// The path of the file; empty for a cloud.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            _ => Path::new(""),
        }
    }
}

impl FromStr for NoticeSource {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let wrong = |reason: &str| {
            let what = format!("the source of maintenance notices '{}'", text.escape_debug());
            Err(TriggerError::protocol(what, reason))
        };
        let (name, url) = match text.split_once('=') {
            Some((name, url)) => (name, Some(url)),
            None => (text, None),
        };
        let of: fn(Option<String>) -> Self = match name {
            "gcp" => Self::Gcp,
            "azure" => Self::Azure,
            "aws" => Self::Aws,
            _ => {
                // Hardly a file: a cloud that is not known.
                if url.is_some_and(|url| url.contains("://")) && !name.contains(['/', ':', '.']) {
                    return wrong("the clouds that are known are gcp, azure and aws");
                }
                let path = text.strip_prefix("file:").unwrap_or(text);
                if path.is_empty() {
                    return wrong("give gcp, azure, aws, or the path of a file");
                }
                return Ok(Self::File(path.into()));
            }
        };
        if let Some(url) = url
            && let Err(reason) = base(url)
        {
            return wrong(&reason);
        }
        Ok(of(url.map(str::to_owned)))
    }
}

/// The server of a base URL.
pub(super) fn base(url: &str) -> Result<Target, String> {
    if url.is_empty() {
        return Err("a URL belongs behind the '='".to_owned());
    }
    if url.contains(['?', '#']) {
        return Err("a base URL has neither a query nor a fragment".to_owned());
    }
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    // It would be shown wherever the source is.
    if target.authorization().is_some() {
        return Err("user and password do not belong into this URL".to_owned());
    }
    Ok(target)
}

impl fmt::Display for NoticeSource {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, url) = match self {
            Self::Gcp(url) => ("gcp", url),
            Self::Azure(url) => ("azure", url),
            Self::Aws(url) => ("aws", url),
            Self::File(path) => {
                let text = path.to_string_lossy();
                let is_plain = text.parse::<Self>().is_ok_and(|read| read == *self);
                return write!(f, "{}{text}", if is_plain { "" } else { "file:" });
            }
        };
        match url {
            None => f.write_str(name),
            Some(url) => write!(f, "{name}={url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_written_as_they_are_read() {
        let file = |path: &str| NoticeSource::File(path.into());
        let url = || Some("http://127.0.0.1:8080".to_owned());
        for (text, source) in [
            ("gcp", NoticeSource::Gcp(None)),
            ("azure", NoticeSource::Azure(None)),
            ("aws=http://127.0.0.1:8080", NoticeSource::Aws(url())),
            ("gcp=http://127.0.0.1:8080", NoticeSource::Gcp(url())),
            ("/var/log/notices", file("/var/log/notices")),
            ("./a=b", file("./a=b")),
            ("GCP", file("GCP")),
            ("file:gcp", file("gcp")),
            ("file:aws=x", file("aws=x")),
            ("file:file:x", file("file:x")),
        ] {
            let read: NoticeSource = text.parse().unwrap();
            assert_eq!((&read, read.to_string().as_str()), (&source, text));
        }
        assert_eq!("file:/a".parse::<NoticeSource>().unwrap().to_string(), "/a");
    }

    #[test]
    fn what_is_mistyped_is_told() {
        for (text, part) in [
            ("", "give gcp, azure, aws"),
            ("file:", "the path of a file"),
            ("gcp=", "behind the '='"),
            ("aws=ftp://x", "ftp"),
            ("aws=http://me:hunter2@x", "user and password"),
            ("azure=http://x/?a=b", "neither a query"),
            ("oci=http://x", "known are gcp, azure and aws"),
        ] {
            let error = text.parse::<NoticeSource>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_environment_names_other_servers() {
        let unset = |_: &str| None;
        let server = |source: NoticeSource| source.server(unset).unwrap();
        assert_eq!(server(NoticeSource::Gcp(None)), "http://metadata.google.internal");
        assert_eq!(server(NoticeSource::Azure(None)), "http://169.254.169.254");
        assert_eq!(server(NoticeSource::Gcp(Some("http://x/b/".into()))), "http://x/b");
        let set = |name: &str| match name {
            "GCE_METADATA_HOST" => Some("127.0.0.1:81".to_owned()),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT" => Some("http://127.0.0.1:82/".to_owned()),
            _ => None,
        };
        assert_eq!(NoticeSource::Gcp(None).server(set).unwrap(), "http://127.0.0.1:81");
        assert_eq!(NoticeSource::Aws(None).server(set).unwrap(), "http://127.0.0.1:82");
        assert_eq!(NoticeSource::Azure(None).server(set).unwrap(), "http://169.254.169.254");
        assert!(NoticeSource::File("x".into()).server(set).is_none());
    }
}
