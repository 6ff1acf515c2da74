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
        let slots = self.slab.slots();
        for (s, load) in self.loads.iter_mut().enumerate() {
            let Some(made) = load.requests.made_one_by_one() else { continue };
            if let Some(why) = made.failure() {
                return Err(io::Error::other(why.to_owned()));
            }
            if made.is_to_be_counted(slots as usize) {
                let of_load = (0..slots).map(|index| &self.slab[index]);
                let of_load = of_load.filter(|connection| usize::from(connection.load) == s);
                let on_connections = of_load.flat_map(|connection| {
                    let first = connection.has_call.then_some(&connection.call);
                    first.into_iter().chain(connection.pipe.iter().flat_map(|pipe| &pipe.behind))
                });
                let calls = on_connections.chain(&load.again).map(|call| call.request);
                made.keep_only(calls.chain(load.due.iter().map(|waiting| waiting.request)));
            }
        }
        Ok(())
    }
}
