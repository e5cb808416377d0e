//! P-256 pairs that several tests seal and open with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paperknife_device::primitive::key::{Curve, Key};

/// The gateway's pair of profile.md §10: x, y, d.
pub(super) const OURS: [&str; 3] = [
    "JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko",
    "lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I",
    "hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU",
];
/// A device's.
pub(super) const THEIRS: [&str; 3] = [
    "6MqDlR3zqATnrB-r2F263sFn-Zh7KHRwubdy1sow-Vk",
    "wl8-8lDClPsEeVnMO0I1bqLV1xij4dI6wsi2U1jf6vc",
    "-DpHl-Fgr8E0KPECMLgMaUs7SjL4osIJxJ3_G6yiMBM",
];

/// The pair as the device's crate takes it.
pub(super) fn pair(of: [&str; 3]) -> Key {
    let [x, y, d] = of.map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
    Key::curve(Curve::P256, &x, &y, Some(&d)).unwrap()
}
