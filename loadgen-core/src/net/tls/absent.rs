//! What stands for TLS in a build without it.

use std::io;
use std::os::fd::OwnedFd;

use super::{Tls, TlsError};
use crate::net::transport::Transport;

/// There are none in this build.
#[derive(Debug)]
pub(crate) enum TlsSettings {}

/// Nothing to resume in this build.
#[derive(Debug, Default)]
pub(crate) struct TlsSessionCache;

impl TlsSettings {
    /// # Errors
    /// Always [`TlsError::NotBuilt`].
    pub(crate) fn new(_: &Tls, _: &str, _: &[&[u8]]) -> Result<Self, TlsError> {
        Err(TlsError::NotBuilt)
    }

    pub(crate) fn connect(&self, _: OwnedFd, _: &mut TlsSessionCache) -> io::Result<Transport> {
        match *self {}
    }
}
