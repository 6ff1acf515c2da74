//! The clients of an admin: their list, the connections to them for one test, and
//! what they answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use thiserror::Error;

use crate::daemon::PORT;
use crate::httperf_output::Figures;
use crate::protocol::{Answer, Answers, Request};
use crate::reason::reason;
use crate::start::{FATAL, status};

/// Longest wait for a connection.
const CONNECTING: Duration = Duration::from_secs(30);

/// One client: a machine with `autobenchd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    host: String,
    port: u16,
    /// Its name in messages.
    label: String,
}

/// What is wrong with a list of clients.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadClients {
    /// Nobody.
    #[error("Fatal: no clients; give --clients HOST:PORT[,HOST:PORT...]")]
    None,
    /// Not HOST:PORT.
    #[error("Fatal: client '{0}' is not HOST:PORT")]
    Form(String),
}

impl Client {
    /// The clients of a list `HOST:PORT,HOST:PORT…`, in its order, each once. Clients
    /// on one host are told apart by their ports.
    ///
    /// # Errors
    ///
    /// [`BadClients`].
    pub fn list(text: &str) -> Result<Vec<Self>, BadClients> {
        let mut clients: Vec<Self> = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let form = || BadClients::Form(name.to_owned());
            let (host, port) = match name.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().map_err(|_| form())?),
                None => (name, PORT),
            };
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            if host.is_empty() {
                return Err(form());
            }
            let client = Self { label: host.clone(), host, port };
            if !clients.contains(&client) {
                clients.push(client);
            }
        }
        let hosts: Vec<String> = clients.iter().map(|client| client.host.clone()).collect();
        for client in &mut clients {
            if hosts.iter().filter(|host| **host == client.host).count() > 1 {
                client.label = client.address();
            }
        }
        if clients.is_empty() { Err(BadClients::None) } else { Ok(clients) }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn connect(&self) -> Result<TcpStream, Lost> {
        let addresses = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|_| Lost::Unknown(self.host.clone()))?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECTING) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(source) => Lost::Refused { client: self.address(), source },
            None => Lost::Unknown(self.host.clone()),
        })
    }
}

/// Why a client is of no use. One is enough to end the sweep: the others had the wrong
/// rate.
#[derive(Debug, Error)]
pub enum Lost {
    /// Its name is not known.
    #[error("Invalid host: {0}: no such name")]
    Unknown(String),
    /// It cannot be reached.
    #[error("Connection to {client} failed: {}", reason(.source))]
    Refused {
        /// Host and port.
        client: String,
        /// What the system says.
        source: io::Error,
    },
    /// It ended the connection.
    #[error("FATAL: client {0} closed connection")]
    Closed(String),
    /// Its test failed.
    #[error("FATAL: client {0} sent BENCH_FAILED")]
    Failed(String),
    /// It does not keep to the protocol.
    #[error("FATAL: client {0} sent {1}")]
    Nonsense(String, String),
}

impl Lost {
    /// The exit status that it means.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Refused { source, .. } => status(source),
            _ => FATAL,
        }
    }
}

/// The connections of one test. They close with it, which ends tests that still run.
#[derive(Default)]
pub struct Meeting {
    members: Vec<(String, TcpStream)>,
}

/// What a listening thread tells: the number of the client, and what became of it.
type News = (usize, Result<Answer, Lost>);

impl Meeting {
    /// Connects to a client.
    ///
    /// # Errors
    ///
    /// [`Lost`].
    pub fn invite(&mut self, client: &Client) -> Result<(), Lost> {
        let stream = client.connect()?;
        // Without these the connection still works.
        let _ = stream.set_nodelay(true);
        let _ = crate::keep_alive(&stream);
        self.members.push((client.label.clone(), stream));
        Ok(())
    }

    /// Sends every client its order, and tells whom.
    ///
    /// # Errors
    ///
    /// [`Lost`] for the first that cannot be told.
    pub fn order(
        &self,
        orders: &[String],
        at_s: u64,
        mut told: impl FnMut(&str),
    ) -> Result<(), Lost> {
        for ((name, stream), order) in self.members.iter().zip(orders) {
            let text = Request::Start { arguments: order.clone(), at_s }.text();
            let mut stream = stream;
            stream.write_all(text.as_bytes()).map_err(|_| Lost::Closed(name.clone()))?;
            told(name);
        }
        Ok(())
    }

    /// Waits for the figures of all clients, in their order, and tells who accepted.
    ///
    /// # Errors
    ///
    /// [`Lost`] as soon as the first client is.
    pub fn figures(&self, mut accepted: impl FnMut(&str)) -> Result<Vec<Figures>, Lost> {
        let mut all: Vec<Option<Figures>> = self.members.iter().map(|_| None).collect();
        let (sender, news) = channel();
        let result = std::thread::scope(|scope| {
            for (number, (name, stream)) in self.members.iter().enumerate() {
                let sender = sender.clone();
                scope.spawn(move || listen(number, name, stream, &sender));
            }
            drop(sender);
            for (number, news) in news {
                let Some((name, _)) = self.members.get(number) else { continue };
                let lost = match news {
                    Ok(Answer::Accepted) => {
                        accepted(name);
                        continue;
                    }
                    Ok(Answer::Complete(figures)) => {
                        if let Some(slot) = all.get_mut(number) {
                            *slot = Some(*figures);
                        }
                        continue;
                    }
                    Ok(Answer::Failed) => Lost::Failed(name.clone()),
                    Err(lost) => lost,
                };
                self.close();
                return Err(lost);
            }
            Ok(())
        });
        result.map(|()| all.into_iter().flatten().collect())
    }

    fn close(&self) {
        for (_, stream) in &self.members {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Passes on what a client answers, until its test is over.
fn listen(number: usize, name: &str, mut stream: &TcpStream, to: &Sender<News>) {
    let mut answers = Answers::default();
    let mut buffer = [0; 4096];
    loop {
        let news = match answers.next_answer() {
            Ok(Some(answer)) => Ok(answer),
            Err(error) => Err(Lost::Nonsense(name.to_owned(), error.to_string())),
            Ok(None) => match stream.read(&mut buffer) {
                Ok(length @ 1..) => {
                    answers.feed(buffer.get(..length).unwrap_or_default());
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => Err(Lost::Closed(name.to_owned())),
            },
        };
        let is_last = !matches!(news, Ok(Answer::Accepted));
        // Nobody listens once another client is lost.
        if to.send((number, news)).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<String> {
        Client::list(text).unwrap().into_iter().map(|client| client.label).collect()
    }

    #[test]
    fn clients_are_told_apart_by_host_and_port() {
        assert_eq!(labels("a:1,b:2"), ["a", "b"]);
        assert_eq!(labels("a:1,a:2,b:2,a:1"), ["a:1", "a:2", "b"]);
        assert_eq!(Client::list("a").unwrap()[0].address(), "a:4600");
        assert_eq!(Client::list("[::1]:7").unwrap()[0].host, "::1");
    }

    #[test]
    fn lists_that_are_none() {
        assert_eq!(Client::list(" , "), Err(BadClients::None));
        for bad in ["a:", "a:x", ":1", "a:1,b:70000"] {
            assert!(matches!(Client::list(bad), Err(BadClients::Form(_))), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_list_breaks_it(text in "[ab:,0-9\\[\\] ]{0,30}") {
            let _ = Client::list(&text);
        }
    }
}
