//! What a key's policy and the relay's claims allow a message to be bound to (profile.md §4).
//!
//! Imports its parent, `envelope`, and the keystore's data. A binding that is never sent is guessed from here; one that
//! travels inside is compared with it.

use keystore::key::{KeyRef, PathBinding, Policy};

use crate::envelope::Binding;
use crate::guard::Arrival;

/// The bindings of one key, with the path that the relay claims.
#[derive(Debug)]
pub(super) struct Expected {
    key: KeyRef,
    claimed: Option<String>,
}

impl Expected {
    /// For a message under this key that arrived so.
    pub(super) fn of(key: &KeyRef, arrival: &Arrival<'_>) -> Self {
        let path = arrival.claims.path.as_deref();
        let claimed = path.map(|path| resource_path(path, key.policy.strip_prefix));
        Self { key: key.clone(), claimed }
    }

    /// Whether there can be none: no audience, or no path where one is required.
    pub(super) fn is_empty(&self) -> bool {
        let policy = &self.key.policy;
        let required = policy.path_binding == PathBinding::Required;
        policy.audience.is_empty() || required && self.claimed.is_none() && policy.paths.is_none()
    }

    /// Those that agree with the claims and the policy. The number of trials is `open`'s to bound.
    pub(super) fn fitting(&self) -> Vec<Binding> {
        self.bindings(&fitting_paths(&self.key.policy, self.claimed.as_deref()), true)
    }

    /// Those that do not: tried last, only to tell a swap from a forgery.
    pub(super) fn diagnostic(&self) -> Vec<Binding> {
        self.bindings(&other_paths(&self.key.policy, self.claimed.as_deref()), false)
    }

    /// One that travels inside the message: whether it agrees with the claims and the policy. What neither knows a value
    /// of cannot disagree, unless the profile asks for one.
    pub(super) fn carried(&self, audience: &str, endpoint: &str, path: Option<&str>) -> Binding {
        let policy = &self.key.policy;
        let lenient = !policy.strict_profile;
        let names_us = lenient && policy.audience.is_empty() || policy.audience.iter().any(|ours| ours == audience);
        let names_device = policy.endpoint.as_deref().map_or(lenient, |known| known == endpoint);
        Binding::carried(audience, path, names_us && names_device && self.path_fits(path))
    }

    fn path_fits(&self, path: Option<&str>) -> bool {
        let policy = &self.key.policy;
        let compared = policy.paths.is_some() || self.claimed.is_some() && policy.path_binding != PathBinding::Off;
        match compared {
            true => fitting_paths(policy, self.claimed.as_deref()).contains(&path),
            false => policy.path_binding != PathBinding::Required,
        }
    }

    /// A binding for each of these paths and each name by which the device may address us.
    fn bindings(&self, paths: &[Option<&str>], fitting: bool) -> Vec<Binding> {
        let audiences = &self.key.policy.audience;
        let pairs = paths.iter().flat_map(|path| audiences.iter().map(move |audience| (audience, *path)));
        pairs.map(|(audience, path)| Binding::profile(audience, self.endpoint(), path, fitting)).collect()
    }

    fn endpoint(&self) -> &str {
        self.key.policy.endpoint.as_deref().or(self.key.device.as_deref()).unwrap_or_default()
    }
}

/// The paths that agree with the claim and the policy: the claimed one if the key's list has it, and null if the list
/// has null; all of the list where none is claimed (profile.md §4).
fn fitting_paths<'a>(policy: &'a Policy, claimed: Option<&'a str>) -> Vec<Option<&'a str>> {
    let compared = claimed.filter(|_| policy.path_binding != PathBinding::Off);
    match (&policy.paths, compared) {
        (Some(list), Some(claimed)) => {
            let listed = list.iter().map(Option::as_deref);
            listed.filter(|path| path.is_none_or(|path| path == claimed)).collect()
        }
        (Some(list), None) => list.iter().map(Option::as_deref).collect(),
        (None, Some(claimed)) => vec![Some(claimed)],
        (None, None) if policy.path_binding == PathBinding::Required => Vec::new(),
        (None, None) => vec![claimed],
    }
}

/// All other paths worth a trial: the rest of the list, the claimed one, none.
fn other_paths<'a>(policy: &'a Policy, claimed: Option<&'a str>) -> Vec<Option<&'a str>> {
    let fitting = fitting_paths(policy, claimed);
    let mut others: Vec<Option<&str>> = Vec::new();
    let listed = policy.paths.iter().flatten().map(Option::as_deref);
    for path in listed.chain([claimed, None]) {
        if !fitting.contains(&path) && !others.contains(&path) {
            others.push(path);
        }
    }
    others
}

/// `/object/instance/resource` of a claimed path: without resource instance, and without gateway prefix where the policy
/// strips it. The prefix is what precedes the first all-digit segment (relays.md §7).
fn resource_path(path: &str, strip_prefix: bool) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let numeric = |segment: &&str| segment.bytes().all(|byte| byte.is_ascii_digit());
    let first = segments.iter().position(numeric).unwrap_or(0);
    let end = segments.len().min(first + 3);
    let start = if strip_prefix { first } else { 0 };
    segments[start..end].iter().flat_map(|segment| ["/", segment]).collect()
}
