//! Thumbprints.

use super::Public;
use crate::private_key::{Curve, Point};

#[test]
fn the_thumbprint_of_the_standards_own_example() {
    // RFC 9679 §6
    let x = hex::decode("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d").unwrap();
    let y = hex::decode("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c").unwrap();
    let key = Public::Ec(Point::new(Curve::P256, &x, &y).unwrap());
    let thumbprint = key.thumbprint().map(hex::encode);
    assert_eq!(thumbprint.as_deref(), Some("496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"));
}
