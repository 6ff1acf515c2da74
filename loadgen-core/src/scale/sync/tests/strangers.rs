//! Those who only make noise.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{LONG, host, join, started, token, until};
use crate::scale::sync::MeetingHost;
use crate::scale::sync::handshake::Terms;

#[test]
fn garbage_disturbs_nobody() {
    let host = host(3);
    let address = host.local_addr();
    let endless = vec![b'x'; 100_000];
    let forged = format!("join 1/3 plan {} {}\n", "0".repeat(32), "0".repeat(64));
    let noise: [&[u8]; 10] = [
        b"",
        b"\0\xff\x1b[2J\n",
        &endless,
        b"half a li",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"ready\n",
        b"clock 1\nclock 2\n",
        b"loadgen-sync/1 00000000000000000000000000000000\n",
        b"\n\n\n",
        forged.as_bytes(),
    ];
    let mut kept = Vec::new();
    for said in noise {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may be thrown out in the middle.
        let _ = stream.write_all(said);
        kept.push(stream);
        // Others look and go.
        drop(TcpStream::connect(address).unwrap());
    }
    let guests = [1, 2].map(|index| join(&host, index, 3).unwrap());
    started(&host, &guests);
    until(|| host.refusals().len() >= 5);
    let notes = host.refusals();
    assert!(notes.iter().all(|note| note.starts_with("127.0.0.1")), "{notes:?}");
    assert!(!notes.concat().contains(char::is_control), "{notes:?}");
    assert!(host.lost().is_empty());
}

#[test]
fn a_guest_that_makes_noise_costs_itself_only() {
    let host = host(3);
    let good = join(&host, 1, 3).unwrap();
    let bad = join(&host, 2, 3).unwrap();
    bad.say_garbage();
    until(|| !host.refusals().is_empty());
    assert!(bad.measure_again().is_err());
    drop(bad);
    until(|| host.refusals().iter().any(|note| note == "shard 2 went away"));
    started(&host, &[good, join(&host, 2, 3).unwrap()]);
}

/// Connects, and reads the greeting.
fn stranger(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    let mut greeting = String::new();
    stream.read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("loadgen-sync/1 "), "{greeting}");
    stream
}

/// However many there are, and whatever they wait for.
#[test]
fn silent_strangers_keep_nobody_out() {
    let host = host(2);
    let address = host.local_addr();
    let mut inside: Vec<_> = (0..100).map(|_| stranger(address)).collect();
    started(&host, &[join(&host, 1, 2).unwrap()]);
    // The first ones had to go, the last ones may stay.
    let mut rest = String::new();
    inside[0].read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let last = inside[99].get_ref();
    last.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    assert_ne!(last.peek(&mut [0]).ok(), Some(0));
}

#[test]
fn who_says_nothing_is_sent_away() {
    let terms = Terms::new("plan", &token()).unwrap();
    let patience = Duration::from_millis(1);
    let host = MeetingHost::listen_for("127.0.0.1:0", 2, terms, LONG, patience).unwrap();
    let mut said = String::new();
    stranger(host.local_addr()).read_to_string(&mut said).unwrap();
    assert_eq!(said, "no slow\n");
    assert_eq!(host.refusals(), ["127.0.0.1: it took too long to say who it is"]);
}

#[test]
fn an_open_door_closes_with_its_host() {
    let host = host(2);
    let mut inside: Vec<_> = (0..3).map(|_| stranger(host.local_addr())).collect();
    // All threads have ended when this returns.
    drop(host);
    for stream in &mut inside {
        let mut rest = String::new();
        let _ = stream.read_to_string(&mut rest);
        assert_eq!(rest, "");
    }
}
