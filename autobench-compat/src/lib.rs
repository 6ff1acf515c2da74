//! Drop-ins for the tools of autobench: same arguments, output, exit status.

pub mod crfile;
