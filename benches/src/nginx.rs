//! An nginx of our own (Debian package `nginx-light`), on the server's core.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::SERVER_CORE;

/// A running nginx, in the foreground, with one worker and a page `/` of 100
/// bytes. Ends when dropped.
#[derive(Debug)]
pub struct Nginx(Child);

impl Nginx {
    /// Starts it; what it writes goes below `folder`.
    ///
    /// # Errors
    /// If there is no nginx, or it does not listen on `port` within 10 s.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        let root = folder.join("html");
        fs::create_dir(&root)?;
        fs::write(root.join("index.html"), [b'x'; 100])?;
        let path = |name: &str| folder.join(name).display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", path(kind)))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid {}; error_log {};\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; {temporary}\
             server {{ listen 127.0.0.1:{port} backlog=4096; root {}; }} }}\n",
            path("pid"),
            path("error.log"),
            root.display()
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration)?;
        let child = Command::new("taskset")
            .args(["-c", &SERVER_CORE.to_string(), "nginx", "-c"])
            .arg(&file)
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run taskset (package util-linux)")?;
        let nginx = Self(child);
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > patience {
                bail!(
                    "nginx (package nginx-light) does not listen on port {port}: another --port?"
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
