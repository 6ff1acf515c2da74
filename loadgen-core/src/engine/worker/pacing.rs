//! Reading slowly, as the [pace](crate::engine::pace) of a load says.

use std::cmp::Reverse;

use super::Worker;
use crate::engine::connection::State;
use crate::protocol::Protocol;

impl<P: Protocol> Worker<P> {
    /// Something can be read from a connection whose pace is set.
    pub(super) fn read_slowly(&mut self, index: u32, hung_up: bool) {
        let connection = &mut self.slab[index];
        // The event of a server's end comes once, perhaps while the connection rests.
        connection.hung_up |= hung_up;
        if connection.resting {
            return;
        }
        let hung_up = connection.hung_up;
        let Some(pace) = self.loads[usize::from(connection.load)].pace else { return };
        let (generation, token) = (connection.generation, self.slab.token(index));
        let mut bytes = 0;
        self.read_at_most(index, hung_up, (1, pace.at_once), &mut bytes);
        let now = self.now();
        let connection = &mut self.slab[index];
        if bytes > 0 && connection.generation == generation && connection.state != State::Free {
            connection.read_at = pace.next(connection.read_at, now, bytes);
            connection.resting = true;
            self.resting.push(Reverse((connection.read_at, token)));
        }
    }

    /// Reads from the connections that have rested long enough.
    pub(super) fn read_rested(&mut self) {
        while let Some(&Reverse((at, token))) = self.resting.peek() {
            if at > self.now() {
                return;
            }
            self.resting.pop();
            if let Some(index) = self.slab.find(token) {
                let s = usize::from(self.slab[index].load);
                self.slab[index].resting = false;
                self.read_slowly(index, false);
                self.serve(s);
            }
        }
    }
}
