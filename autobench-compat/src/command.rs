//! The httperf command line of one test.

use loadgen_core::shell_words::{self, Unclosed};

use crate::config::Config;

/// What distinguishes one test from the next; everything as text, as the settings
/// have it.
#[derive(Debug, Clone, Copy)]
pub struct Test<'a> {
    /// Server's host name.
    pub host: &'a str,
    /// URI of every call.
    pub uri: &'a str,
    /// Server's port.
    pub port: &'a str,
    /// Connections.
    pub num_conn: &'a str,
    /// Connections per second.
    pub rate: &'a str,
}

impl<'a> Test<'a> {
    /// The test of host 1 or 2 of the settings.
    #[must_use]
    pub fn of_host(config: &'a Config, which: Host, num_conn: &'a str, rate: &'a str) -> Self {
        let [host, uri, port] = which.keys().map(|key| config.get(key));
        Self { host, uri, port, num_conn, rate }
    }

    /// The arguments as one line, without the program and without what the settings
    /// pass through.
    #[must_use]
    pub fn line(&self, config: &Config) -> String {
        format!(
            "--server {} --uri \"{}\" --num-conn {} --num-call {} --timeout {} --rate {} --port {}",
            self.host,
            self.uri,
            self.num_conn,
            config.get("num_call"),
            config.get("timeout"),
            self.rate,
            self.port,
        )
    }

    /// The arguments, each by itself.
    ///
    /// # Errors
    ///
    /// A quotation in the URI or in an option passed through that does not end.
    pub fn arguments(&self, config: &Config) -> Result<Vec<String>, Unclosed> {
        shell_words::split(&format!("{}{}", self.line(config), config.pass_through()))
    }
}

/// One of the two servers of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// `host1`, `uri1`, `port1`.
    First,
    /// `host2`, `uri2`, `port2`.
    Second,
}

impl Host {
    /// The servers that are tested: one with `single_host`, else both.
    #[must_use]
    pub fn tested(config: &Config) -> &'static [Self] {
        if config.is_true("single_host") { &[Self::First] } else { &[Self::First, Self::Second] }
    }

    /// Settings of host name, URI and port.
    #[must_use]
    pub const fn keys(self) -> [&'static str; 3] {
        match self {
            Self::First => ["host1", "uri1", "port1"],
            Self::Second => ["host2", "uri2", "port2"],
        }
    }

    /// Its host name.
    #[must_use]
    pub fn name(self, config: &Config) -> &str {
        let [host, _, _] = self.keys();
        config.get(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_original() {
        let text = "host1 = 127.0.0.1\nuri1 = /1k.html\nport1 = 8090\nnum_call = 2\ntimeout = 2\n\
                    httperf_add-header = \"X-A: cfg\\n\"\nhttperf_hog = NULL\n";
        let config = Config::parse(text, "conf", &mut std::io::sink());
        let test = Test::of_host(&config, Host::First, "40", "20");
        assert_eq!(
            format!("httperf {}{}", test.line(&config), config.pass_through()),
            "httperf --server 127.0.0.1 --uri \"/1k.html\" --num-conn 40 --num-call 2 --timeout 2 \
             --rate 20 --port 8090 --add-header \"X-A: cfg\\n\" --hog "
        );
        let arguments = test.arguments(&config).unwrap();
        assert_eq!(arguments[3], "/1k.html");
        assert_eq!(arguments[14..], ["--add-header", "X-A: cfg\\n", "--hog"]);
    }

    #[test]
    fn a_uri_is_not_expanded() {
        let text = "host1 = h\nuri1 = /a?x=1&y=$HOME`id`\nport1 = 80\n";
        let config = Config::parse(text, "conf", &mut std::io::sink());
        let arguments = Test::of_host(&config, Host::First, "1", "1").arguments(&config).unwrap();
        assert_eq!(arguments[3], "/a?x=1&y=$HOME`id`");
    }
}
