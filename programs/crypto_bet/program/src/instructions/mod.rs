//! One file per instruction. `process` reads the arguments, validates, then takes effect.

pub mod emergency_pause;
pub mod emergency_unpause;
pub mod initialize_program;
