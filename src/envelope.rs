//! stub
pub fn recognise(_bytes: &[u8], _named: Option<crate::item::CoseType>) -> Option<crate::item::Format> {
    None
}
