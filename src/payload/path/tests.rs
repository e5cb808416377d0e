//! What is a path and what only looks like one.

use crate::payload::path::is_lwm2m;

#[test]
fn paths() {
    for path in ["/3", "/3/0", "/3303/0/5700", "/3303/0/5700/65534", "/dev0/19/0/0", "/a/b/19/0"] {
        assert!(is_lwm2m(path), "{path}");
    }
}

#[test]
fn names_that_are_none() {
    for name in
        ["", "/", "//", "3303/0/5700", "/3/0/", "//3", "/3/x", "/1/2/3/4/5", "/65535", "/03/0", "/67/0/00", "/dev0"]
    {
        assert!(!is_lwm2m(name), "{name}");
    }
    assert!(!is_lwm2m("urn:dev:mac:0024befffe804ff1/3"));
}
