//! External programs: command lines, logs, exit codes, and a runner that leaves nothing behind.
