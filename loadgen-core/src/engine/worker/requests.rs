//! Requests that a source makes as their calls come: which are still needed, and what becomes
//! of the worker when there is none.

use std::io;

use super::Worker;
use crate::protocol::Protocol;

impl<P: Protocol> Worker<P> {
    /// Between two looks at the sockets, when every call that is under way stands in its place.
    ///
    /// # Errors
    /// The source has made none: the load cannot go on.
    #[cold]
    #[inline(never)]
    pub(super) fn look_after_requests(&mut self) -> io::Result<()> {
        let connections = self.slab.slots() as usize;
        let Some(made) = self.requests.made_one_by_one() else { return Ok(()) };
        if let Some(why) = made.failure() {
            return Err(io::Error::other(why.to_owned()));
        }
        if made.is_to_be_counted(connections) {
            let on_connections = (0..self.slab.slots()).flat_map(|index| {
                let connection = &self.slab[index];
                let first = connection.has_call.then_some(&connection.call);
                first.into_iter().chain(connection.pipe.iter().flat_map(|pipe| &pipe.behind))
            });
            let again = self.streams.iter().flat_map(|stream| &stream.again);
            let waiting = self.streams.iter().flat_map(|stream| &stream.due);
            let calls = on_connections.chain(again).map(|call| call.request);
            made.keep_only(calls.chain(waiting.map(|waiting| waiting.request)));
        }
        Ok(())
    }
}
