//! Places where a test makes this process fail: named points that it dies or panics at, and switches that take a
//! safeguard away. They exist in builds with the feature `failpoints` alone; in every other build each call is an
//! empty function.
//!
//! A leaf: imports std. `FAILPOINTS="take/before-commit=3 opening/examine=2:panic no-duplicate-check"` aborts at the
//! third passing of one point, panics at the second of another, and turns a switch on.

/// Passes the point `stage/moment`: aborts or panics there if a test asked for it.
#[inline]
pub fn point(stage: &str, moment: &str) {
    #[cfg(feature = "failpoints")]
    planted::pass(stage, moment);
    #[cfg(not(feature = "failpoints"))]
    let _ = (stage, moment);
}

/// Whether a test took this safeguard away.
#[inline]
pub fn is_on(switch: &str) -> bool {
    #[cfg(feature = "failpoints")]
    return planted::names(switch);
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = switch;
        false
    }
}

#[cfg(feature = "failpoints")]
mod planted {
    //! What the environment planted, read once.

    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Fault {
        /// Passings until it strikes; a switch has none.
        left: AtomicU32,
        panics: bool,
    }

    static FAULTS: LazyLock<HashMap<String, Fault>> = LazyLock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "no setting: absent from every build that is shipped")]
        let asked = std::env::var("FAILPOINTS").unwrap_or_default();
        asked.split_whitespace().map(read).collect()
    });

    fn read(entry: &str) -> (String, Fault) {
        let (name, when) = entry.split_once('=').unwrap_or((entry, "0"));
        let count = when.trim_end_matches(":panic");
        let left = AtomicU32::new(count.parse().unwrap_or_default());
        (name.to_owned(), Fault { left, panics: when != count })
    }

    pub(super) fn names(name: &str) -> bool {
        FAULTS.contains_key(name)
    }

    pub(super) fn pass(stage: &str, moment: &str) {
        if FAULTS.is_empty() {
            return;
        }
        let Some(fault) = FAULTS.get(&format!("{stage}/{moment}")) else { return };
        if fault.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) == Ok(1) {
            assert!(!fault.panics, "planted at {stage}/{moment}");
            std::process::abort();
        }
    }
}
