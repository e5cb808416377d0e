//! Judging what is proven.
