//! The `qmp` trigger: QEMU's machine protocol (QMP), spoken to the source and,
//! when it is given, to the target.

mod options;

pub use options::{QmpAddress, QmpOptions};
