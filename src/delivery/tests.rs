//! Delivery as a whole.
