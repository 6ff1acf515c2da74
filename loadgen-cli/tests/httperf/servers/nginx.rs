//! nginx in the foreground, as one process, with its files in a temporary
//! directory: a port without TLS and one with a certificate signed by itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The pages and the certificate, which several nginx can serve: with the same
/// files, their replies are the same but for the date.
pub(crate) struct Site(TempDir);

impl Site {
    /// Writes the pages; openssl makes the certificate.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let www = dir.path().join("www");
        let write = |name: &str, bytes: &[u8]| {
            let path = www.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write("index.html", b"<html>index</html>\n");
        write("1k.html", &[b'k'; 1024]);
        write("10k.bin", &[b'x'; 10 * 1024]);
        write("100k.bin", &[b'x'; 100 * 1024]);
        for (name, size) in [("foo.html", 100), ("foo1.html", 200)] {
            write(name, &vec![b'f'; size]);
        }
        for n in 1..=6 {
            write(&format!("pict{n}.gif"), &vec![b'p'; 100 * n]);
        }
        for n in 0..10 {
            write(&format!("wset/{n}.html"), &vec![b'w'; 10 + n]);
            write(&format!("wset/0/{n}.html"), &vec![b'w'; 20 + n]);
        }
        write("wset.html", b"one file\n");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"])
            .args(["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "openssl: {made:?}");
        Self(dir)
    }
}

/// A running nginx; dropping it stops it.
pub(crate) struct Nginx {
    child: Child,
    dir: TempDir,
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    /// Bytes of the TLS log that were taken.
    taken: usize,
}

impl Nginx {
    /// Starts it and waits until it answers.
    pub(crate) fn start(site: &Site) -> Self {
        let mut last = String::new();
        // a port that was free a moment ago may be somebody's by now
        for _ in 0..5 {
            match Self::try_start(site) {
                Ok(nginx) => return nginx,
                Err(e) => last = e,
            }
        }
        panic!("nginx did not start: {last}");
    }

    fn try_start(site: &Site) -> Result<Self, String> {
        let dir = tempfile::tempdir().unwrap();
        let ports = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [plain, tls] = ports.each_ref().map(|l| l.local_addr().unwrap().port());
        drop(ports);
        std::fs::write(dir.path().join("nginx.conf"), config(site.0.path(), plain, tls)).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut nginx = Self { child, dir, plain, tls, taken: 0 };
        let started = Instant::now();
        while nginx.get().is_none() {
            let ended = nginx.child.try_wait().unwrap().is_some();
            if ended || started.elapsed() > Duration::from_secs(20) {
                return Err(std::fs::read_to_string(nginx.dir.path().join("error.log"))
                    .unwrap_or_else(|e| e.to_string()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    /// One line for each request that came over TLS since the last call.
    pub(crate) fn take_tls_log(&mut self) -> Vec<String> {
        // nginx is one process: what it logs about earlier requests is there
        // when it has answered a later one
        assert!(self.get().is_some(), "nginx is gone");
        let log = std::fs::read_to_string(self.dir.path().join("tls.log")).unwrap();
        let new = log.get(self.taken..).unwrap_or_default().lines().map(str::to_owned).collect();
        self.taken = log.len();
        new
    }

    /// A reply from the port without TLS.
    fn get(&self) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.plain)).ok()?;
        stream.write_all(b"GET /1k.html HTTP/1.0\r\n\r\n").ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        reply.starts_with("HTTP/1.1 200").then_some(reply)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(site: &Path, plain: u16, tls: u16) -> String {
    let site = site.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {kind};\n"))
        .concat();
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
{temporary}  types {{ text/html html; application/octet-stream bin; image/gif gif; }}
  log_format tls '$request_length bytes, request $connection_requests, resumed $ssl_session_reused: '
                 '$request | $http_host | $http_user_agent | $http_connection | $http_cookie | $http_x_a';
  keepalive_requests 100000;
  keepalive_timeout 30s;
  root {site}/www;
  access_log off;
  error_page 405 =200 /foo1.html;
  server {{
    listen 127.0.0.1:{plain} backlog=1024;
    location = /err500 {{ return 500 "internal\n"; }}
    location = /err503 {{ return 503 "busy\n"; }}
    location = /redir  {{ return 302 /1k.html; }}
    location = /nocontent {{ return 204; }}
    location = /post {{ return 200 "posted\n"; }}
    location = /close {{ keepalive_timeout 0; return 200 "closing\n"; }}
    location = /cookie {{
      add_header Set-Cookie "sid=abc123; Path=/; HttpOnly";
      return 200 "cookie $http_cookie\n";
    }}
    location = /page.html {{
      default_type text/html;
      return 200 '<html><img src="pict1.gif"><img src="/pict2.gif"></html>\n';
    }}
    location = /headers {{
      default_type text/plain;
      return 200 "xa=$http_x_a xb=$http_x_b host=$http_host ua=$http_user_agent conn=$http_connection cookie=$http_cookie method=$request_method uri=$request_uri\n";
    }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {site}/cert.pem;
    ssl_certificate_key {site}/key.pem;
    ssl_session_cache shared:sessions:1m;
    access_log tls.log tls;
    location = /cookie {{
      add_header Set-Cookie "sid=abc123; Path=/; HttpOnly";
      return 200 "cookie $http_cookie\n";
    }}
  }}
}}
"#
    )
}
