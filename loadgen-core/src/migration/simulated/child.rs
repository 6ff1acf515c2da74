//! The child's side: a server, and threads that read commands and write events.

use std::io::{self, BufReader, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::super::trigger::TriggerError;
use super::machine::Machine;
use super::protocol::{ToChild, ToParent, read_message, to_line};
use super::vm::SimulatedVm;
use crate::target_server::{Stopper, TargetOptions, TargetServer};

/// Is a simulated machine, as told over `input`, until `input` ends. For the `main`
/// of the program that [`SimulatedTrigger::start`](super::SimulatedTrigger::start)
/// runs, with its standard input and output; nothing else may be written there.
///
/// # Errors
/// [`TriggerError`] if the commands make no sense or the server cannot go on.
pub fn serve_child(
    input: impl Read + Send + 'static,
    mut output: impl Write + Send + 'static,
) -> Result<(), TriggerError> {
    let mut input = BufReader::new(input);
    let vm = match read_message(&mut input).map_err(reading)? {
        None => return Ok(()),
        Some(ToChild::Be { vm }) => vm,
        Some(other) => {
            return Err(TriggerError::protocol(
                "the first line for a simulated machine",
                format!("it must say what to be, not {other:?}"),
            ));
        }
    };
    let server = match vm.check().and_then(|()| bind(&vm)) {
        Ok(server) => server,
        Err(error) => {
            write(&mut output, &ToParent::Unfit { reason: error.to_string() })
                .map_err(|error| TriggerError::io("telling why the machine is unfit", error))?;
            return Err(error);
        }
    };
    let stopper = server.stopper();
    let (tell, outbox) = mpsc::channel();
    let (command, inbox) = mpsc::channel();
    let _ = tell.send(ToParent::Ready { url: server.url() });
    let writer = spawn("loadgen-vm-out", {
        let stopper = stopper.clone();
        move || write_all(output, &outbox, &stopper)
    })?;
    // Not joined: it may wait for a line for ever.
    spawn("loadgen-vm-in", move || read_all(input, &command, &stopper))?;
    let result = server.run_as(Machine::new(vm, inbox, tell));
    let _ = writer.join();
    result
        .map(|_| ())
        .map_err(|error| TriggerError::io("running the simulated machine", io::Error::other(error)))
}

fn bind(vm: &SimulatedVm) -> Result<TargetServer, TriggerError> {
    let options = TargetOptions::new()
        .with_delay(Duration::from_secs_f64(vm.delay_s))
        .with_body_bytes(vm.body_bytes);
    TargetServer::bind(options).map_err(|error| {
        TriggerError::io("starting the simulated machine's server", io::Error::other(error))
    })
}

/// Hands commands on and wakes the machine. The end of the input, or nonsense,
/// ends the machine: whoever wrote is gone or not the one we know.
fn read_all(mut input: impl io::BufRead, command: &mpsc::Sender<ToChild>, stopper: &Stopper) {
    while let Ok(Some(message)) = read_message(&mut input) {
        if command.send(message).is_err() {
            break;
        }
        stopper.wake();
    }
    stopper.stop();
}

fn write_all(mut output: impl Write, outbox: &mpsc::Receiver<ToParent>, stopper: &Stopper) {
    for message in outbox {
        if write(&mut output, &message).is_err() {
            stopper.stop();
            return;
        }
    }
}

fn write(output: &mut impl Write, message: &ToParent) -> io::Result<()> {
    output.write_all(&to_line(message)?)?;
    output.flush()
}

fn reading(error: io::Error) -> TriggerError {
    TriggerError::io("reading what to simulate", error)
}

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, TriggerError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| TriggerError::io("starting a thread of the simulated machine", error))
}
