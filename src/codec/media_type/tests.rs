//! Case, spaces, quotes and missing parts.

use crate::codec::media_type::{essence, parameter};

#[test]
fn essence_is_lower_case_without_parameters() {
    for (given, expected) in
        [("Application/SenML+JSON; charset=utf-8", "application/senml+json"), (" text/plain ", "text/plain"), ("", "")]
    {
        assert_eq!(essence(given), expected);
    }
}

#[test]
fn a_parameter_is_found_by_name_and_unquoted() {
    let quoted = "application/cose; x=1; Cose-Type=\"cose-encrypt0\"";
    assert_eq!(parameter(quoted, "cose-type"), Some("cose-encrypt0"));
    assert_eq!(parameter("application/cose;cose-type=cose-sign1", "cose-type"), Some("cose-sign1"));
    assert_eq!(parameter("application/cose", "cose-type"), None);
    assert_eq!(parameter("cose-type=cose-sign1", "cose-type"), None);
}
