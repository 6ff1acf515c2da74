//! The command line, workloads and report of httperf, as data.
