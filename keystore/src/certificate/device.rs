//! Which device a certificate names (cms.md §4): the first of the sources in force that names exactly one, byte for byte.
//! What stands twice names nothing: which of the two is meant, nobody can tell.

use x509_cert::TbsCertificate;
use x509_cert::der::asn1::{Any, AnyRef, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{Reader, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

/// id-on-hardwareModuleName (RFC 4108 §5).
const HARDWARE_MODULE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.4");
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Longest name of a device, bytes.
const NAME_MAX: usize = 256;

/// Where a certificate says which device it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// CN of the subject.
    CommonName,
    /// hardwareModuleName among the subject's alternative names: `hwType:hwSerialNum`, the one dotted, the other in hex.
    HardwareModule,
    /// serialNumber of the subject.
    SerialNumber,
    /// A URI among the subject's alternative names.
    Uri,
}

impl Source {
    /// In the order in which they are asked where nobody says another.
    pub(crate) const ALL: [Self; 4] = [Self::HardwareModule, Self::Uri, Self::SerialNumber, Self::CommonName];

    /// The name in options and records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CommonName => "common-name",
            Self::HardwareModule => "hardware-module",
            Self::SerialNumber => "serial-number",
            Self::Uri => "uri",
        }
    }

    /// What has that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// Alternative names that do not parse: they may name the device, and differently.
pub(crate) struct Unreadable;

/// The device that the first of these sources names.
pub(super) fn named(body: &TbsCertificate, sources: &[Source]) -> Result<Option<String>, Unreadable> {
    let alternatives = body.get_extension::<SubjectAltName>().map_err(|_| Unreadable)?;
    let alternatives = alternatives.map(|(_, SubjectAltName(names))| names).unwrap_or_default();
    let device = |source: &Source| {
        let mut names = match source {
            Source::CommonName => attributes(body, COMMON_NAME),
            Source::HardwareModule => alternatives.iter().filter_map(hardware_module).collect(),
            Source::SerialNumber => attributes(body, SERIAL_NUMBER),
            Source::Uri => alternatives.iter().filter_map(uri).collect(),
        };
        names.pop().filter(|name| names.is_empty() && is_name(name))
    };
    Ok(sources.iter().find_map(device))
}

fn hardware_module(name: &GeneralName) -> Option<String> {
    let GeneralName::OtherName(OtherName { type_id: HARDWARE_MODULE_NAME, value }) = name else { return None };
    // SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }
    let module = AnyRef::from(value).sequence(|module| {
        let (hw_type, serial) = (module.decode::<ObjectIdentifier>()?, module.decode::<&OctetStringRef>()?);
        Ok::<_, x509_cert::der::Error>(format!("{hw_type}:{}", hex::encode(serial.as_bytes())))
    });
    // As with attributes: what does not parse stands there all the same.
    Some(module.unwrap_or_default())
}

fn uri(name: &GeneralName) -> Option<String> {
    let GeneralName::UniformResourceIdentifier(uri) = name else { return None };
    Some(uri.as_str().to_owned())
}

fn attributes(body: &TbsCertificate, oid: ObjectIdentifier) -> Vec<String> {
    let attributes = body.subject().iter().filter(|attribute| attribute.oid == oid);
    // One that is no text still stands there: together with another it names nothing.
    attributes.map(|attribute| text(&attribute.value).unwrap_or_default()).collect()
}

fn text(value: &Any) -> Option<String> {
    let is_text = matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
    is_text.then(|| String::from_utf8(value.value().to_vec()).ok())?
}

fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
