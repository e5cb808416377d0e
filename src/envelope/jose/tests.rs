//! Reading JOSE.
