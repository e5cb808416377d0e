//! LwM2M paths (LwM2M TS 1.2 Core §7.3): up to four ids, after the prefix of an object 25 gateway where there is one.

/// 65535 is reserved.
const LAST_ID: u16 = 65_534;
const MAX_IDS: usize = 4;

/// Whether a name is an LwM2M path: `/3303/0/5700`, `/dev0/19/0/0`.
pub(super) fn is_lwm2m(name: &str) -> bool {
    let Some(segments) = name.strip_prefix('/') else { return false };
    let mut segments = segments.split('/').peekable();
    // What precedes the first number is the prefix.
    while let Some(prefix) = segments.next_if(|segment| !is_number(segment)) {
        if prefix.is_empty() {
            return false;
        }
    }
    let ids: Vec<&str> = segments.take(MAX_IDS + 1).collect();
    !ids.is_empty() && ids.len() <= MAX_IDS && ids.into_iter().all(is_id)
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

/// A decimal number without leading zeros: one spelling a path.
fn is_id(segment: &str) -> bool {
    let canonical = segment == "0" || !segment.starts_with('0');
    is_number(segment) && canonical && segment.parse::<u16>().is_ok_and(|id| id <= LAST_ID)
}

#[cfg(test)]
mod tests;
