//! What TLS costs a client: `cargo test --release -p loadgen-core --lib
//! tls::tests::measure -- --ignored --nocapture`.

use super::*;
use crate::net::sys;
use crate::net::tls::TlsVersion;

/// User and system time of this thread, which only the client runs on.
fn cpu_us() -> f64 {
    let (user, system) = sys::thread_cpu_ns();
    (user + system) as f64 / 1000.0
}

#[test]
#[ignore = "measures"]
fn handshakes_and_bytes() {
    const TIMES: u32 = 2000;
    let server = server();
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        for resume in [false, true] {
            let tls = Tls { version: Some(version), resume, ..Tls::unchecked() };
            let settings = settings(&tls);
            let mut cache = TlsSessionCache::default();
            let mut resumed = 0;
            let mut spent = 0.0;
            for _ in 0..TIMES {
                let before = cpu_us();
                let mut client = Client::connect_in(&settings, &mut cache, server.address).unwrap();
                spent += cpu_us() - before;
                resumed += u32::from(client.transport.agreed().unwrap().resumed);
                client.ask(10, 10);
                client.transport.close();
            }
            let each = spent / f64::from(TIMES);
            println!("{version:?}: {resumed} of {TIMES} resumed: {each:.0} us of CPU each");
        }
        let tls = Tls { version: Some(version), ..Tls::unchecked() };
        let mut client = Client::connect(&settings(&tls), server.address).unwrap();
        let mut buffer = vec![0; 64 << 10];
        let before = cpu_us();
        let total = 1_usize << 30;
        client.send(&(total as u32).to_be_bytes());
        let mut read = 0;
        while read < total {
            read += client.recv(&mut buffer).unwrap();
        }
        let each = (cpu_us() - before) * 1000.0 / total as f64;
        println!("{version:?}: {each:.2} ns of CPU a byte read");
    }
}
