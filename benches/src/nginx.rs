//! An nginx of our own (Debian package `nginx-light`), by default on the server's
//! core.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::SERVER_CORE;
use crate::process::children;

/// Bytes of the page `/large`.
pub const LARGE_BYTES: usize = 1024 * 1024;

/// How an nginx is to run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its port on all loopback addresses.
    pub port: u16,
    /// 1: one process that serves itself; more: workers with a socket each.
    pub workers: usize,
    /// Cores, as `taskset` reads them.
    pub cores: String,
    /// Most connections of a worker.
    pub connections: u32,
    /// Speaks TLS 1.3 only, with one cipher suite and a certificate made on the spot.
    pub tls: bool,
}

/// The one cipher suite, so that no client is given another than the next: the one that
/// all must know (RFC 8446 §9.1).
pub const SUITE: &str = "TLS_AES_128_GCM_SHA256";

impl Setup {
    /// One process on the server's core.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { port, workers: 1, cores: SERVER_CORE.to_string(), connections: 16_384, tls: false }
    }
}

/// A running nginx, in the foreground, with a page `/` of 100 bytes and a page
/// `/large` of 1 MiB. Ends when dropped.
#[derive(Debug)]
pub struct Nginx(Child);

impl Nginx {
    /// Starts one with one process; what it writes goes below `folder`.
    ///
    /// # Errors
    /// If there is no nginx, or it does not listen on `port` within 10 s.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        Self::start_as(folder, &Setup::new(port))
    }

    /// Starts one.
    ///
    /// # Errors
    /// If there is no nginx, or it does not listen on its port within 10 s.
    pub fn start_as(folder: &Path, setup: &Setup) -> Result<Self> {
        let Setup { port, workers, cores, connections, tls } = setup;
        let root = folder.join("html");
        fs::create_dir_all(&root)?;
        fs::write(root.join("index.html"), [b'x'; 100])?;
        fs::write(root.join("large"), vec![b'x'; LARGE_BYTES])?;
        let path = |name: &str| folder.join(name).display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", path(kind)))
            .concat();
        let (processes, shared) = match workers {
            1 => ("master_process off;".to_owned(), ""),
            // Workers of root would become another user, who may not read the pages.
            _ => (format!("user root; worker_processes {workers};"), "reuseport"),
        };
        let (ssl, encryption) =
            if *tls { ("ssl", encryption(folder)?) } else { ("", String::new()) };
        let configuration = format!(
            "daemon off; {processes} pid {}; error_log {};\n\
             events {{ worker_connections {connections}; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;\n\
             sendfile on; {temporary}\
             server {{ listen 127.0.0.1:{port} {ssl} backlog=4096 {shared}; root {};\n\
             {encryption} }} }}\n",
            path("pid"),
            path("error.log"),
            root.display()
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration)?;
        let script = "ulimit -Sn \"$(ulimit -Hn)\"; exec taskset -c \"$0\" nginx -c \"$1\"";
        let child = Command::new("bash")
            .args(["-c", script, cores])
            .arg(&file)
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run bash")?;
        let mut nginx = Self(child);
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", *port)).is_err() {
            if Instant::now() > patience || nginx.0.try_wait()?.is_some() {
                bail!(
                    "nginx (packages nginx-light, util-linux) does not listen on port {port}: \
                     another --port?"
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(nginx)
    }

    /// Its processes.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        let mut ids = vec![self.0.id()];
        ids.extend(children(self.0.id()));
        ids
    }
}

/// Makes a certificate (ECDSA, P-256) and gives the lines of the configuration. No
/// connection resumes the TLS session of another.
fn encryption(folder: &Path) -> Result<String> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    Ok(format!(
        "ssl_certificate {}; ssl_certificate_key {};\n\
         ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {SUITE};\n\
         ssl_session_cache off; ssl_session_tickets off;",
        certificate.display(),
        key.display()
    ))
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not KILL: its workers would live on.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
