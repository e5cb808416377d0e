//! Leaf: containers of records.
