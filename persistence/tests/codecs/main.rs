//! What every codec promises: its bytes as they were released, typed errors for whatever a row may
//! hold, bounded memory, and old versions that are read.

mod golden;
mod hostile;
mod upcasters;
mod values;
