//! Each input wrong in turn.
